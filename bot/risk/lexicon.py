"""Find what the rules of a pack say in a message, in its context.

One automaton finds all terms, the words that expressions need, harmless longer words and disguises
in one pass; only expressions whose words are there are tried.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from ahocorasick_rs import AhoCorasick

from bot.risk.expressions import Expression
from bot.risk.normalise import Normal, fold
from bot.risk.packs import ANYONE, Guard, Pack, Rule

_BREAK = re.compile("[。!！?？;；\n,，]")
_QUOTED = re.compile(
    '“[^“”\n]{1,40}”|「[^「」\n]{1,40}」|『[^『』\n]{1,40}』|"[^"\n]{1,40}"|‘[^‘’\n]{1,40}’'
)
_MOST_MATCHES = 20
TOP = 100


@dataclass(frozen=True)
class Hit:
    """A rule that a message hits: where in its text as it was written, and with which score.

    Attributes:
        plain: the score that it would have if nothing had been disguised.
    """

    rule: str
    category: str
    start: int
    end: int
    score: int
    plain: int


@dataclass(frozen=True)
class Found:
    """What the lexicon found in one message: the best hit of each rule above 0.

    Attributes:
        guarded: scores of the categories whose hits all weighed nothing in their context.
    """

    hits: tuple[Hit, ...] = ()

    def scores(self) -> dict[str, int]:
        """Return the score of each category."""
        scores: dict[str, int] = {}
        for hit in self.hits:
            scores[hit.category] = max(scores.get(hit.category, 0), hit.score)
        return scores


_NOTHING = Found()


@dataclass(frozen=True)
class _Search:
    """A term or an expression of a rule."""

    rule: Rule
    term: str
    expression: Expression | None
    others: tuple[frozenset[int], ...]
    """Sets of words of which one each must be there too."""


class Lexicon:
    """The rules of a pack, ready to search. It keeps no state of messages: threads may share it."""

    def __init__(self, pack: Pack) -> None:
        self.pack = pack
        self._numbers: dict[str, int] = {}
        self._searches: list[_Search] = []
        begins: dict[int, list[int]] = {}
        for rule in pack.rules:
            for term in rule.terms:
                begins.setdefault(self._number(term), []).append(len(self._searches))
                self._searches.append(_Search(rule, term, None, ()))
            for one in rule.expressions:
                first, *others = [frozenset(map(self._number, words)) for words in one.needs]
                for number in first:
                    begins.setdefault(number, []).append(len(self._searches))
                self._searches.append(_Search(rule, "", one, tuple(others)))
        self._begins: Mapping[int, tuple[int, ...]] = {
            number: tuple(searches) for number, searches in begins.items()
        }
        self._harmless = frozenset(map(self._number, pack.harmless))
        self._disguises = frozenset(map(self._number, pack.normaliser.disguises))
        self._plain = {
            written: one.word
            for written, ways in pack.normaliser.disguises.items()
            for one in ways
            if not one.suspicious
        }
        self.words = list(self._numbers)
        self.automaton = AhoCorasick(self.words)

    def _number(self, word: str) -> int:
        return self._numbers.setdefault(word, len(self._numbers))

    def find(self, text: str, sender: str, normal: Normal | None = None) -> Found:
        """Return what the message hits.

        Args:
            sender: who wrote it, `staff` or `customer`.
            normal: its normal form, where that is known already.
        """
        folded = None if normal else self.pack.normaliser.quick(text)
        if folded is not None:
            found = self.automaton.find_matches_as_indexes(folded, overlapping=True)
            if not found:
                return _NOTHING
            numbers = {number for number, _, _ in found}
            if self._disguises.isdisjoint(numbers):
                normal = Normal(folded, len(text))
        if normal is None or folded is None:
            normal = normal or self.pack.normaliser.normal(text)
            found = self.automaton.find_matches_as_indexes(normal.text, overlapping=True)
            numbers = {number for number, _, _ in found}
        begins = self._begins
        candidates = {one for number in numbers if number in begins for one in begins[number]}
        if not candidates:
            return _NOTHING
        return self._judge(text, sender, normal, found, numbers, candidates)

    def _judge(
        self,
        text: str,
        sender: str,
        normal: Normal,
        found: Sequence[tuple[int, int, int]],
        numbers: set[int],
        candidates: Iterable[int],
    ) -> Found:
        context: _Context | None = None
        best: dict[str, Hit] = {}
        for number in sorted(candidates):
            search = self._searches[number]
            rule = search.rule
            if rule.sender not in (ANYONE, sender):
                continue
            if any(numbers.isdisjoint(words) for words in search.others):
                continue
            for start, end in self._spans(search, normal.text, found):
                if context is None:
                    harmless = [(a, b) for one, a, b in found if one in self._harmless]
                    context = _Context(text, sender, normal, harmless)
                if context.cuts_a_word(start, end, whole=search.expression is None):
                    continue
                first, last = normal.original(start, end)
                points = rule.points
                if self._hidden(search, text[first:last], normal.text[start:end]):
                    points = min(TOP, points + self.pack.evasion)
                less = sum(
                    context.effect(self.pack.guards[name], start, end) for name in rule.guards
                )
                points += less
                if points > 0 and (rule.id not in best or best[rule.id].score < points):
                    best[rule.id] = Hit(
                        rule.id, rule.category, first, last, points, max(0, rule.points + less)
                    )
        return Found(tuple(best.values())) if best else _NOTHING

    def _spans(
        self, search: _Search, text: str, found: Sequence[tuple[int, int, int]]
    ) -> Iterator[tuple[int, int]]:
        if search.expression is None:
            number = self._numbers[search.term]
            yield from ((start, end) for one, start, end in found if one == number)
            return
        for count, match in enumerate(search.expression.matcher.finditer(text)):
            if count == _MOST_MATCHES:
                return
            if match.end() > match.start():
                yield match.span()

    def _hidden(self, search: _Search, written: str, normal: str) -> bool:
        """Tell whether the words are found only because a disguise was undone."""
        if written == normal:
            return False
        plain = fold(written)
        for way, word in self._plain.items():
            plain = plain.replace(way, word)
        if search.expression is None:
            return search.term not in plain
        return search.expression.matcher.search(plain) is None


class _Context:
    """What stands around the hits of one message."""

    def __init__(
        self, text: str, sender: str, normal: Normal, harmless: Sequence[tuple[int, int]]
    ) -> None:
        self.sender = sender
        self.text = normal.text
        self.normal = normal
        self.harmless = harmless
        self.quoted = [match.span() for match in _QUOTED.finditer(text)]
        self._whole: dict[str, bool] = {}

    def cuts_a_word(self, start: int, end: int, whole: bool) -> bool:
        """Tell whether a hit is part of a harmless longer word.

        Args:
            whole: the hit is a term; an expression may well end inside another word.
        """
        for a, b in self.harmless:
            if (a <= start and end <= b) or a < start < b or (a <= start < b and end < b):
                return True
            if whole and a < end < b:
                return True
        return False

    def effect(self, guard: Guard, start: int, end: int) -> int:
        """Return what a guard adds to the score of a hit: 0, or less."""
        if guard.sender not in (ANYONE, self.sender):
            return 0
        return guard.effect if self._holds(guard, start, end) else 0

    def _holds(self, guard: Guard, start: int, end: int) -> bool:
        if guard.place == "message":
            return self._in_message(guard)
        if guard.place == "inside":
            return guard.words.search(self.text, start, end) is not None
        if guard.place == "quoted":
            first, last = self.normal.original(start, end)
            return any(a < first and last < b for a, b in self.quoted) and self._in_message(guard)
        if guard.place == "after":
            broken = _BREAK.search(self.text, end)
            until = broken.start() if broken and not guard.across else len(self.text)
            return guard.words.search(self.text[end : min(until, end + guard.window)]) is not None
        begin = 0 if guard.across else self._clause(start)
        before = self.text[begin:start]
        if guard.ignored is not None:
            before = guard.ignored.sub("", before)
        return guard.words.search(before[-guard.window :]) is not None

    def _in_message(self, guard: Guard) -> bool:
        if guard.name not in self._whole:
            self._whole[guard.name] = guard.words.search(self.text) is not None
        return self._whole[guard.name]

    def _clause(self, start: int) -> int:
        """Return where the clause of a hit begins."""
        at = start
        while at and not _BREAK.match(self.text[at - 1]):
            at -= 1
        return at
