"""Text that databases, XML and spreadsheets take; what one of them refuses is marked."""

import re

# What people see where something could not be read.
MARK = "\ufffd"
# Control characters but tab and line ends, halves of a character, and what is none.
_ILLEGIBLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")


def is_legible(text: str) -> bool:
    return _ILLEGIBLE.search(text) is None


def legible(text: str) -> str:
    """Return the text with a mark in the place of each character that could not be kept."""
    return _ILLEGIBLE.sub(MARK, text)
