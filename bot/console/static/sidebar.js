// The sidebar asks WeCom's client whose chat it stands beside (paths 94313, 100746).
(function () {
  "use strict";

  const place = document.getElementById("sidebar");

  function show(why) {
    const known = [...place.querySelectorAll("[data-problem]")];
    const fitting = known.find((one) => one.dataset.problem && why.includes(one.dataset.problem));
    place.firstElementChild.hidden = true;
    (fitting || known[known.length - 1]).hidden = false;
  }

  async function signature(identity, url) {
    const query = new URLSearchParams({ as: identity, url: url });
    const answer = await fetch(place.dataset.signature + "?" + query);
    if (!answer.ok) throw new Error("no signature");
    return await answer.json();
  }

  function begin() {
    if (!window.ww) return show("");
    const here = location.href.split("#")[0];
    window.ww.register({
      corpId: place.dataset.corp,
      agentId: place.dataset.agent,
      jsApiList: ["getCurExternalContact"],
      getConfigSignature: () => signature("corp", here),
      getAgentConfigSignature: () => signature("agent", here),
    });
    window.ww
      .getCurExternalContact({})
      .then((said) => {
        const id = encodeURIComponent(said.userId);
        location.replace(place.dataset.customer.replace("ID", id));
      })
      .catch((problem) => show(String((problem && problem.errMsg) || "")));
  }

  begin();
})();
