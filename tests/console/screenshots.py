"""Keep pictures of the console: ``python -m tests.console.screenshots FOLDER``, or ``--docs``.

FOLDER gets every page, on a desk and in a hand, light and dark, in both languages. ``--docs``
makes those of docs/images anew.
"""

import argparse
import re
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import product
from pathlib import Path
from typing import Any, Literal, NamedTuple

from playwright.sync_api import Browser, Page

from tests.browsing import running_browser
from tests.console.scene import BOSS, COMPLIANCE, MANAGER, Scene, served_scene

DOCS = Path(__file__).parents[2] / "docs" / "images"
WIDTHS = {"desk": (1440, 900), "phone": (360, 780)}
LANGUAGES = ("zh", "en")

Theme = Literal["light", "dark"]


class Picture(NamedTuple):
    """One of the documentation: who looks at which page, on what."""

    name: str
    who: str
    path: str
    size: tuple[int, int]
    theme: Theme = "light"
    language: str = "en"


PICTURES = (
    Picture("home-of-a-manager", MANAGER, "/", (1280, 800)),
    Picture("home-of-a-manager-zh", MANAGER, "/", (1280, 800), language="zh"),
    Picture("story-of-a-customer", MANAGER, "/customers/wm_chen", (1280, 820)),
    Picture("approving-on-a-phone", MANAGER, "/offboardings/2/approve", (390, 780)),
    Picture(
        "approving-on-a-phone-zh", MANAGER, "/offboardings/2/approve", (390, 780), "light", "zh"
    ),
    Picture("audit-log", COMPLIANCE, "/audit", (1280, 800)),
    Picture("home-in-the-dark", BOSS, "/", (1280, 800), "dark"),
)


def main(arguments: Sequence[str]) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, nargs="?")
    parser.add_argument("--docs", action="store_true")
    parser.add_argument("--only", default="", help="a part of the addresses, as /audit")
    asked = parser.parse_args(arguments)
    if not asked.docs and asked.folder is None:
        parser.error("say where the pictures go, or --docs")
    with (
        tempfile.TemporaryDirectory() as place,
        served_scene(Path(place)) as scene,
        running_browser() as browser,
    ):
        if asked.docs:
            take_for_docs(browser, scene)
        else:
            take_all(browser, scene, asked.folder, asked.only)


def take_all(browser: Browser, scene: Scene, folder: Path, only: str) -> None:
    """Keep every page in every way as ``FOLDER/phone-dark-en/customers.png``."""
    themes: tuple[Theme, ...] = ("light", "dark")
    for (device, size), theme, language in product(WIDTHS.items(), themes, LANGUAGES):
        here = folder / f"{device}-{theme}-{language}"
        here.mkdir(parents=True, exist_ok=True)
        for who, paths in ((BOSS, scene.behind_login), (None, scene.before_login)):
            with page_of(browser, scene, who, size, theme, language) as page:
                for path in paths:
                    if only in path:
                        page.goto(scene.address + path)
                        page.screenshot(path=here / f"{_file_name(path)}.png", full_page=True)


def take_for_docs(browser: Browser, scene: Scene) -> None:
    """Keep the pictures of the documentation, each no larger than its window."""
    DOCS.mkdir(parents=True, exist_ok=True)
    for one in PICTURES:
        with page_of(browser, scene, one.who, one.size, one.theme, one.language) as page:
            page.goto(scene.address + one.path)
            page.screenshot(path=DOCS / f"{one.name}.png")


@contextmanager
def page_of(
    browser: Browser,
    scene: Scene,
    who: str | None,
    size: tuple[int, int],
    theme: Theme,
    language: str,
) -> Iterator[Page]:
    """A window of this size, in which somebody is logged in and reads this language."""
    viewport: Any = {"width": size[0], "height": size[1]}
    context = browser.new_context(viewport=viewport, color_scheme=theme, reduced_motion="reduce")
    context.add_cookies([{"name": "lang", "value": language, "url": scene.address}])
    if who is not None:
        scene.log_in(context, who)
    yield context.new_page()
    context.close()


def _file_name(path: str) -> str:
    return re.sub(r"\W+", "-", path).strip("-") or "home"


if __name__ == "__main__":
    main(sys.argv[1:])
