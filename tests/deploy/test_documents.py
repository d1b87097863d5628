"""The installation's documents name only settings, switches and files that exist."""

import re
from dataclasses import fields
from pathlib import Path

import pytest

from bot.sandbox.state import App
from bot.sandbox.switches import Switches
from config.settings import PREFIX, Settings

DOCS = Path(__file__).resolve().parents[2] / "docs"
PAGES = ("installation.md", "test-corporation.md")


@pytest.mark.parametrize("page", PAGES)
def test_the_settings_exist(page: str) -> None:
    text = (DOCS / page).read_text()
    known = {PREFIX + name.upper() for name in Settings.model_fields}
    known |= {f"{name}_FILE" for name in known}

    named = set(re.findall(r"KEGUI_[A-Z_]+[A-Z]", text))

    assert named
    assert named - known <= {"KEGUI_CONTACTS_CALLBACK"}


@pytest.mark.parametrize("page", PAGES)
def test_the_linked_files_exist(page: str) -> None:
    text = (DOCS / page).read_text()

    for link in re.findall(r"\]\(([^)#]+)\)", text):
        assert (DOCS / link).exists(), link


def test_the_switches_of_the_test_corporation_exist() -> None:
    text = (DOCS / "test-corporation.md").read_text()
    known = {one.name for one in fields(Switches)} | {one.name for one in fields(App)}
    cells = [line.rsplit("|", 2)[1] for line in text.splitlines() if line.startswith("|")]

    named = {name for cell in cells for name in re.findall(r"`([a-z_0-9]+)`", cell)}

    assert len(named) > 25
    assert named <= known


@pytest.mark.parametrize("page", ["docs/adding.md", "CONTRIBUTING.md"])
def test_the_files_to_copy_exist(page: str) -> None:
    text = (DOCS.parent / page).read_text()

    # NAME stands for what somebody adds.
    named = [one for one in re.findall(r"`((?:[\w.-]+/)+[\w.-]*)`", text) if "NAME" not in one]

    assert len(named) > 1 if page == "CONTRIBUTING.md" else len(named) > 15
    assert [one for one in named if not (DOCS.parent / one).exists()] == []
