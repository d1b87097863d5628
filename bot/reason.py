"""Why something is as it is: a code and its facts. Sentences are made of it, never read back.

A capability says in its ``words.py`` what its codes mean; ``bot.capabilities`` teaches them here,
so that pages, answers, commands and app messages speak the same words.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Self, overload

from flask_babel import LazyString

CODE_LENGTH = 64
# The fact of this name is a code itself.
WHY = "why"
UNKNOWN_FACT = "?"

# How facts of a name are read: a member's userid by the name, a moment by the firm's clock.
Readers = Mapping[str, Callable[[Any], str]]

_words: dict[str, LazyString] = {}


@dataclass(frozen=True)
class Reason:
    """What was the reason, for code that compares and for people who read.

    Facts are ids, codes, numbers and moments (in ISO 8601): they lie readable in the database, so
    no names and no texts of people are among them.
    """

    code: str
    facts: Mapping[str, Any] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.code)

    def columns(self, name: str = "reason") -> dict[str, Any]:
        """Return the values of the columns ``name``_code and ``name``_facts."""
        return {f"{name}_code": self.code, f"{name}_facts": dict(self.facts)}


NO_REASON = Reason("")


class ReasonColumns:
    """An attribute of a model that stands for its two columns ``NAME_code`` and ``NAME_facts``.

    Queries use the columns themselves, and ``Reason.columns`` to write them.
    """

    def __set_name__(self, _model: type, name: str) -> None:
        self.name = name

    @overload
    def __get__(self, row: None, _model: type) -> Self: ...

    @overload
    def __get__(self, row: object, _model: type) -> Reason: ...

    def __get__(self, row: object | None, _model: type) -> Self | Reason:
        if row is None:
            return self
        return Reason(
            getattr(row, f"{self.name}_code") or "", getattr(row, f"{self.name}_facts") or {}
        )

    def __set__(self, row: object, reason: Reason) -> None:
        for column, value in reason.columns(self.name).items():
            setattr(row, column, value)


def learn(words: Mapping[str, LazyString]) -> None:
    """Take in what codes mean; ``%(name)s`` in a text stands for the fact of that name.

    Raises:
        ValueError: a code is known already, with another text.
    """
    for code, text in words.items():
        if _words.setdefault(code, text) is not text:
            raise ValueError(f"two texts for the code {code}")


def in_words(reason: Reason, readers: Readers | None = None) -> str:
    """Say a reason in the language of the moment; a code that nobody taught is shown as it is."""
    text = _words.get(reason.code)
    if text is None:
        return reason.code
    return str(text) % _Told(reason.facts, readers or {})


class _Told(dict[str, str]):
    """Facts as people read them; one that is not there, because another release wrote the row,
    is a question mark."""

    def __init__(self, facts: Mapping[str, Any], readers: Readers) -> None:
        super().__init__()
        for name, fact in facts.items():
            if fact is not None:
                self[name] = readers.get(name, str)(fact)
        if WHY not in readers and isinstance(why := facts.get(WHY), str):
            # It is about the same facts.
            others = {name: fact for name, fact in facts.items() if name != WHY}
            self[WHY] = in_words(Reason(why, others), readers)

    def __missing__(self, _name: str) -> str:
        return UNKNOWN_FACT
