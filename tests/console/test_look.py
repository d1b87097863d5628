"""How the console looks: readable colours in both themes, icons that are there, one scale."""

import re
from pathlib import Path

import pytest
from apiflask import APIFlask
from flask import render_template

from bot import console

FOLDER = Path(console.__file__).parent
STYLES = (FOLDER / "static" / "console.css").read_text()
TONES = ("good", "busy", "warn", "bad", "quiet")
GROUNDS = ("bg", "surface", "sunken", "accent-soft")
# What may stand on what: text on every ground, each tone on its own, words on buttons.
PAIRS = [
    *((text, ground) for text in ("ink", "soft", "accent", *TONES) for ground in GROUNDS),
    *((text, f"{tone}-soft") for tone in TONES for text in (tone, "ink", "soft")),
    *(("on-accent", ground) for ground in ("accent", "accent-strong")),
    ("accent-strong", "surface"),
    ("on-danger", "danger"),
]
# What need only be told from its ground.
SHAPES = [("field", "surface"), ("focus", "bg"), ("focus", "surface"), ("accent", "sunken")]


def tokens(selector: str) -> dict[str, str]:
    """The custom properties of the first block with this selector."""
    [block, *_] = re.findall(re.escape(selector) + r" \{(.*?)\}", STYLES, flags=re.DOTALL)
    return dict(re.findall(r"--([\w-]+): ([^;]+);", block))


LIGHT = tokens(":root")
FOLLOWED = tokens(':root:not([data-theme="light"])')
CHOSEN = tokens(':root[data-theme="dark"]')
THEMES = {"light": LIGHT, "dark": LIGHT | CHOSEN}


def brightness(colour: str) -> float:
    """The relative luminance of a colour, as WCAG 2 defines it."""
    shares = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    red, green, blue = (
        share / 12.92 if share <= 0.04045 else ((share + 0.055) / 1.055) ** 2.4 for share in shares
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(theme: dict[str, str], first: str, second: str) -> float:
    dark, bright = sorted((brightness(theme[first]), brightness(theme[second])))
    return (bright + 0.05) / (dark + 0.05)


def test_both_ways_to_the_dark_theme_lead_to_the_same() -> None:
    assert FOLLOWED == CHOSEN
    assert {name for name, value in LIGHT.items() if value.startswith("#")} <= set(CHOSEN)


@pytest.mark.parametrize("theme", THEMES)
def test_every_text_can_be_read_on_its_ground(theme: str) -> None:
    faint = {pair: contrast(THEMES[theme], *pair) for pair in PAIRS}

    assert {pair: value for pair, value in faint.items() if value < 4.5} == {}


@pytest.mark.parametrize("theme", THEMES)
def test_every_field_and_focus_can_be_seen(theme: str) -> None:
    faint = {pair: contrast(THEMES[theme], *pair) for pair in SHAPES}

    assert {pair: value for pair, value in faint.items() if value < 3} == {}


def test_colours_are_named_once() -> None:
    rest = STYLES[STYLES.index("/* What Bootstrap's own parts take") :]

    # The paper under a code to scan is white whatever the theme; the arrow of a list is a picture.
    assert set(re.findall(r"#[0-9a-f]{3,6}\b", rest)) <= {"#fff"}
    unknown = set(re.findall(r"var\(--([\w-]+)", rest)) - set(LIGHT)
    assert {name for name in unknown if not name.startswith("bs-")} == set()


def test_the_icons_that_are_listed_are_there(app: APIFlask) -> None:
    with app.test_request_context():
        parts = app.jinja_env.get_template("parts.html").module
        listed: list[str] = getattr(parts, "own_icons")  # noqa: B009
    drawn = re.findall(r'<symbol id="([\w-]+)"', (FOLDER / "static" / "icons.svg").read_text())

    assert listed == drawn


def test_every_icon_that_a_page_names_is_one_of_bootstraps(app: APIFlask) -> None:
    sprite = Path(app.blueprints["bootstrap"].static_folder or "")
    known = (sprite / "icons" / "bootstrap-icons.svg").read_text()
    named = set()
    for page in FOLDER.rglob("*.html"):
        text = page.read_text()
        named |= set(re.findall(r"icon\('([\w-]+)'", text) + re.findall(r"symbol='([\w-]+)'", text))

    assert len(named) > 10
    assert {name for name in named if f'id="{name}"' not in known} == set()


@pytest.mark.usefixtures("database")
@pytest.mark.parametrize("language", ["zh", "en"])
def test_every_component_can_be_shown(app: APIFlask, language: str) -> None:
    with app.test_request_context(f"/?lang={language}"):
        text = render_template("gallery.html")

    assert " style=" not in text
    assert text.count("<script") == text.count('<script src="/')
    assert len(set(re.findall(r' id="([\w-]+)"', text))) == len(re.findall(r' id="[\w-]+"', text))
