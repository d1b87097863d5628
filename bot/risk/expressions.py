"""Expressions of a rule pack: a small part of regular expressions, checked before it is used.

Whoever writes a rule may not bring a server to a halt, so nothing is allowed here that can take
more than linear work on a message: no look-around, no back-references, no repeat without an end
inside another repeat (the part that RE2 knows, and less). Each expression also tells which words
a match must contain, so that it is tried on the few messages alone that have them.
"""

import re
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from itertools import product

LONGEST = 4_000
MOST_REPEATS = 64
"""The product of nested repeats: what `(?:a{0,8}){0,8}` asks for."""
_MOST_WORDS = 96
_MOST_IN_CLASS = 12
_ESCAPES = {"t": "\t", "n": "\n"}
_KINDS = frozenset("dDsSwW")
_SPECIAL = frozenset("\\.^$|?*+()[]{}")
_COMMON = frozenset("的了是我你您他她不一有就在人这那个到来去也都可以要会能没说看好给做")
"""Characters that stand in nearly every message: as a needed word they sort out little."""

Words = frozenset[str]


class BadExpression(ValueError):
    """The expression uses what is not allowed; the text says what and where."""

    def __init__(self, code: str, at: int, what: str = "") -> None:
        super().__init__(f"{code} at {at}: {what}" if what else f"{code} at {at}")
        self.code = code
        self.at = at
        self.what = what


@dataclass(frozen=True)
class Expression:
    """A checked expression.

    Attributes:
        needs: sets of words; a text that matches has at least one word of each set.
    """

    pattern: str
    matcher: re.Pattern[str]
    needs: tuple[Words, ...]


@dataclass(frozen=True)
class _Part:
    """What a part can be (None: too many words to list), and which words it needs."""

    exact: Words | None
    needs: tuple[Words, ...]
    repeats: int = 1


def read(pattern: str) -> Expression:
    """Check an expression.

    Raises:
        BadExpression: it is empty, too long, not well formed, uses what is not allowed, or needs no
            word at all, so that it would be tried on every message.
    """
    if not pattern:
        raise BadExpression("empty", 0)
    if len(pattern) > LONGEST:
        raise BadExpression("too_long", 0, str(LONGEST))
    part = _Reader(pattern).read()
    needs = _flush(part)
    if not needs:
        raise BadExpression("needs_no_word", 0)
    matcher = re.compile(pattern)
    if matcher.match(""):
        raise BadExpression("matches_nothing", 0)
    return Expression(pattern, matcher, tuple(sorted(needs, key=_cost)[:3]))


def _cost(words: AbstractSet[str]) -> float:
    """Estimate how many messages have one of these words: few, rare and long ones are best."""
    return sum(_cost_of(word) for word in words)


def _cost_of(word: str) -> float:
    if len(word) == 1:
        return 8.0 if word in _COMMON or word.isascii() else 1.0
    return 0.1 if len(word) == 2 else 0.02


def _shortest(words: Words) -> Words:
    """Leave out each word that contains another one."""
    kept: list[str] = []
    for word in sorted(words, key=len):
        if not any(other in word for other in kept):
            kept.append(word)
    return frozenset(kept)


def _flush(part: _Part) -> tuple[Words, ...]:
    if part.exact is None or "" in part.exact:
        return part.needs
    return (*part.needs, _shortest(part.exact))


class _Reader:
    """A recursive descent over the pattern."""

    def __init__(self, pattern: str) -> None:
        self.pattern = pattern
        self.at = 0

    def read(self) -> _Part:
        part = self._either()
        if self.at < len(self.pattern):
            raise BadExpression("unbalanced", self.at, self.pattern[self.at])
        return part

    def _peek(self) -> str:
        return self.pattern[self.at] if self.at < len(self.pattern) else ""

    def _either(self) -> _Part:
        branches = [self._sequence()]
        while self._peek() == "|":
            self.at += 1
            branches.append(self._sequence())
        if len(branches) == 1:
            return branches[0]
        repeats = max(one.repeats for one in branches)
        if all(one.exact is not None for one in branches):
            words = frozenset[str]().union(*(one.exact or frozenset() for one in branches))
            if len(words) <= _MOST_WORDS * 4:
                return _Part(words, (), repeats)
        best: Words = frozenset()
        for one in branches:
            needs = _flush(one)
            if not needs:
                return _Part(None, (), repeats)
            best |= min(needs, key=_cost)
        return _Part(None, (_shortest(best),), repeats)

    def _sequence(self) -> _Part:
        exact: Words | None = frozenset({""})
        needs: list[Words] = []
        repeats = 1
        while self._peek() not in ("", "|", ")"):
            part = self._repeated()
            repeats = max(repeats, part.repeats)
            if part.exact is None:
                if exact is not None and "" not in exact:
                    needs.append(_shortest(exact))
                needs += part.needs
                exact = None
            elif exact is None:
                # What stood before was not exact; a new run of exact parts begins.
                exact = part.exact
            elif len(exact) * len(part.exact) <= _MOST_WORDS:
                exact = frozenset(a + b for a, b in product(exact, part.exact))
            else:
                if "" not in exact:
                    needs.append(_shortest(exact))
                exact = part.exact
            if part.exact is None and not needs and exact is None:
                continue
        if needs or exact is None:
            whole = _Part(exact, tuple(needs), repeats)
            return _Part(None, _flush(whole), repeats)
        return _Part(exact, (), repeats)

    def _repeated(self) -> _Part:
        began = self.at
        part = self._atom()
        sign = self._peek()
        if sign in ("?", "*", "+"):
            self.at += 1
            least, most = (0, 1) if sign == "?" else (0 if sign == "*" else 1, MOST_REPEATS)
        elif sign == "{":
            least, most = self._bounds()
        else:
            return part
        if self._peek() and self._peek() in "?*+{":
            raise BadExpression("double_repeat", self.at, self._peek())
        repeats = part.repeats * max(most, 1)
        if (sign in ("*", "+") and part.repeats > 1) or repeats > MOST_REPEATS:
            raise BadExpression("nested_repeat", began, self.pattern[began : self.at])
        if (least, most) == (0, 1):
            exact = None if part.exact is None else part.exact | {""}
            return _Part(exact, (), repeats)
        if least == most == 1:
            return part
        return _Part(None, _flush(part) if least else (), repeats)

    def _bounds(self) -> tuple[int, int]:
        found = re.compile(r"\{(\d{1,3})(,(\d{1,3}))?\}").match(self.pattern, self.at)
        if not found:
            raise BadExpression("bad_repeat", self.at, self.pattern[self.at : self.at + 8])
        least = int(found[1])
        most = int(found[3]) if found[2] else least
        if least > most or most > MOST_REPEATS:
            raise BadExpression("bad_repeat", self.at, found[0])
        self.at = found.end()
        return least, most

    def _atom(self) -> _Part:
        char, began = self._peek(), self.at
        if char == "(":
            if not self.pattern.startswith("(?:", self.at):
                raise BadExpression("group", self.at, self.pattern[self.at : self.at + 4])
            self.at += 3
            part = self._either()
            if self._peek() != ")":
                raise BadExpression("unbalanced", began, "(")
            self.at += 1
            return part
        if char == "[":
            return self._class()
        if char == "\\":
            word = self._escape()
            return _Part(None if word is None else frozenset({word}), ())
        self.at += 1
        if char == ".":
            return _Part(None, ())
        if char in "^$":
            return _Part(frozenset({""}), ())
        if char in "?*+{})]":
            raise BadExpression("unbalanced", began, char)
        return _Part(frozenset({char}), ())

    def _escape(self) -> str | None:
        """Read an escape: the character that it means, or None for a kind of characters."""
        began = self.at
        letter = self.pattern[began + 1 : began + 2]
        self.at += 2
        if letter in _KINDS and letter:
            return None
        if letter in _ESCAPES:
            return _ESCAPES[letter]
        if not letter or letter.isalnum():
            raise BadExpression("escape", began, "\\" + letter)
        return letter

    def _class(self) -> _Part:
        began = self.at
        self.at += 1
        negated = self._peek() == "^"
        self.at += negated
        chars: set[str] = set()
        known = not negated
        first = True
        while self._peek() != "]" or first:
            char = self._peek()
            if not char:
                raise BadExpression("unbalanced", began, "[")
            if char == "[":
                raise BadExpression("class", self.at, char)
            if char == "\\":
                word = self._escape()
                known = known and word is not None
                chars.add(word or "")
            else:
                self.at += 1
                if self._peek() == "-" and self.pattern[self.at + 1 : self.at + 2] not in ("]", ""):
                    last = self.pattern[self.at + 1]
                    if last == "\\" or last < char:
                        raise BadExpression("class", self.at, char + "-" + last)
                    self.at += 2
                    if ord(last) - ord(char) > _MOST_IN_CLASS:
                        known = False
                    else:
                        chars.update(chr(one) for one in range(ord(char), ord(last) + 1))
                else:
                    chars.add(char)
            first = False
        self.at += 1
        if not known or len(chars) > _MOST_IN_CLASS:
            return _Part(None, ())
        return _Part(frozenset(chars), ())
