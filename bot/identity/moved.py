"""How many customers somebody moved within an hour: many small moves are one large one."""

from datetime import timedelta
from typing import Any

from bot import clock
from bot.audit.log import Who
from bot.db import locked
from bot.identity.access import logins_of
from bot.models import AuditEntry, LocalUser, Staff
from bot.rights import is_small

HOUR = timedelta(hours=1)
# The acts that move customers; ``MOVED`` in their entries says how many.
ACTS = (
    "handover.open",
    "handover.change",
    "offboarding.change",
    "offboarding.approve",
    "conflict.resolve",
)
MOVED = "moved"


class NeedsProof(Exception):
    """Somebody moves more than one may within an hour without having proved a second factor."""


def needs_proof(number: int, by: Who) -> bool:
    """Whether so many more than those of the last hour need a second factor."""
    return not is_small(number + in_an_hour(by))


def check(number: int, by: Who) -> None:
    """Refuse an act that moves so many customers, in its own transaction.

    Raises:
        NeedsProof: with those of the last hour they are too many, and a second factor that could
            be asked for was not proved.
    """
    if by.is_proved or not number:
        return
    people = sorted(by.people)
    # Two browsers of one person wait for each other.
    list(locked(Staff.select(Staff.userid).where(Staff.userid.in_(people))))
    list(locked(LocalUser.select(LocalUser.name).where(LocalUser.userid.in_(people))))
    if needs_proof(number, by):
        raise NeedsProof


def in_an_hour(by: Who) -> int:
    """Count the customers whom the people behind an act moved within the last hour."""
    actors = {by.actor, *(actor for human in by.people for actor in logins_of(human))}
    entries: Any = AuditEntry.select(AuditEntry.act, AuditEntry.details).where(
        AuditEntry.actor.in_(sorted(actors)),
        AuditEntry.act.in_(ACTS),
        AuditEntry.at > clock.now() - HOUR,
    )
    return sum(int(entry.details.get(MOVED, 0)) for entry in entries)
