"""The console in a real browser: on a desk and in a hand, in both languages."""

import shutil
import threading
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, Request, expect, sync_playwright
from werkzeug.serving import make_server

from bot import db, migrations
from bot.app import create_app
from config import settings
from tests.conftest import missing_service
from tests.console.conftest import COMPLETE, add_firm, add_troubles
from tests.console.test_every_page import DEEP_PAGES, PAGES

pytestmark = pytest.mark.browser

PHONE, TABLET, SMALL_DESK, DESK = 390, 1000, 1200, 1280
HEIGHT = 844
EVERY_PAGE = [*PAGES, *DEEP_PAGES, "/conflicts?state=resolved", "/customers?q=nobody"]


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
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of the whole application, serving the small firm."""
    url = f"sqlite:///{tmp_path_factory.mktemp('console') / 'kegui.db'}"
    application = create_app(settings.load(COMPLETE | {"KEGUI_DATABASE_URL": url}))
    migrations.up()
    with db.connection():
        add_firm()
        add_troubles()
    server = make_server("127.0.0.1", 0, application, threaded=True)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()
    made: Any = db.database.obj
    made.close_all()


class Reader:
    """A person at a browser, and all that went wrong on their pages."""

    def __init__(self, context: BrowserContext, address: str) -> None:
        self.page: Page = context.new_page()
        self.troubles: list[str] = []
        self._address = address
        self.page.on("console", lambda message: self._note(message.type, message.text))
        self.page.on("pageerror", lambda error: self._note("error", str(error)))
        self.page.on("requestfailed", self._check_failure)
        self.page.on("request", lambda request: self._check_host(request.url))
        self.page.on("response", lambda answer: self._check_status(answer.status, answer.url))

    def open(self, path: str) -> Page:
        self.page.goto(self._address + path)
        return self.page

    def _note(self, kind: str, text: str) -> None:
        self.troubles.append(f"{kind}: {text}")

    def _check_failure(self, request: Request) -> None:
        # Going to the next page gives up what the last one was still loading.
        if request.failure != "net::ERR_ABORTED":
            self._note("failed", request.url)

    def _check_host(self, url: str) -> None:
        if urlsplit(url).hostname not in ("127.0.0.1", None):
            self._note("leaves this host", url)

    def _check_status(self, status: int, url: str) -> None:
        if status >= 400:
            self._note(str(status), url)


@pytest.fixture
def reader(browser: Browser, served: str, request: pytest.FixtureRequest) -> Iterator[Reader]:
    """Somebody with a screen as wide as the test's parameter, or at a desk."""
    width: int = getattr(request, "param", DESK)
    context = browser.new_context(viewport={"width": width, "height": HEIGHT})
    context.set_default_timeout(5000)
    made = Reader(context, served)
    yield made
    context.close()
    assert made.troubles == []


@pytest.mark.parametrize("reader", [PHONE, TABLET, SMALL_DESK, DESK], indirect=True)
@pytest.mark.parametrize("language", ["zh", "en"])
def test_every_page_fits_the_screen_and_breaks_nothing(reader: Reader, language: str) -> None:
    reader.open(f"/?lang={language}")

    for path in EVERY_PAGE:
        page = reader.open(path)
        assert page.locator("html").get_attribute("lang") == {"zh": "zh-CN", "en": "en"}[language]
        too_wide = page.evaluate(
            """() => document.documentElement.scrollWidth > window.innerWidth
                || [...document.querySelectorAll("main *")]
                    .filter(one => one.getBoundingClientRect().right > window.innerWidth + 1)
                    .map(one => one.outerHTML.slice(0, 80)).join()"""
        )
        assert not too_wide, path


def test_every_page_has_one_heading_and_its_landmarks(reader: Reader) -> None:
    for path in EVERY_PAGE:
        page = reader.open(path)
        expect(page.get_by_role("main")).to_have_count(1)
        expect(page.get_by_role("heading", level=1)).to_have_count(1)
        expect(page.get_by_role("navigation", name="主导航")).to_have_count(1)
        expect(page.get_by_role("contentinfo")).to_have_count(1)
        assert page.title().endswith("客规")
        nameless = page.evaluate(
            """() => [...document.querySelectorAll("a, button, input:not([type=hidden])")]
                .filter(one => !one.textContent.trim() && !one.ariaLabel && !one.labels?.length)
                .map(one => one.outerHTML)"""
        )
        assert nameless == []
        expect(page.locator("img:not([alt])")).to_have_count(0)


def test_the_language_stays_until_it_is_changed(reader: Reader) -> None:
    page = reader.open("/customers?q=陈")
    page.get_by_role("link", name="English").click()

    expect(page.get_by_role("heading", level=1)).to_contain_text("Customers")
    expect(page.get_by_role("searchbox")).to_have_value("陈")
    page.get_by_role("link", name="Handovers").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("Handovers")
    page.get_by_role("link", name="中文").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("交接")


@pytest.mark.parametrize(
    ("link", "path", "heading"),
    [
        ("事件无人处理", "/operation", "运行"),
        ("告知缺口", "/gaps", "告知缺口"),
        ("撞单等待确定归属", "/conflicts", "撞单"),
        ("客户没有归属成员", "/customers?owner=none", "客户"),
        ("交接事项需要人工处理", "/offboardings?kind=open", "交接"),
    ],
)
def test_home_leads_to_what_must_be_done(
    reader: Reader, link: str, path: str, heading: str
) -> None:
    page = reader.open("/")
    page.locator("main").get_by_role("link", name=link).first.click()

    expect(page.get_by_role("heading", level=1)).to_contain_text(heading)
    assert page.url.endswith(path)


@pytest.mark.parametrize("reader", [PHONE, DESK], indirect=True)
def test_an_operator_comes_from_the_verdict_to_the_command_that_mends_it(reader: Reader) -> None:
    page = reader.open("/operation")
    page.get_by_role("link", name="接口 gettoken 已暂停调用").click()
    expect(page.get_by_role("heading", name="暂停的接口")).to_be_in_viewport()

    for summary in page.locator("main summary").all():
        summary.click()

    expect(page.get_by_text('kegui pauses lift "app gettoken"')).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    page.get_by_role("link", name="查看全部 2 个").click()
    assert page.url.endswith("/events?state=dead")


def test_home_leads_to_a_customer_and_to_a_handover(reader: Reader) -> None:
    page = reader.open("/")
    page.get_by_role("link", name="陈女士").first.click()
    expect(page.get_by_role("heading", level=1)).to_have_text("陈女士")

    page = reader.open("/")
    page.get_by_role("link", name="王五").first.click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("离职交接 1")


@pytest.mark.parametrize("reader", [PHONE], indirect=True)
def test_a_hand_reaches_every_screen(reader: Reader) -> None:
    page = reader.open("/")
    expect(page.get_by_role("link", name="告警", exact=True)).not_to_be_visible()

    page.locator("summary", has_text="展开导航").click()
    page.get_by_role("link", name="告警", exact=True).click()

    expect(page.get_by_role("heading", level=1)).to_contain_text("告警")


def test_the_keyboard_goes_from_the_content_to_the_links_and_shows_where_it_is(
    reader: Reader,
) -> None:
    page = reader.open("/customers")
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="跳到正文")).to_be_focused()
    expect(page.get_by_role("link", name="跳到正文")).to_be_visible()

    for _ in range(3):
        page.keyboard.press("Tab")
    outline = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
    assert outline == "solid"


def test_a_reason_opens_and_closes(reader: Reader) -> None:
    page = reader.open("/customers/wm_chen")
    expect(page.get_by_text("未入选")).not_to_be_visible()

    page.get_by_text("为什么", exact=True).first.click()

    expect(page.get_by_text("未入选")).to_be_visible()
    expect(page.get_by_text("即将离职")).to_be_visible()


def test_a_search_finds_by_the_enter_key(reader: Reader) -> None:
    page = reader.open("/customers")
    page.get_by_role("searchbox", name="搜索客户").fill("赵")
    page.keyboard.press("Enter")

    expect(page.get_by_role("link", name="赵先生")).to_be_visible()
    expect(page.get_by_role("link", name="陈女士")).to_have_count(0)
