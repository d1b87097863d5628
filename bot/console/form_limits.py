"""How much may be typed into a field of a form, or stand in an address: one table for all."""

from collections.abc import Mapping

from flask import request
from werkzeug.datastructures import MultiDict

# Names, accounts, filters, codes: whatever has no line of its own below.
USUAL = 600
CHARACTERS: Mapping[str, int] = {
    "reason": 1000,
    "other": 200,
    # Several people, or several qualifications, in one line.
    "successors": 4_000,
    "licences": 20_000,
    "skills": 8_000,
    "availability": 60_000,
    # A whole set of rules.
    "body": 262_144,
    # Addresses of ours that lead back, and what a form showed when it was opened.
    "next": 8_000,
    "url": 8_000,
    "shown": 200_000,
}
# Of the fields that may come several times, as ticks do.
USUAL_VALUES = 1_000
VALUES: Mapping[str, int] = {"external_userid": 100}


class TooMuch(Exception):
    """A field holds more than it may: ``given`` characters or values of at most ``most``."""

    def __init__(self, name: str, given: int, most: int) -> None:
        super().__init__(name)
        self.name, self.given, self.most = name, given, most


def longest(name: str) -> int:
    """Return how many characters a field takes, for the browser as well."""
    return CHARACTERS.get(name, USUAL)


def check() -> None:
    """Refuse a request of which one field holds too much.

    Raises:
        TooMuch: nothing was done.
    """
    for given in (request.args, request.form):
        _check(given)


def _check(given: MultiDict[str, str]) -> None:
    for name, values in given.lists():
        most = VALUES.get(name, USUAL_VALUES)
        if len(values) > most:
            raise TooMuch(name, len(values), most)
        for value in values:
            if len(value) > longest(name):
                raise TooMuch(name, len(value), longest(name))
