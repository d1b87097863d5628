"""What the capabilities registered, put together for the pages."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar, cast

from flask import Flask, current_app
from flask_babel import LazyString

from bot.capability import Capability, Events, Job, Page, Words
from bot.rights import Right

Key = TypeVar("Key")
Value = TypeVar("Value")


@dataclass(frozen=True)
class Registered:
    """All that the capabilities of an application brought; ``rights`` by their names."""

    rights: Mapping[str, Right]
    words: Words
    events: Events
    acts: Mapping[str, LazyString]
    jobs: Sequence[Job]
    pages: Sequence[Page]


def bind(app: Flask, capabilities: Sequence[Capability]) -> None:
    """Let the pages of ``app`` know what these capabilities brought."""
    app.extensions["registered"] = Registered(
        rights={right.name: right for one in capabilities for right in one.rights},
        words=_all(one.words for one in capabilities),
        events=_all(one.events for one in capabilities),
        acts=_all(one.acts for one in capabilities),
        jobs=[job for one in capabilities for job in one.jobs],
        pages=[page for one in capabilities for page in one.pages],
    )


def registered() -> Registered:
    return cast(Registered, current_app.extensions["registered"])


def _all(of_each: Iterable[Mapping[Key, Value]]) -> dict[Key, Value]:
    return {key: value for one in of_each for key, value in one.items()}
