"""Read a rule pack: a folder of YAML files, one category a file.

The field names are Sigma's (title, id, description, references, level, detection, falsepositives)
where they mean the same. `pack.yaml` has the scores, the guards and the bars; `disguises.yaml` the
ways of writing that hide a word, and the longer words that are harmless.
"""

import itertools
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bot.risk import expressions
from bot.risk.expressions import BadExpression, Expression
from bot.risk.located import BadYaml, Fault, Items, Table
from bot.risk.located import read as read_yaml
from bot.risk.normalise import Disguise, Normaliser, fold

PACK, DISGUISES = "pack.yaml", "disguises.yaml"
LEVELS = ("critical", "high", "medium", "low")
SENDERS = ("staff", "customer")
ANYONE = "any"
PLACES = ("before", "inside", "after", "message", "quoted")
LAYERS = ("lexicon", "semantic", "all")
LONGEST_BODY = 1024 * 1024
LONGEST_TERM = 64
_ID = re.compile(r"[a-z][a-z0-9_]*(\.[a-z0-9_]+)?")


@dataclass(frozen=True)
class Guard:
    """What around a hit makes it weigh less.

    Attributes:
        place: before, inside or after the hit, anywhere in the message, or quoted: the hit stands
            in quotation marks and the message has the words.
        effect: what it adds to the score; never above 0.
        window: characters before or after the hit that are looked at, of its own clause; of the
            whole message where `across` is true.
        ignored: what is taken out before it is looked for.
        sender: the side of whose messages alone it counts.
    """

    name: str
    place: str
    effect: int
    words: re.Pattern[str]
    window: int = 0
    across: bool = False
    ignored: re.Pattern[str] | None = None
    sender: str = ANYONE


@dataclass(frozen=True)
class Example:
    """A sentence that a rule must hit, or must not."""

    text: str
    sender: str
    line: int


@dataclass(frozen=True)
class Rule:
    """One way of saying what a category forbids."""

    id: str
    category: str
    title: str
    points: int
    sender: str
    guards: tuple[str, ...]
    terms: tuple[str, ...]
    expressions: tuple[Expression, ...]
    hits: tuple[Example, ...]
    misses: tuple[Example, ...]
    file: str
    line: int


@dataclass(frozen=True)
class Bars:
    """What a layer must reach on the corpora, as shares; `chat` is the most that may be flagged."""

    precision: float = 0.0
    recall: float = 0.0
    chat: float = 1.0


@dataclass(frozen=True)
class Pack:
    """A rule pack as it is read."""

    version: str
    threshold: int
    evasion: int
    several: int
    categories: Mapping[str, str]
    guards: Mapping[str, Guard]
    rules: tuple[Rule, ...]
    normaliser: Normaliser
    harmless: frozenset[str]
    bars: Mapping[str, Bars] = field(default_factory=dict)


class Faulty(ValueError):
    """The pack cannot be used; `faults` say why."""

    def __init__(self, faults: list[Fault]) -> None:
        super().__init__(f"{len(faults)} faults in the rule pack")
        self.faults = faults


def load(folder: Path) -> Pack:
    """Read the pack of a folder.

    Raises:
        Faulty: something is wrong with it.
    """
    bodies, faults = {}, []
    for path in sorted(folder.glob("*.yaml")):
        try:
            bodies[path.name] = path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            faults.append(Fault(path.name, 1, "not_utf8"))
    found, more = read(bodies)
    if found is None or faults:
        raise Faulty(faults + more)
    return found


def read(bodies: Mapping[str, str]) -> tuple[Pack | None, list[Fault]]:
    """Read a pack from the texts of its files; no pack where something is wrong."""
    reader = _Reader()
    pack = reader.read(bodies)
    faults = sorted(reader.faults, key=lambda one: (one.file, one.line))
    return (None if faults else pack), faults


class _Reader:
    """Reads all that it can, and notes each fault."""

    def __init__(self) -> None:
        self.faults: list[Fault] = []
        self.file = ""
        self.guards: dict[str, Guard] = {}
        self.points: dict[str, int] = {}
        self.rules: dict[str, Rule] = {}
        self.titles: dict[str, str] = {}

    def _fault(self, line: int, code: str, **facts: Any) -> None:
        self.faults.append(Fault(self.file, line, code, facts))

    def read(self, bodies: Mapping[str, str]) -> Pack | None:
        for name in (PACK, DISGUISES):
            if name not in bodies:
                self.faults.append(Fault(name, 1, "missing_file"))
        if self.faults:
            return None
        top, hidden = self._table(PACK, bodies[PACK]), self._table(DISGUISES, bodies[DISGUISES])
        self.file = PACK
        scoring = self._scoring(top)
        bars = {layer: self._bars(layer, one) for layer, one in self._of(top, "bars").items()}
        version = self._text(top, "version")
        self._keys(top, {"version", "title", "description", "scoring", "guards", "bars"})
        for name, one in self._of(top, "guards").items():
            guard = self._guard(name, one, self._of(top, "guards").lines[name])
            if guard:
                self.guards[name] = guard
        self.file = DISGUISES
        normaliser = self._normaliser(hidden)
        for name in sorted(set(bodies) - {PACK, DISGUISES}):
            self._category(name, self._table(name, bodies[name]))
        if not self.rules and not self.faults:
            self.faults.append(Fault(PACK, 1, "no_rules"))
        return Pack(
            version=version,
            threshold=scoring["threshold"],
            evasion=scoring["evasion"],
            several=scoring["several"],
            categories=self.titles,
            guards=self.guards,
            rules=tuple(self.rules.values()),
            normaliser=normaliser,
            harmless=normaliser.harmless,
            bars=bars,
        )

    def _table(self, name: str, body: str) -> Table:
        self.file = name
        empty = Table()
        empty.line, empty.lines = 1, {}
        if len(body.encode()) > LONGEST_BODY:
            self._fault(1, "too_long", most=LONGEST_BODY)
            return empty
        try:
            found = read_yaml(body)
        except BadYaml as error:
            self._fault(error.line, error.code, **error.facts)
            return empty
        if not isinstance(found, Table):
            self._fault(1, "no_mapping")
            return empty
        return found

    def _keys(self, table: Table, known: set[str]) -> None:
        for key, line in table.lines.items():
            if key not in known:
                self._fault(line, "unknown_key", key=key)

    def _of(self, table: Table, key: str) -> Table:
        found = table.get(key)
        if isinstance(found, Table):
            return found
        if found is not None:
            self._fault(table.lines[key], "bad_mapping", key=key)
        empty = Table()
        empty.line, empty.lines = table.line, {}
        return empty

    def _text(self, table: Table, key: str, needed: bool = True) -> str:
        found = table.get(key)
        if isinstance(found, str) and found.strip():
            return found
        if needed or found is not None:
            self._fault(table.lines.get(key, table.line), "bad_text", key=key)
        return ""

    def _texts(self, table: Table, key: str) -> list[tuple[str, int]]:
        found = table.get(key)
        if found is None:
            return []
        if not isinstance(found, Items):
            self._fault(table.lines[key], "bad_texts", key=key)
            return []
        texts = []
        for one, line in zip(found, found.lines, strict=True):
            if isinstance(one, str) and one.strip():
                texts.append((one, line))
            else:
                self._fault(line, "bad_texts", key=key)
        return texts

    def _number(self, table: Table, key: str, least: int, most: int, default: int) -> int:
        found = table.get(key, default)
        if isinstance(found, bool) or not isinstance(found, int) or not least <= found <= most:
            self._fault(table.lines[key], "bad_number", key=key, least=least, most=most)
            return default
        return found

    def _choice(self, table: Table, key: str, known: Iterable[str], default: str) -> str:
        found = table.get(key, default)
        if found not in known:
            line = table.lines.get(key, table.line)
            self._fault(line, "bad_choice", key=key, value=str(found), known=", ".join(known))
            return ""
        return str(found)

    def _scoring(self, top: Table) -> dict[str, int]:
        table = self._of(top, "scoring")
        self._keys(table, {"levels", "threshold", "evasion", "several"})
        levels = self._of(table, "levels")
        self._keys(levels, set(LEVELS))
        for level in LEVELS:
            if level not in levels:
                self._fault(levels.line, "no_level", level=level)
            self.points[level] = self._number(levels, level, 1, 100, 50)
        return {
            "threshold": self._number(table, "threshold", 1, 100, 30),
            "evasion": self._number(table, "evasion", 0, 100, 0),
            "several": self._number(table, "several", 0, 100, 0),
        }

    def _bars(self, layer: str, table: Any) -> Bars:
        if layer not in LAYERS or not isinstance(table, Table):
            self._fault(getattr(table, "line", 1), "bad_bars", layer=layer)
            return Bars()
        self._keys(table, {"precision", "recall", "chat"})
        shares = {}
        for key in ("precision", "recall", "chat"):
            share = table.get(key, 1.0 if key == "chat" else 0.0)
            if isinstance(share, bool) or not isinstance(share, int | float) or not 0 <= share <= 1:
                self._fault(table.lines[key], "bad_share", key=key)
                share = 0.0
            shares[key] = float(share)
        return Bars(**shares)

    def _pattern(self, line: int, pattern: Any, needs_word: bool = True) -> Expression | None:
        if not isinstance(pattern, str):
            self._fault(line, "bad_text", key="expression")
            return None
        try:
            found = expressions.read(pattern)
        except BadExpression as error:
            if error.code in ("needs_no_word", "matches_nothing") and not needs_word:
                return Expression(pattern, re.compile(pattern), ())
            self._fault(
                line, "bad_expression", why=error.code, at=error.at + 1, what=error.what[:40]
            )
            return None
        if fold(pattern).casefold() != pattern.casefold():
            # The text is folded before it is searched, so such a character would never be found.
            at = next(at for at, one in enumerate(pattern) if fold(one) != one.lower())
            self._fault(line, "not_folded", what=pattern[at], folded=fold(pattern[at]))
            return None
        return found

    def _guard(self, name: str, table: Any, line: int) -> Guard | None:
        if not isinstance(table, Table):
            self._fault(line, "bad_mapping", key=name)
            return None
        known = {"description", "place", "effect", "words", "window", "across", "ignored", "sender"}
        self._keys(table, known)
        place = self._choice(table, "place", PLACES, "message")
        sender = self._choice(table, "sender", (*SENDERS, ANYONE), ANYONE)
        words = self._pattern(table.lines.get("words", line), table.get("words"), needs_word=False)
        ignored = None
        if "ignored" in table:
            ignored = self._pattern(table.lines["ignored"], table["ignored"], needs_word=False)
        if "effect" not in table:
            self._fault(line, "no_effect", name=name)
        effect = self._number(table, "effect", -100, 0, 0)
        window = self._number(table, "window", 1, 200, 14)
        across = table.get("across", False)
        if not isinstance(across, bool):
            self._fault(table.lines["across"], "bad_flag", key="across")
        if words is None:
            return None
        return Guard(
            name=name,
            place=place,
            effect=effect,
            words=words.matcher,
            window=window,
            across=bool(across),
            ignored=ignored.matcher if ignored else None,
            sender=sender,
        )

    def _normaliser(self, table: Table) -> Normaliser:
        self._keys(table, {"pictures", "syllables", "words", "ways", "harmless"})
        pictures = {}
        for picture, word in self._of(table, "pictures").items():
            if len(picture) == 1 and isinstance(word, str) and word:
                pictures[picture] = word
            else:
                line = self._of(table, "pictures").lines[picture]
                self._fault(line, "bad_picture", what=picture)
        syllables: dict[str, str] = {}
        for syllable, chars in self._of(table, "syllables").items():
            if not isinstance(chars, str) or not re.fullmatch("[a-z]+", syllable):
                line = self._of(table, "syllables").lines[syllable]
                self._fault(line, "bad_syllable", what=syllable)
                continue
            syllables.update(dict.fromkeys(chars, syllable))
        ways: dict[str, list[Disguise]] = {}
        for word, line in self._texts(table, "words"):
            missing = [char for char in word if char not in syllables]
            if missing:
                self._fault(line, "no_syllable", what="".join(missing), word=word)
                continue
            for written in _in_pinyin(word, syllables):
                ways.setdefault(written, []).append(Disguise(word))
        for one, line in _items(table.get("ways")):
            self._ways(one, line, ways)
        harmless = frozenset(fold(word) for word, _ in self._texts(table, "harmless"))
        return Normaliser(ways, harmless, pictures, frozenset(syllables.values()))

    def _ways(self, table: Any, line: int, ways: dict[str, list[Disguise]]) -> None:
        if not isinstance(table, Table):
            self._fault(line, "bad_mapping", key="ways")
            return
        self._keys(table, {"word", "written", "suspicious", "before", "after"})
        word = fold(self._text(table, "word"))
        around: dict[str, re.Pattern[str] | None] = {"before": None, "after": None}
        for key in around:
            if key in table:
                found = self._pattern(table.lines[key], table[key], needs_word=False)
                around[key] = found.matcher if found else None
        suspicious = table.get("suspicious", True) is True
        written = self._texts(table, "written")
        if not written:
            self._fault(line, "bad_texts", key="written")
        for one, at in written:
            if fold(one) == word:
                self._fault(at, "same_word", word=word)
                continue
            disguise = Disguise(word, suspicious, around["before"], around["after"])
            ways.setdefault(fold(one), []).append(disguise)

    def _category(self, name: str, table: Table) -> None:
        if not table:
            return
        known = {
            "category",
            "title",
            "title_en",
            "description",
            "references",
            "level",
            "sender",
            "guards",
            "rules",
        }
        self._keys(table, known)
        category = self._text(table, "category")
        if category != name.removesuffix(".yaml"):
            self._fault(table.lines.get("category", 1), "wrong_category", file=name)
        self.titles[category] = self._text(table, "title")
        self._text(table, "title_en")
        for one, line in _items(table.get("rules")):
            if isinstance(one, Table):
                self._rule(category, one, table)
            else:
                self._fault(line, "bad_mapping", key="rules")
        if not _items(table.get("rules")):
            self._fault(table.line, "no_rules")

    def _rule(self, category: str, table: Table, above: Table) -> None:
        known = {
            "id",
            "title",
            "description",
            "status",
            "author",
            "date",
            "modified",
            "references",
            "tags",
            "falsepositives",
            "level",
            "sender",
            "guards",
            "detection",
            "examples",
        }
        self._keys(table, known)
        rule_id = self._text(table, "id")
        line = table.lines.get("id", table.line)
        if not _ID.fullmatch(rule_id) or not rule_id.startswith(category + "."):
            self._fault(line, "bad_id", id=rule_id, category=category)
        elif rule_id in self.rules:
            first = self.rules[rule_id]
            self._fault(line, "id_twice", id=rule_id, file=first.file, first=first.line)
        level = self._choice(table if "level" in table else above, "level", LEVELS, "")
        sender = self._choice(
            table if "sender" in table else above, "sender", (*SENDERS, ANYONE), ANYONE
        )
        guards = self._texts(table if "guards" in table else above, "guards")
        for guard, at in guards:
            if guard not in self.guards:
                self._fault(at, "unknown_guard", guard=guard)
        detection = self._of(table, "detection")
        self._keys(detection, {"terms", "expressions"})
        terms = [self._term(one, at) for one, at in self._texts(detection, "terms")]
        patterns = [self._pattern(at, one) for one, at in self._texts(detection, "expressions")]
        if not terms and not patterns:
            self._fault(table.lines.get("detection", table.line), "no_detection", id=rule_id)
        examples = self._of(table, "examples")
        self._keys(examples, {"hit", "miss"})
        mine = sender if sender in SENDERS else "staff"
        hits, misses = (tuple(self._examples(examples, key, mine)) for key in ("hit", "miss"))
        if not hits or not misses:
            self._fault(table.lines.get("examples", table.line), "no_examples", id=rule_id)
        self.rules[rule_id] = Rule(
            id=rule_id,
            category=category,
            title=self._text(table, "title"),
            points=self.points.get(level, 0),
            sender=sender,
            guards=tuple(guard for guard, _ in guards),
            terms=tuple(terms),
            expressions=tuple(one for one in patterns if one),
            hits=hits,
            misses=misses,
            file=self.file,
            line=line,
        )

    def _term(self, term: str, line: int) -> str:
        if len(term) > LONGEST_TERM:
            self._fault(line, "term_too_long", most=LONGEST_TERM)
        if fold(term) != term:
            self._fault(line, "not_folded", what=term, folded=fold(term))
        return term

    def _examples(self, table: Table, key: str, sender: str) -> Iterator[Example]:
        for one, line in _items(table.get(key)):
            if isinstance(one, str) and one.strip():
                yield Example(one, sender, line)
            elif isinstance(one, Table):
                self._keys(one, {"sender", "text"})
                who = self._choice(one, "sender", SENDERS, sender)
                yield Example(self._text(one, "text"), who, line)
            else:
                self._fault(line, "bad_texts", key=key)


def _items(found: Any) -> list[tuple[Any, int]]:
    return list(zip(found, found.lines, strict=True)) if isinstance(found, Items) else []


def _in_pinyin(word: str, syllables: Mapping[str, str]) -> Iterator[str]:
    """Give each way to write a word with one or more of its characters in pinyin."""
    for mixed in itertools.product(*((char, syllables[char]) for char in word)):
        written = "".join(mixed)
        if written != word:
            yield written
