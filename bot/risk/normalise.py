"""Undo what Chinese writers do to a word so that a list of words does not find it.

The normal form of a text is that text without invisible characters, with one width, one case and
one script, without the signs that were put between the characters of a word, and with the usual
disguises (薇信, bao本, 亻呆本) put back. Each of its characters knows where it came from.
"""

import functools
import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

_BREAKS = frozenset("。！!？?；;，,、\n")
"""They end a clause: what stands on both sides of one is never read as one word."""
_KEPT = frozenset("%‰$￥¥€£°")
_MOST_SIGNS = 12
_MOST_PASSES = 16
_PLANES = (range(0x10000), range(0x1F000, 0x1FB00), range(0xE0000, 0xE0200))


def is_han(char: str) -> bool:
    return "\u4e00" <= char <= "\u9fff" or "\u3400" <= char <= "\u4dbf" or char >= "\U00020000"


@dataclass(frozen=True)
class Disguise:
    """A way of writing a word.

    Attributes:
        word: what is meant, in the normal form.
        suspicious: whether it is already odd to write the word so.
        before: what must stand directly before it, among six characters; None for anything.
        after: what must stand directly after it, among four characters; None for anything.
    """

    word: str
    suspicious: bool = True
    before: re.Pattern[str] | None = None
    after: re.Pattern[str] | None = None


@dataclass(frozen=True)
class Normal:
    """A normal form.

    Attributes:
        starts: of each of its characters, where its original begins; None when nothing moved.
        ends: of each of its characters, where its original ends.
    """

    text: str
    length: int
    starts: Sequence[int] | None = None
    ends: Sequence[int] | None = None

    def original(self, start: int, end: int) -> tuple[int, int]:
        """Return where the original of these characters stands."""
        if self.starts is None or self.ends is None or start >= end:
            return start, end
        return min(self.starts[start:end]), max(self.ends[start:end])


@functools.cache
def _simplified() -> Mapping[str, str]:
    """Return the simplified form of each traditional character, as OpenCC has it."""
    from opencc import OpenCC

    chars = [chr(one) for one in (*range(0x3400, 0x4DC0), *range(0x4E00, 0xA000))]
    found = OpenCC("t2s").convert("\n".join(chars)).split("\n")
    return {a: b for a, b in zip(chars, found, strict=True) if a != b and len(b) == 1}


def _is_invisible(char: str) -> bool:
    # Marks that are drawn onto the character before (U+0336 and the like) hide it from a list too.
    return unicodedata.category(char) in ("Cf", "Mn", "Me", "Cn") or char in "\u115f\u1160\u3164"


@functools.cache
def _fold_char(char: str) -> str:
    """Return one character as it is written plainly: one width, lower case, simplified."""
    if char == "\n":
        return char
    if _is_invisible(char):
        return ""
    plain = unicodedata.normalize("NFKC", char).lower()
    return "".join(
        _simplified().get(one, one) for one in plain if one == "\n" or not _is_invisible(one)
    )


def _is_sign(char: str) -> bool:
    if char in _BREAKS or char in _KEPT or char.isalnum():
        return False
    return char.isspace() or unicodedata.category(char)[0] in "PSZC"


@functools.cache
def _folding() -> tuple[str, re.Pattern[str]]:
    """Return a table for the characters that fold into one, and what finds all others."""
    table, odd = [], []
    for plane in _PLANES:
        for one in plane:
            char = chr(one)
            folded = char if 0xD800 <= one < 0xE000 else _fold_char(char)
            # A picture may stand for a word, which only the longer way looks up.
            if len(folded) != 1 or unicodedata.category(char) == "So":
                odd.append(one)
            if one < 0x10000:
                table.append(folded if len(folded) == 1 else char)
    return "".join(table), re.compile(f"[{_class_of(odd)}]")


def _class_of(points: Iterable[int]) -> str:
    """Return the inside of a class of characters for these code points."""
    spans: list[list[int]] = []
    for one in sorted(points):
        if spans and spans[-1][1] == one - 1:
            spans[-1][1] = one
        else:
            spans.append([one, one])
    return "".join(f"{re.escape(chr(a))}-{re.escape(chr(b))}" for a, b in spans)


@functools.cache
def _signs() -> re.Pattern[str]:
    points = (one for plane in _PLANES for one in plane if not 0xD800 <= one < 0xE000)
    signs = _class_of(one for one in points if _is_sign(chr(one)))
    return re.compile(f"[{signs}]{{1,{_MOST_SIGNS}}}|\\n")


def fold(text: str) -> str:
    """Return the text in one width, one case and one script; its words stay as they are written."""
    table, odd = _folding()
    if odd.search(text):
        return "".join(map(_fold_char, text))
    return text.translate(table)


@dataclass(frozen=True)
class Normaliser:
    """Makes normal forms.

    Attributes:
        disguises: of each way of writing, folded, what may be meant.
        harmless: longer words that stay as they are, though a disguise stands in them.
        pictures: words for emoji.
        syllables: pinyin that may be put together again when signs stand between.
    """

    disguises: Mapping[str, Sequence[Disguise]]
    harmless: frozenset[str] = frozenset()
    pictures: Mapping[str, str] = field(default_factory=dict)
    syllables: frozenset[str] = frozenset()
    _found: re.Pattern[str] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        words = sorted({*self.disguises, *self.harmless}, key=lambda one: (-len(one), one))
        object.__setattr__(self, "_found", _any_of(words))

    def quick(self, text: str) -> str | None:
        """Return the text folded, or None when signs or odd characters need more work than that.

        What is returned is the normal form if no way of writing of `disguises` stands in it.
        """
        table, odd = _folding()
        if odd.search(text):
            return None
        folded = text.translate(table)
        return None if _signs().search(folded) else folded

    def normal(self, text: str) -> Normal:
        """Return the normal form of a text; that of a normal form is the same text."""
        table, odd = _folding()
        if odd.search(text):
            pieces = self._folded(text)
        else:
            folded = text.translate(table)
            if not _signs().search(folded) and not self._found.search(folded):
                return Normal(folded, len(text))
            pieces = _Pieces(folded, range(len(text)), range(1, len(text) + 1))
        for _ in range(_MOST_PASSES):
            before = pieces.text
            pieces = self._joined(self._undisguised(pieces))
            if pieces.text == before:
                break
        return Normal(pieces.text, len(text), pieces.starts, pieces.ends)

    def _folded(self, text: str) -> "_Pieces":
        made, starts, ends = [], list[int](), list[int]()
        for at, char in enumerate(text):
            folded = self.pictures.get(char) or _fold_char(char)
            made.append(folded)
            starts += [at] * len(folded)
            ends += [at + 1] * len(folded)
        return _Pieces("".join(made), starts, ends)

    def _undisguised(self, pieces: "_Pieces") -> "_Pieces":
        made = _Making(pieces)
        text = pieces.text
        at = 0
        while found := self._found.search(text, at):
            written, start, end = found[0], found.start(), found.end()
            if written in self.harmless:
                at = end
                continue
            word = self._meant(written, text, start, end)
            if word is None:
                at = start + 1
                continue
            made.replace(start, end, word)
            at = end
        return made.done()

    def _meant(self, written: str, text: str, start: int, end: int) -> str | None:
        if written[0].isascii() and written[0].isalpha() and _letter(text, start - 1):
            return None
        if written[-1].isascii() and written[-1].isalpha() and _letter(text, end):
            return None
        for one in self.disguises[written]:
            if one.before is not None and not one.before.search(text[max(0, start - 6) : start]):
                continue
            if one.after is not None and not one.after.search(text[end : end + 4]):
                continue
            return one.word
        return None

    def _joined(self, pieces: "_Pieces") -> "_Pieces":
        made = _Making(pieces)
        text = pieces.text
        for found in _signs().finditer(text):
            start, end = found.start(), found.end()
            if start > 0 and end < len(text) and self._between(text, start, end):
                made.replace(start, end, "")
        return made.done()

    def _between(self, text: str, start: int, end: int) -> bool:
        """Tell whether the signs from start to end stand inside a word."""
        left, right = text[start - 1], text[end]
        if left in _BREAKS or right in _BREAKS or _is_sign(left) or _is_sign(right):
            return False
        if text[start] == "\n":
            # Written from top to bottom: one character on each line.
            return _alone(text, start, -1) and _alone(text, start, 1)
        if is_han(left) or is_han(right) or right in _KEPT:
            return True
        if not (_is_letter(left) and _is_letter(right)):
            return text[start:end].isspace()
        before, after = _run_back(text, start), _run_on(text, end)
        known = self.syllables
        return (len(before) == 1 or before in known) and (len(after) == 1 or after in known)


def _any_of(words: Sequence[str]) -> re.Pattern[str]:
    return re.compile("|".join(map(re.escape, words)) or r"(?!)")


def _is_letter(char: str) -> bool:
    return "a" <= char <= "z"


def _letter(text: str, at: int) -> bool:
    return 0 <= at < len(text) and _is_letter(text[at])


def _run_back(text: str, end: int) -> str:
    start = end
    while start and _is_letter(text[start - 1]):
        start -= 1
    return text[start:end]


def _run_on(text: str, start: int) -> str:
    end = start
    while end < len(text) and _is_letter(text[end]):
        end += 1
    return text[start:end]


def _alone(text: str, at: int, step: int) -> bool:
    """Tell whether one Han character alone stands on the line beside this break."""
    one, beyond = at + step, at + 2 * step
    outside = beyond < 0 or beyond >= len(text)
    return is_han(text[one]) and (outside or text[beyond] == "\n")


@dataclass(frozen=True)
class _Pieces:
    text: str
    starts: Sequence[int]
    ends: Sequence[int]


class _Making:
    """Puts a text together from parts of another one and words instead of the rest."""

    def __init__(self, pieces: _Pieces) -> None:
        self.pieces = pieces
        self.at = 0
        self.made: list[str] = []
        self.starts: list[int] = []
        self.ends: list[int] = []

    def replace(self, start: int, end: int, word: str) -> None:
        self._keep(start)
        self.made.append(word)
        self.starts += [self.pieces.starts[start]] * len(word)
        self.ends += [self.pieces.ends[end - 1]] * len(word)
        self.at = end

    def _keep(self, until: int) -> None:
        self.made.append(self.pieces.text[self.at : until])
        self.starts += self.pieces.starts[self.at : until]
        self.ends += self.pieces.ends[self.at : until]

    def done(self) -> _Pieces:
        if not self.made:
            return self.pieces
        self._keep(len(self.pieces.text))
        return _Pieces("".join(self.made), self.starts, self.ends)
