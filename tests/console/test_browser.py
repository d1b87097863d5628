"""The console in a real browser: on a desk and in a hand, in both languages."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Literal

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, expect

from tests.browsing import Reader, running_browser
from tests.console.scene import BOSS, Scene, served_scene

pytestmark = pytest.mark.browser

PHONE, TABLET, SMALL_DESK, LAPTOP, DESK = 360, 1000, 1200, 1280, 1440
HEIGHT = 844
# What of axe's findings keeps somebody out; the others are opinions.
GRAVE = ("serious", "critical")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with running_browser() as started:
        yield started


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    """The whole application, serving the whole firm."""
    with served_scene(tmp_path_factory.mktemp("console")) as made:
        yield made


@contextmanager
def reading(browser: Browser, scene: Scene, who: str | None, **options: Any) -> Iterator[Reader]:
    """Somebody at a browser, logged in unless nobody is named; nothing went wrong at the end."""
    context = browser.new_context(**options)
    if who is not None:
        scene.log_in(context, who)
    made = Reader(context, scene.address)
    yield made
    context.close()
    assert made.troubles == []


@pytest.fixture
def reader(browser: Browser, scene: Scene, request: pytest.FixtureRequest) -> Iterator[Reader]:
    """Somebody with every right and a screen as wide as the test's parameter, or at a desk."""
    screen = {"width": getattr(request, "param", DESK), "height": HEIGHT}
    with reading(browser, scene, BOSS, viewport=screen) as made:
        yield made


@pytest.fixture
def stranger(browser: Browser, scene: Scene) -> Iterator[Reader]:
    """Somebody who is not logged in."""
    with reading(browser, scene, None) as made:
        yield made


TOO_WIDE = """() => {
    const widest = document.documentElement.clientWidth + 1;
    const end = one => one ? one.getBoundingClientRect().right : Infinity;
    return [...document.querySelectorAll("body *")]
        .filter(one => one.checkVisibility() && !one.closest(".visually-hidden, .skip"))
        .filter(one => end(one) > widest || end(one) > end(one.parentElement.closest(".card")) + 1)
        .map(one => one.outerHTML.slice(0, 80));
}"""


@pytest.mark.parametrize("language", ["zh", "en"])
@pytest.mark.parametrize("who", ["reader", "stranger"])
def test_every_page_fits_every_screen_and_breaks_nothing(
    scene: Scene, language: str, who: str, request: pytest.FixtureRequest
) -> None:
    reader: Reader = request.getfixturevalue(who)
    reader.open(f"/login?lang={language}")
    wrong: dict[str, Any] = {}

    for path in scene.behind_login if who == "reader" else scene.before_login:
        page = reader.open(path)
        assert page.locator("html").get_attribute("lang") == {"zh": "zh-CN", "en": "en"}[language]
        if page.locator("h1").count() != 1 or page.locator("main").count() != 1:
            wrong[f"{path} begins not once"] = page.title()
        for width in (PHONE, TABLET, SMALL_DESK, LAPTOP, DESK):
            page.set_viewport_size({"width": width, "height": HEIGHT})
            if found := page.evaluate(TOO_WIDE):
                wrong[f"{path} at {width}"] = found

    assert wrong == {}


@pytest.mark.timeout(900)
@pytest.mark.parametrize(("width", "theme"), [(DESK, "light"), (PHONE, "dark")])
def test_no_page_keeps_anybody_out(
    browser: Browser, scene: Scene, width: int, theme: Literal["light", "dark"]
) -> None:
    """Whoever sees little, hears the page, or has no mouse can read and use it."""
    axe = Axe()
    wrong: dict[str, Any] = {}
    # A colour on its way to another is neither.
    screen = {"width": width, "height": HEIGHT}
    options: dict[str, Any] = {
        "viewport": screen,
        "color_scheme": theme,
        "reduced_motion": "reduce",
    }

    for who, paths in ((BOSS, scene.behind_login), (None, scene.before_login)):
        with reading(browser, scene, who, **options) as reader:
            for path in paths:
                found = axe.run(reader.open(path)).response["violations"]
                if grave := [_told(one) for one in found if one["impact"] in GRAVE]:
                    wrong[path] = grave

    assert wrong == {}


def _told(violation: dict[str, Any]) -> tuple[str, list[str]]:
    return violation["id"], [node["html"][:120] for node in violation["nodes"]]


def test_without_scripts_every_page_says_the_same(browser: Browser, scene: Scene) -> None:
    phone = {"width": PHONE, "height": HEIGHT}
    with reading(browser, scene, BOSS, viewport=phone, java_script_enabled=False) as reader:
        for path in scene.behind_login:
            page = reader.open(path)
            expect(page.get_by_role("heading", level=1)).to_be_visible()
            assert len(page.locator("main").inner_text().split()) > 1

        page = reader.open("/customers")
        page.locator("summary", has_text="展开导航").click()
        page.get_by_role("link", name="告警", exact=True).click()
        expect(page.get_by_role("heading", level=1)).to_contain_text("告警")
        page.locator("summary", has_text="展开导航").click()
        page.get_by_role("button", name="深色").click()
        expect(page.locator("html")).to_have_attribute("data-theme", "dark")


def test_every_page_has_its_landmarks(scene: Scene, reader: Reader) -> None:
    for path in scene.behind_login:
        page = reader.open(path)
        assert page.title().endswith("客规")
        if not path.startswith("/sidebar"):
            expect(page.get_by_role("navigation", name="主导航")).to_have_count(1)
            expect(page.get_by_role("contentinfo")).to_have_count(1)


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
        ("事件长时间没有处理", "/operation", "运行"),
        ("未告知客户", "/gaps", "未告知客户"),
        ("归属冲突等待确定归属", "/conflicts", "客户归属冲突"),
        ("客户没有归属成员", "/customers?owner=none", "客户"),
        ("交接事项需要人工处理", "/offboardings?kind=by_hand", "交接"),
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
def test_an_operator_comes_from_the_verdict_to_what_mends_it(reader: Reader) -> None:
    page = reader.open("/operation")
    page.get_by_role("link", name="接口 gettoken 已暂停调用").click()
    expect(page.get_by_role("heading", name="暂停的接口")).to_be_in_viewport()

    for summary in page.locator("main summary").all():
        summary.click()

    expect(page.get_by_role("button", name="解除暂停").first).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    page.get_by_role("link", name="查看全部 2 个").click()
    assert page.url.endswith("/events?state=dead")


def test_home_leads_to_a_customer_and_to_a_handover(reader: Reader) -> None:
    page = reader.open("/")
    page.get_by_role("link", name="陈女士").first.click()
    expect(page.get_by_role("heading", level=1)).to_have_text("陈女士")

    page = reader.open("/")
    page.get_by_role("link", name="王五").first.click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("离职继承 1")


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
    expect(page.get_by_text("不符合条件")).not_to_be_visible()

    page.get_by_text("分配依据", exact=True).first.click()

    expect(page.get_by_text("不符合条件")).to_be_visible()
    expect(page.get_by_text("即将离职")).to_be_visible()


def test_a_search_finds_by_the_enter_key(reader: Reader) -> None:
    page = reader.open("/customers")
    page.get_by_role("searchbox").fill("赵先")
    page.keyboard.press("Enter")

    expect(page.get_by_role("link", name="赵先生").first).to_be_visible()
    expect(page.get_by_role("link", name="陈女士")).to_have_count(0)
