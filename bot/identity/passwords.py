"""Which passwords are guessed first."""

import re
from collections.abc import Collection, Iterable
from enum import StrEnum

SHORTEST = 12
# A shorter name stands in many words.
SHORTEST_NAME = 4
FEWEST_CHARACTERS = 5
ROWS = ("01234567890123456789", "abcdefghijklmnopqrstuvwxyz", "qwertyuiopasdfghjklzxcvbnm")
# What people write for letters.
INSTEAD = str.maketrans("013457@$!", "oieastasi")
_ENDS = re.compile(r"^[\W\d_]+|[\W\d_]+$")


class Weakness(StrEnum):
    """Why a password is not taken."""

    SHORT = "short"
    COMMON = "common"
    NAME = "name"


def weakness(password: str, names: Iterable[str], common: Collection[str]) -> Weakness | None:
    """Say why a password would be guessed; None: it is good enough.

    Args:
        names: what its owner is called, as everybody knows.
        common: passwords that many use and the words they are made of, in small letters.
    """
    if len(password) < SHORTEST:
        return Weakness.SHORT
    text = password.casefold()
    cores = {core(text), core(text).translate(INSTEAD), core(text.translate(INSTEAD))}
    known = [name.casefold() for name in names if name]
    if any(name in cores or (len(name) >= SHORTEST_NAME and name in text) for name in known):
        return Weakness.NAME
    units = {text, repeated(text), *cores, *map(repeated, cores)}
    is_common = (
        len(set(text)) < FEWEST_CHARACTERS
        or text.isdecimal()
        or any(unit in common or core(unit) in common for unit in units)
        or any(unit in row or unit in row[::-1] for unit in units if unit for row in ROWS)
    )
    return Weakness.COMMON if is_common else None


def core(text: str) -> str:
    """A text without the digits and signs around it: ``!password2024`` is ``password``."""
    return _ENDS.sub("", text)


def repeated(text: str) -> str:
    """What a text says again and again, or the text itself."""
    for length in range(1, len(text) // 2 + 1):
        if text == (text[:length] * (len(text) // length + 1))[: len(text)]:
            return text[:length]
    return text
