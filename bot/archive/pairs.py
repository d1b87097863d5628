"""Which pairs of characters a text has, as keyed numbers: what is searched when the text is sealed.

Both a text and what is looked for are normalised: full width, case, traditional characters as
simplified ones. docs/security.md says what the numbers give away.
"""

import hashlib
import hmac
import unicodedata
from collections.abc import Iterable
from functools import cache
from itertools import pairwise

# What is remembered of pairs; speech has a few ten thousand of them.
MOST_KNOWN = 200_000
# A message of 50 KB has so many pairs that it would be found by anything.
MOST_PAIRS = 4096
FEWEST_CHARACTERS = 2


class _Table(dict[int, str]):
    """Each character as it is compared, found at its first use."""

    def __missing__(self, code: int) -> str:
        found = unicodedata.normalize("NFKC", chr(code)).casefold()
        simple = _simplified()
        found = "".join(simple.get(one, one) for one in found)
        # What is blank in one script is blank in another.
        self[code] = "".join(" " if one.isspace() else one for one in found)
        return self[code]


@cache
def _simplified() -> dict[str, str]:
    """Traditional characters by themselves; of what needs its neighbours, the likeliest form."""
    from opencc import OpenCC

    convert = OpenCC("t2s").convert
    blocks = (range(0x3400, 0x4DC0), range(0x4E00, 0xA000), range(0xF900, 0xFB00))
    every = [chr(code) for block in blocks for code in block]
    found = {one: convert(one) for one in every}
    return {one: other for one, other in found.items() if one != other and len(other) == 1}


_TABLE = _Table()


def normalised(text: str) -> str:
    """Return a text as it is compared."""
    return text.translate(_TABLE)


def with_places(text: str) -> tuple[str, list[int]]:
    """Return a text as it is compared, and of each of its characters the place in the original."""
    parts = [_TABLE[ord(one)] for one in text]
    places = [place for place, part in enumerate(parts) for _ in part]
    return "".join(parts), places


def words_of(query: str) -> list[str]:
    """Return what is looked for, word by word, as it is compared."""
    return normalised(query).split()


def pairs_of(text: str) -> set[str]:
    """Return the pairs of neighbours in a normalised text, none of them over a blank."""
    found = {one + other for one, other in pairwise(text)}
    return {pair for pair in found if " " not in pair}


def highlights(text: str, words: Iterable[str]) -> list[tuple[int, int]] | None:
    """Return where the words stand, from and up to which character, those that meet as one.

    None: one of them is not there; its pairs were, in another order.
    """
    plain, places = with_places(text)
    found: list[tuple[int, int]] = []
    for word in words:
        at = plain.find(word)
        if at < 0:
            return None
        while at >= 0:
            found.append((places[at], places[at + len(word) - 1] + 1))
            at = plain.find(word, at + len(word))
    merged: list[tuple[int, int]] = []
    for start, end in sorted(found):
        if merged and start <= merged[-1][1]:
            merged[-1] = merged[-1][0], max(merged[-1][1], end)
        else:
            merged.append((start, end))
    return merged


class Pairs:
    """Makes numbers of pairs under one key.

    Args:
        key: 32 bytes that outlive every change of the master key.
    """

    def __init__(self, key: bytes) -> None:
        self._key = key
        self._known: dict[str, int] = {}

    def of_text(self, text: str) -> list[int]:
        """Return the numbers of a text that is stored."""
        return self._numbers(sorted(pairs_of(normalised(text)))[:MOST_PAIRS])

    def of_words(self, words: Iterable[str]) -> list[int]:
        """Return the numbers that a text with all of these words has."""
        return self._numbers(set().union(*(pairs_of(word) for word in words)))

    def _numbers(self, pairs: Iterable[str]) -> list[int]:
        known = self._known
        if len(known) > MOST_KNOWN:
            known.clear()
        found = set()
        for pair in pairs:
            number = known.get(pair)
            if number is None:
                digest = hmac.new(self._key, pair.encode("utf-8", "replace"), hashlib.sha256)
                number = int.from_bytes(digest.digest()[:4], "big", signed=True)
                known[pair] = number
            found.add(number)
        return sorted(found)


def as_word(number: int) -> str:
    """Return a number as SQLite's index has it."""
    return f"{number & 0xFFFFFFFF:08x}"
