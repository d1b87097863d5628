"""What may differ between installations, and the tables that compliance signs off."""

import tomllib
from functools import cache
from pathlib import Path
from typing import Any

RISK = Path(__file__).parent / "risk"
"""The rule pack: its files, the model trained for it, and the messages on which both are tried."""


@cache
def common_passwords() -> frozenset[str]:
    """Return the passwords and words of ``config/common_passwords.txt``."""
    text = (Path(__file__).parent / "common_passwords.txt").read_text(encoding="utf-8")
    return frozenset(line for line in text.splitlines() if line and not line.startswith("#"))


@cache
def table(name: str) -> dict[str, Any]:
    """Return ``config/<name>.toml``; callers must not change it.

    Raises:
        FileNotFoundError: there is no such table.
        tomllib.TOMLDecodeError: the file is not TOML.
    """
    return tomllib.loads(text(name))


def text(name: str) -> str:
    """Return ``config/<name>.toml`` as it is written.

    Raises:
        FileNotFoundError: there is no such table.
    """
    return (Path(__file__).parent / f"{name}.toml").read_text(encoding="utf-8")
