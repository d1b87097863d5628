"""The stand-in of the JS-SDK in a real browser, on a page of another origin."""

import json
import shutil
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from flask import Flask
from playwright.sync_api import Browser, sync_playwright
from werkzeug.serving import make_server

from bot.sandbox.remote import Remote
from bot.wecom import jsapi_signature
from tests.conftest import missing_service
from tests.sandbox.stage import AGENT_ID, APPS, CORP_ID, SECRETS

pytestmark = pytest.mark.browser

CUSTOMER = "?sandbox_external_userid=wm_chen"
APIS = ["getCurExternalContact", "getContext"]
PAGE = "<!doctype html><meta charset='utf-8'><title>x</title><script src='%s/jssdk.js'></script>"
ASK = """async ([options, config, agentConfig]) => {
  const seen = {};
  ww.register({
    ...options,
    getConfigSignature: (url) => { seen.url = url; return config; },
    getAgentConfigSignature: async () => agentConfig,
    onConfigSuccess: (said) => { seen.config = said.errMsg; },
    onConfigFail: (said) => { seen.config = said.errMsg; },
    onAgentConfigSuccess: (said) => { seen.agentConfig = said.errMsg; },
    onAgentConfigFail: (said) => { seen.agentConfig = said.errMsg; },
  });
  seen.contact = await ww.getCurExternalContact().catch((said) => said);
  seen.context = await ww.getContext({ success: (said) => { seen.called = said.errMsg; } });
  return seen;
}"""


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    path = shutil.which("chromium")
    if path is None:
        missing_service("Chromium")
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield started
        started.close()


@pytest.fixture(scope="module")
def served(sandbox_url: str) -> Iterator[str]:
    """The address of the page, from a real server: a browser lets only those of this machine
    ask others of this machine."""
    application = Flask(__name__)
    application.add_url_rule("/sidebar", view_func=lambda: PAGE % sandbox_url)
    server = make_server("127.0.0.1", 0, application, threaded=True)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/sidebar"
    server.shutdown()
    thread.join()
    server.server_close()


class Sidebar:
    """A page beside a chat, signed with the tickets of the sandbox."""

    def __init__(self, browser: Browser, sandbox_url: str, address: str) -> None:
        self._browser = browser
        self.address = address
        self.sandbox = Remote(sandbox_url)
        self.sandbox.post("/sandbox/reset", corp_id=CORP_ID, apps=APPS)
        self._token = self.sandbox.get(
            "/cgi-bin/gettoken", corpid=CORP_ID, corpsecret=SECRETS["app"]
        )["access_token"]

    def sign(self, url: str, path: str, **query: str) -> dict[str, Any]:
        answer = self.sandbox.get(f"/cgi-bin/{path}", access_token=self._token, **query)
        signature = jsapi_signature(answer["ticket"], "nonce", 1414587457, url)
        return {"timestamp": 1414587457, "nonceStr": "nonce", "signature": signature}

    def open(
        self, query: str, *, signed: str | None = None, apis: list[str] = APIS
    ) -> dict[str, Any]:
        """Open the page; ``signed``: the query that its server signed, where it is another."""
        address = self.address + (query if signed is None else signed)
        config = self.sign(address, "get_jsapi_ticket")
        agent_config = self.sign(address, "ticket/get", type="agent_config")
        options = {"corpId": CORP_ID, "agentId": AGENT_ID, "jsApiList": apis}
        context = self._browser.new_context()
        page = context.new_page()
        try:
            page.goto(self.address + query)
            return dict(page.evaluate(ASK, [options, config, agent_config]))
        finally:
            context.close()


@pytest.fixture
def sidebar(browser: Browser, sandbox_url: str, served: str) -> Sidebar:
    return Sidebar(browser, sandbox_url, served)


def test_a_page_that_signs_rightly_learns_the_customer(sidebar: Sidebar) -> None:
    seen = sidebar.open(f"{CUSTOMER}#part", signed=CUSTOMER)

    assert seen == {
        "url": sidebar.address + CUSTOMER,
        "config": "config:ok",
        "agentConfig": "agentConfig:ok",
        "contact": {"errMsg": "getCurExternalContact:ok", "userId": "wm_chen"},
        "context": {"errMsg": "getContext:ok", "entry": "single_chat_tools"},
        "called": "getContext:ok",
    }
    checked = sidebar.sandbox.get("/sandbox/executed", effect="jssdk_checked")["executed"]
    assert [(row["config"], row["agentConfig"]) for row in checked] == [("ok", "ok")]


def test_a_page_that_signs_another_address_learns_nothing(sidebar: Sidebar) -> None:
    seen = sidebar.open(CUSTOMER, signed="")

    assert seen["config"] == "config:fail invalid signature"
    assert seen["agentConfig"] == "agentConfig:fail invalid signature"
    assert seen["contact"] == {"errMsg": "getCurExternalContact:fail no permission"}
    assert "wm_chen" not in json.dumps(seen["contact"])


def test_a_page_must_have_asked_for_what_it_uses(sidebar: Sidebar) -> None:
    seen = sidebar.open(CUSTOMER, apis=[])

    assert seen["contact"]["errMsg"] == "getCurExternalContact:fail no permission"


def test_outside_a_chat_with_a_customer_there_is_none(sidebar: Sidebar) -> None:
    seen = sidebar.open("")

    assert seen["contact"]["errMsg"] == (
        "getCurExternalContact:fail without context of external contact"
    )
    assert seen["context"]["entry"] == "normal"
