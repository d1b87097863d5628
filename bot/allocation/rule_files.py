"""Read a rule set from TOML: the rules, or what is wrong with them and on which line."""

import re
import tomllib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any

from bot.allocation.rules import (
    ANY,
    HOURS,
    STRATEGIES,
    TYPES,
    WEIGHTED,
    Person,
    Product,
    Rule,
    Rules,
)

LONGEST_VERSION, LONGEST_NAME = 32, 128
MOST_RULES, MOST_VALUES, MOST_WEIGHT = 200, 2_000, 1_000
LONGEST_BODY = 256 * 1024
_HEADER = re.compile(r"\s*(\[\[?)\s*([A-Za-z_][\w.\- \"']*?)\s*\]\]?\s*(#.*)?$")
_KEY = re.compile(r"\s*([A-Za-z0-9_\-\"'.]+)\s*=")
_AT_LINE = re.compile(r"\(at line (\d+), column \d+\)")


@dataclass(frozen=True)
class Fault:
    """What is wrong: on which line, which fault, and with what."""

    line: int
    code: str
    facts: Mapping[str, Any] = field(default_factory=dict)


def read(text: str, products: Mapping[str, Product]) -> tuple[Rules | None, list[Fault]]:
    """Read a rule set as far as the text alone says; no rules where something is wrong.

    Args:
        products: the product lines that config/products.toml knows.
    """
    if len(text.encode()) > LONGEST_BODY:
        return None, [Fault(1, "too_long", {"most": LONGEST_BODY})]
    try:
        table = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        found = _AT_LINE.search(str(error))
        line = int(found[1]) if found else max(1, len(text.splitlines()))
        said = _AT_LINE.sub("", str(error)).strip()
        return None, [Fault(line, "not_toml", {"said": said})]
    reader = _Reader(table, Lines(text), products)
    rules = reader.read()
    return (None if reader.faults else rules), sorted(reader.faults, key=lambda one: one.line)


def products_from(table: Mapping[str, Any]) -> dict[str, Product]:
    """Read config/products.toml.

    Raises:
        KeyError, TypeError: it is not as it should be.
    """
    return {
        name: Product(tuple(one["licences"]), tuple(one["tags"]))
        for name, one in table["product"].items()
    }


def check_members(
    rules: Rules,
    text: str,
    people: Sequence[Person],
    known: Mapping[str, bool],
    departments: Iterable[int],
) -> list[Fault]:
    """Hold a rule set against the members: whom it names, and whether somebody could ever serve.

    Args:
        people: the members who are here, also those who have no time now.
        known: of each userid that a rule names, as the rule writes it: whether the member is here;
            one that nobody has is missing.
        departments: those that exist.
    """
    lines, found = Lines(text), []
    existing = set(departments)
    for number, rule in enumerate(rules.rules):
        for userid in rule.userids:
            if not known.get(userid, False):
                code = "member_left" if userid in known else "unknown_member"
                line = lines.of_value(number, "userids", userid)
                found.append(Fault(line, code, {"rule": rule.name, "userid": userid}))
        for one in rule.departments:
            if one not in existing:
                line = lines.of_value(number, "departments", one)
                found.append(Fault(line, "unknown_department", {"rule": rule.name, "id": one}))
        if not any(fault.facts["rule"] == rule.name for fault in found):
            found += _whether_anybody_can(number, rule, rules, lines, people)
    return sorted(found, key=lambda one: one.line)


def _whether_anybody_can(
    number: int, rule: Rule, rules: Rules, lines: "Lines", people: Sequence[Person]
) -> Iterator[Fault]:
    if not people:
        # Before the first reading nothing is known of anybody.
        return
    pool = [one for one in people if rule.allows(one)]
    if not pool:
        yield Fault(
            lines.of(number, "skills", "departments"), "nobody_allowed", {"rule": rule.name}
        )
        return
    needed = rules.licences_for(rule, frozenset())
    kinds = ({licence.kind for licence in one.licences} for one in pool)
    if needed and not any(set(needed) <= held for held in kinds):
        line = lines.of(number, "licences", "product")
        facts = {"rule": rule.name, "licences": list(needed)}
        yield Fault(line, "nobody_licensed", facts)


class Lines:
    """Where in a file a rule and its keys stand, from 1 on."""

    def __init__(self, text: str) -> None:
        self._lines = text.splitlines()
        self.rules: list[int] = []
        self._keys: dict[tuple[int | None, str], int] = {}
        self._read()

    def top(self, key: str) -> int:
        return self._keys.get((None, key), 1)

    def of(self, rule: int, *keys: str) -> int:
        """Return the line of the first of these keys that a rule has, or of the rule itself."""
        for key in keys:
            if (rule, key) in self._keys:
                return self._keys[rule, key]
        return self.rules[rule] if rule < len(self.rules) else 1

    def of_value(self, rule: int, key: str, value: object) -> int:
        """Return the line of one value of a list that may go over many lines."""
        line = self.of(rule, key)
        written = (f'"{value}"', f"'{value}'") if isinstance(value, str) else (str(value),)
        for number in range(line, len(self._lines) + 1):
            if number > line and _HEADER.match(self._lines[number - 1]):
                break
            if any(one in self._lines[number - 1] for one in written):
                return number
        return line

    def _read(self) -> None:
        rule: int | None = None
        prefix, is_inside = "", False
        for number, line in enumerate(self._lines, 1):
            quotes = line.count('"""') + line.count("'''")
            if is_inside:
                is_inside = quotes % 2 == 0
                continue
            is_inside = quotes % 2 == 1
            header = _HEADER.match(line)
            if header:
                name = header[2]
                if header[1] == "[[" and name == "rule":
                    rule = len(self.rules)
                    self.rules.append(number)
                    prefix = ""
                elif name.startswith("rule."):
                    prefix = name.removeprefix("rule.")
                    self._keys.setdefault((rule, prefix), number)
                    prefix += "."
                else:
                    rule, prefix = None, f"{name}."
                    self._keys.setdefault((None, name), number)
                continue
            key = _KEY.match(line)
            if key:
                name = prefix + key[1].strip("\"'")
                self._keys.setdefault((rule, name), number)
                self._keys.setdefault((rule, name.split(".")[0]), number)


class _Reader:
    def __init__(
        self, table: Mapping[str, Any], lines: Lines, products: Mapping[str, Product]
    ) -> None:
        self._table, self._lines, self._products = table, lines, products
        self.faults: list[Fault] = []

    def read(self) -> Rules:
        for key in self._table:
            if key not in ("version", "rule"):
                self._fault(self._lines.top(key), "unknown_key", key=key)
        version = self._table.get("version")
        if not isinstance(version, str) or not 1 <= len(version) <= LONGEST_VERSION:
            self._fault(self._lines.top("version"), "no_version", most=LONGEST_VERSION)
        entries = self._table.get("rule", [])
        if not isinstance(entries, list) or not all(isinstance(one, dict) for one in entries):
            self._fault(self._lines.top("rule"), "no_rules")
            entries = []
        elif not 1 <= len(entries) <= MOST_RULES:
            self._fault(self._lines.top("rule"), "no_rules", most=MOST_RULES)
        rules = [self._rule(number, entry) for number, entry in enumerate(entries)]
        if not self.faults:
            self._check_together(rules)
        return Rules(str(version), tuple(rules), self._products)

    def _fault(self, line: int, code: str, **facts: Any) -> None:
        self.faults.append(Fault(line, code, facts))

    def _rule(self, number: int, entry: Mapping[str, Any]) -> Rule:
        name = entry.get("name")
        shown = name if isinstance(name, str) else f"{number + 1}"
        values: dict[str, Any] = {}
        for key, value in entry.items():
            line = self._lines.of(number, key)
            if key not in _KEYS:
                self._fault(line, "unknown_key", key=key, rule=shown)
                continue
            fits, made = _KEYS[key](value)
            if fits:
                values[key] = made
            else:
                self._fault(line, f"bad_{_SHAPES[_KEYS[key]]}", key=key, rule=shown)
        if "name" not in entry:
            self._fault(self._lines.of(number), "no_name", rule=shown)
        if not {"name"} <= values.keys():
            values["name"] = shown
        rule = Rule(**values)
        self._check(number, rule, entry)
        return rule

    def _check(self, number: int, rule: Rule, entry: Mapping[str, Any]) -> None:
        """What does not fit within one rule."""

        def fault(code: str, *keys: str, **facts: Any) -> None:
            self._fault(self._lines.of(number, *keys), code, rule=rule.name, **facts)

        for key, allowed in (("strategy", STRATEGIES), ("hours", HOURS)):
            if getattr(rule, key) not in allowed:
                value = getattr(rule, key)
                fault(f"unknown_{key}", key, value=value, allowed=list(allowed))
        for one in rule.types:
            if one not in TYPES:
                fault("unknown_type", "types", value=one, allowed=list(TYPES))
        for key in ("channels", "userids", "departments", "licences", "types"):
            if entry.get(key) == []:
                fault("empty_list", key, key=key)
        if rule.weights and rule.strategy != WEIGHTED:
            fault("weights_unused", "weights", strategy=rule.strategy)
        if rule.weights and not any(weight for _name, weight in rule.weights):
            fault("weights_zero", "weights")
        if rule.by_department and not rule.departments:
            fault("no_departments", "by_department")
        if rule.weights and not rule.by_department and rule.userids and not rule.departments:
            for name, _weight in rule.weights:
                if name.lower() not in rule.named:
                    fault("weight_of_nobody", f"weights.{name}", "weights", name=name)
        if rule.weights and rule.by_department:
            numbers = {str(one) for one in rule.departments}
            for name, _weight in rule.weights:
                if name not in numbers:
                    fault("weight_of_nobody", f"weights.{name}", "weights", name=name)
        if rule.product and rule.product not in self._products and not rule.licences:
            # A slip of the pen would take the need for a licence away.
            fault("unknown_product", "product", value=rule.product, known=list(self._products))

    def _check_together(self, rules: Sequence[Rule]) -> None:
        """What does not fit among several rules."""
        names: dict[str, int] = {}
        for number, rule in enumerate(rules):
            if rule.name in names:
                line = self._lines.of(number, "name")
                self._fault(
                    line, "name_twice", rule=rule.name, first=self._lines.of(names[rule.name])
                )
            names.setdefault(rule.name, number)
        followed = {rule.otherwise for rule in rules}
        for number, rule in enumerate(rules):
            if rule.otherwise and rule.otherwise not in names:
                line = self._lines.of(number, "otherwise")
                self._fault(line, "unknown_rule", rule=rule.name, value=rule.otherwise)
            before = next((one for one in rules[:number] if _takes_all_of(one, rule)), None)
            if before is not None and rule.name not in followed:
                line = self._lines.of(number)
                self._fault(line, "never_reached", rule=rule.name, before=before.name)
        self._check_loops(rules, names)

    def _check_loops(self, rules: Sequence[Rule], names: Mapping[str, int]) -> None:
        settled: set[str] = set()
        for rule in rules:
            path: list[str] = []
            name = rule.name
            while name in names and name not in settled and name not in path:
                path.append(name)
                name = rules[names[name]].otherwise
            if name in path:
                loop = path[path.index(name) :]
                line = self._lines.of(names[loop[-1]], "otherwise")
                self._fault(line, "loop", rule=loop[-1], loop=[*loop, loop[0]])
            settled.update(path)


_ASKS_NOTHING = Rule("")


def _takes_all_of(before: Rule, rule: Rule) -> bool:
    """Whether every arrival that a rule covers is covered by one before it: by the channels, where
    the one before asks for nothing else, or for the very same."""
    for name in ("product", "region", "tags", "types", "returning"):
        if getattr(before, name) not in (getattr(_ASKS_NOTHING, name), getattr(rule, name)):
            return False
    if before.product or before.region:
        # With other channels the same product means other customers.
        return before.channels == rule.channels and before.hours in (ANY, rule.hours)
    return before.hours in (ANY, rule.hours) and all(
        any(fnmatchcase(one, pattern) for pattern in before.channels) for one in rule.channels
    )


def _text(value: Any) -> tuple[bool, Any]:
    return isinstance(value, str) and 0 < len(value) <= LONGEST_NAME and value.isprintable(), value


def _flag(value: Any) -> tuple[bool, Any]:
    return isinstance(value, bool), value


def _texts(value: Any) -> tuple[bool, Any]:
    fits = isinstance(value, list) and len(value) <= MOST_VALUES
    return fits and all(_text(one)[0] for one in value), tuple(value) if fits else ()


def _numbers(value: Any) -> tuple[bool, Any]:
    fits = isinstance(value, list) and len(value) <= MOST_VALUES
    fits = fits and all(type(one) is int and 0 < one < 2**32 for one in value)
    return fits, tuple(value) if fits else ()


def _weights(value: Any) -> tuple[bool, Any]:
    fits = isinstance(value, dict) and len(value) <= MOST_VALUES
    fits = fits and all(
        type(one) in (int, float) and 0 <= one <= MOST_WEIGHT for one in value.values()
    )
    return fits, tuple(value.items()) if fits else ()


_KEYS: Mapping[str, Callable[[Any], tuple[bool, Any]]] = {
    "name": _text,
    "channels": _texts,
    "departments": _numbers,
    "userids": _texts,
    "transfer": _flag,
    "strategy": _text,
    "licences": _texts,
    "skills": _texts,
    "product": _text,
    "region": _text,
    "tags": _texts,
    "types": _texts,
    "hours": _text,
    "returning": _flag,
    "weights": _weights,
    "by_department": _flag,
    "otherwise": _text,
}
_SHAPES: Mapping[Any, str] = {
    _text: "text",
    _texts: "texts",
    _numbers: "numbers",
    _flag: "flag",
    _weights: "weights",
}
