// A stand-in for WeCom's JS-SDK (path 90514), to try a sidebar page in any browser. It lets the
// sandbox check the page's signatures; the customer is the page's own query parameter
// sandbox_external_userid.
(function () {
  "use strict";

  const sandbox = new URL(document.currentScript.src).origin;
  const customer = new URLSearchParams(location.search).get("sandbox_external_userid");
  let registered = Promise.resolve({ agentConfig: "not given", jsApiList: [] });

  // As the browser sees it, without the fragment (path 90506).
  function pageUrl() {
    return location.href.split("#")[0];
  }

  async function signature(make) {
    return make ? await make(pageUrl()) : null;
  }

  async function verdictOn(options) {
    const answer = await fetch(sandbox + "/sandbox/jssdk/check", {
      method: "POST",
      // A plain text: other types would need a preflight.
      body: JSON.stringify({
        url: pageUrl(),
        corpId: options.corpId,
        agentId: options.agentId,
        config: await signature(options.getConfigSignature),
        agentConfig: await signature(options.getAgentConfigSignature),
      }),
    });
    return await answer.json();
  }

  function tell(name, result, options, on) {
    const callback = result === "ok" ? on + "Success" : on + "Fail";
    const said = { errMsg: result === "ok" ? name + ":ok" : name + ":fail " + result };
    for (const one of [options[callback], options[on + "Complete"]]) {
      if (one) one(said);
    }
  }

  async function check(options) {
    const verdict = await verdictOn(options);
    if (options.getConfigSignature) tell("config", verdict.config, options, "onConfig");
    if (options.getAgentConfigSignature) {
      tell("agentConfig", verdict.agentConfig, options, "onAgentConfig");
    }
    return { agentConfig: verdict.agentConfig, jsApiList: options.jsApiList || [] };
  }

  // A command answers its promise and its callbacks alike (path 90514).
  async function command(name, params, problem, result) {
    const given = params || {};
    const why = problem(await registered);
    const said = why ? { errMsg: name + ":fail " + why } : { errMsg: name + ":ok", ...result };
    for (const one of [why ? given.fail : given.success, given.complete]) {
      if (one) one(said);
    }
    if (why) throw said;
    return said;
  }

  window.ww = {
    SDK_VERSION: "sandbox",

    register(options) {
      registered = check(options);
      registered.catch((error) => console.error("sandbox: ww.register", error));
    },

    // path 100746
    getCurExternalContact(params) {
      const problem = (rights) => {
        const isAllowed = rights.jsApiList.includes("getCurExternalContact");
        if (rights.agentConfig !== "ok" || !isAllowed) return "no permission";
        return customer ? "" : "without context of external contact";
      };
      return command("getCurExternalContact", params, problem, { userId: customer });
    },

    // path 94315
    getContext(params) {
      const entry = customer ? "single_chat_tools" : "normal";
      return command("getContext", params, () => "", { entry });
    },
  };
})();
