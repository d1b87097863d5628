"""What a state, a kind or a code is called by people, and its tone."""

from typing import NamedTuple

from flask_babel import LazyString

GOOD, BUSY, BAD, WARN, QUIET = "good", "busy", "bad", "warn", "quiet"


class Word(NamedTuple):
    text: LazyString
    tone: str
