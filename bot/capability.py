"""What a capability adds to the house; its ``register.py`` says it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from apiflask import APIBlueprint
from apscheduler.triggers.base import BaseTrigger
from apscheduler.triggers.cron import CronTrigger
from apscheduler.triggers.interval import IntervalTrigger
from flask_babel import LazyString

from bot.events import Event
from bot.kegui import Kegui
from bot.rights import Right, Topic
from bot.words import Word
from config.settings import Settings

# Is given the number that the message carries, and is safe at any moment.
Answer = Callable[[int, Kegui], object]
Prepare = Callable[[Event, Kegui], None]
# Of each topic the word for each state or kind.
Words = Mapping[str, Mapping[str, Word]]
# By the event and change type of WeCom.
Events = Mapping[tuple[str, str], LazyString]
When = Callable[[Settings], BaseTrigger]


@dataclass(frozen=True)
class Job:
    """What the clock does by itself, and when.

    ``name`` stands in ``job_run`` and in the log. ``is_reading``: it reads from WeCom, and
    whichever of these ends a reading, all of them went well. ``at_start``: it strikes also when
    a clock begins to lead.
    """

    name: str
    title: LazyString
    run: Callable[[Kegui], None]
    when: When
    is_reading: bool = False
    at_start: bool = False


def every(seconds: float) -> When:
    """Say that a job strikes again after so many seconds."""
    return lambda settings: IntervalTrigger(seconds=seconds, timezone=settings.zone)


def every_setting(seconds: Callable[[Settings], float]) -> When:
    """Say that a job strikes again after as many seconds as a setting holds."""
    return lambda settings: every(seconds(settings))(settings)


def daily(hour: int, minute: int) -> When:
    """Say that a job strikes once a day, by the firm's clock."""
    return lambda settings: CronTrigger(hour=hour, minute=minute, timezone=settings.zone)


@dataclass(frozen=True)
class Entry:
    """A line of the menu: it leads to a view of its page, and is shown to whoever has the right.

    ``place``: those with a lower one stand before it in their group. ``right`` None: everybody
    who is signed in.
    """

    group: Topic
    place: int
    title: LazyString
    icon: str
    right: Right | None
    view: str = "index"


@dataclass(frozen=True)
class Page:
    """A screen of the console, and its line in the menu if it has one."""

    blueprint: APIBlueprint
    entry: Entry | None = None


@dataclass(frozen=True)
class Capability:
    """All that one capability adds to worker, clock, API and console.

    ``reasons``: what the codes of its reasons mean (``bot.reason``). ``acts``: what the audit log's
    words for them are in people's. ``before_work``: what each event needs before its handler of the
    work lane. ``messages``: what a worker does that is woken for something else than an event.
    """

    name: str
    rights: Sequence[Right] = ()
    words: Words = field(default_factory=dict)
    reasons: Mapping[str, LazyString] = field(default_factory=dict)
    events: Events = field(default_factory=dict)
    acts: Mapping[str, LazyString] = field(default_factory=dict)
    before_work: Sequence[Prepare] = ()
    messages: Mapping[str, Answer] = field(default_factory=dict)
    jobs: Sequence[Job] = ()
    endpoints: Sequence[APIBlueprint] = ()
    pages: Sequence[Page] = ()
