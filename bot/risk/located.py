"""Read YAML so that each value knows its line."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import yaml


@dataclass(frozen=True)
class Fault:
    """What is wrong: in which file, on which line, which fault, and with what."""

    file: str
    line: int
    code: str
    facts: Mapping[str, Any] = field(default_factory=dict)


class Table(dict[str, Any]):
    """A mapping that knows its own line and that of each key."""

    line: int
    lines: dict[str, int]


class Items(list[Any]):
    """A list that knows its own line and that of each item."""

    line: int
    lines: list[int]


class BadYaml(ValueError):
    """The text is no YAML that we read."""

    def __init__(self, line: int, code: str, facts: Mapping[str, Any]) -> None:
        super().__init__(f"line {line}: {code}")
        self.line = line
        self.code = code
        self.facts = facts


def read(text: str) -> Any:
    """Read one YAML document of mappings with text keys, lists and plain values.

    Raises:
        BadYaml: it is no YAML, or uses aliases, tags of its own or a key twice.
    """
    try:
        node = yaml.compose(text, Loader=yaml.CSafeLoader)
        if node is None:
            raise BadYaml(1, "empty_file", {})
        return _value(node, yaml.SafeLoader(""), set())
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = mark.line + 1 if mark else 1
        raise BadYaml(line, "not_yaml", {"said": error.problem or error.context or ""}) from None
    except yaml.YAMLError as error:
        line = text.count("\n", 0, getattr(error, "position", 0)) + 1
        raise BadYaml(line, "not_yaml", {"said": "a character that YAML does not allow"}) from None


def _value(node: yaml.Node, plain: yaml.SafeLoader, seen: set[int]) -> Any:
    line = node.start_mark.line + 1
    # An alias is the same node again: with aliases of aliases a small file becomes a huge one.
    if id(node) in seen:
        raise BadYaml(line, "alias", {})
    seen.add(id(node))
    if isinstance(node, yaml.MappingNode):
        table = Table()
        table.line, table.lines = line, {}
        for key_node, value_node in node.value:
            at = key_node.start_mark.line + 1
            key = key_node.value
            if not isinstance(key_node, yaml.ScalarNode) or key == "<<":
                raise BadYaml(at, "bad_key", {})
            if key in table:
                raise BadYaml(at, "key_twice", {"key": key})
            table[key] = _value(value_node, plain, seen)
            table.lines[key] = at
        return table
    if isinstance(node, yaml.SequenceNode):
        items = Items(_value(one, plain, seen) for one in node.value)
        items.line, items.lines = line, [one.start_mark.line + 1 for one in node.value]
        return items
    try:
        return plain.construct_object(node)
    except ValueError:
        raise BadYaml(line, "not_yaml", {"said": "a value that cannot be read"}) from None
