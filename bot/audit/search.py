"""The audit log as people read it: filtered, the latest first, at a cost that stays as it grows.

The table is only added to and grows for years. Everything here goes along an index, and a filter
that no index serves looks at a bounded number of entries for each page.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from peewee import JOIN, Expression, ModelSelect, fn

from bot.audit.chain import LAST_POSITION
from bot.audit.log import MOST, without_phones
from bot.models import (
    AuditAnchor,
    AuditEntry,
    AuditSeal,
    AuditSealed,
    AuditWriter,
    Conflict,
    Handover,
    HandoverItem,
    Staff,
)
from bot.models.handover import CUSTOMER

# How many entries one page of a narrow filter may look at.
LOOKED_AT = 20_000
EXPORTED = 10_000
EXPORTED_AT_ONCE = 1000
# An export of a narrow filter gives up after so many looks.
LOOKS = 100
# Of one customer's conflicts and handovers.
MOST_NAMED = 20
# Entries get their number when they are written and are committed in another order, by hosts whose
# clocks differ: numbers follow time that closely.
DISORDER = timedelta(minutes=10)
# What a subject begins with, for whoever knows only the rest.
KINDS = ("customer", "staff", "offboarding", "handover", "conflict", "contact way", "event")


@dataclass(frozen=True)
class Wanted:
    """A filter; "" and None narrow nothing. ``purpose`` is part of one, the others are whole."""

    actor: str = ""
    act: str = ""
    subject: str = ""
    purpose: str = ""
    since: datetime | None = None
    until: datetime | None = None

    @property
    def indexed(self) -> list[Expression]:
        """What an index answers, what leaves the fewest entries first."""
        columns = {
            AuditEntry.subject: _as_ever_called(self.subject),
            AuditEntry.actor: _as_ever_called(self.actor),
            AuditEntry.act: [self.act] if self.act else [],
        }
        return [
            column == values[0] if len(values) == 1 else column.in_(values)
            for column, values in columns.items()
            if values
        ]


def _as_ever_called(text: str) -> list[str]:
    """Return a member, as actor or subject, by every userid they have or had: entries stay as they
    were written."""
    kind, _, userid = text.rpartition(" ")
    if not text or kind not in ("", "staff"):
        return [text] if text else []
    prefix = f"{kind} " if kind else ""
    others = [prefix + name for name in Staff.names_of(userid)]
    return list(dict.fromkeys([text, *others]))


def as_kept(text: str, meant: str = "") -> str:
    """Return what was looked for as the log may keep it: whole where it is a member's userid,
    which may be all digits, or an entry's actor or subject already; else without phone numbers.

    Args:
        meant: the actor or subject that the text was taken for.
    """
    short = without_phones(text)
    if short == text:
        return text
    columns = (Staff.userid, AuditEntry.actor, AuditEntry.subject)
    found = (one.model.select().where(one == (meant or text)).exists() for one in columns)
    return text if any(found) else short


@dataclass(frozen=True)
class Part:
    """Some entries, the latest first; ``before``: where the next part begins, None: no more.

    ``is_searched``: this part ends where the search was broken off, and older entries may fit.
    """

    entries: Sequence[AuditEntry]
    before: int | None = None
    is_searched: bool = False


@dataclass(frozen=True)
class Proof:
    """How far the log is sealed and signed.

    ``waiting``: entries without a seal, the oldest since ``waiting_since``. ``position``: of the
    last seal, whose entry is of ``sealed_at``.
    """

    waiting: int
    waiting_since: datetime | None
    position: int
    sealed_at: datetime | None
    anchor: AuditAnchor | None


def part(wanted: Wanted, before: int | None, size: int) -> Part:
    """Read the entries that fit, the latest first.

    Args:
        before: only entries with a smaller number than this.
    """
    first, last = _numbers(wanted)
    if before is not None:
        last = before if last is None else min(last, before)
    query = AuditEntry.select()
    if wanted.indexed:
        query = query.where(wanted.indexed[0])
    if first is not None:
        query = query.where(AuditEntry.id >= first)
    if last is not None:
        query = query.where(AuditEntry.id < last)
    floor = _floor(query) if _is_narrow(wanted) else None
    for condition in _rest(wanted):
        query = query.where(condition)
    if floor is not None:
        query = query.where(AuditEntry.id >= floor)
    rows = list(query.order_by(AuditEntry.id.desc()).limit(size + 1))
    if len(rows) > size:
        return Part(rows[:size], rows[size - 1].id)
    return Part(rows, floor, is_searched=floor is not None)


def export(wanted: Wanted) -> tuple[list[AuditEntry], bool]:
    """Read what fits, the latest first, and say whether there may be more."""
    entries: list[AuditEntry] = []
    before = None
    for _look in range(LOOKS):
        found = part(wanted, before, min(EXPORTED + 1 - len(entries), EXPORTED_AT_ONCE))
        entries += found.entries
        before = found.before
        if before is None or len(entries) > EXPORTED:
            break
    return entries[:EXPORTED], before is not None or len(entries) > EXPORTED


def positions(entries: Sequence[AuditEntry]) -> dict[int, int]:
    """Return the places in the chain of those that are sealed, by the entries' numbers."""
    seals = AuditSeal.select().where(AuditSeal.entry_id.in_([entry.id for entry in entries]))
    return {seal.entry_id: seal.position for seal in seals}


def waiting() -> tuple[int, datetime | None]:
    """Return how many entries have no seal, and since when the oldest of them is there."""
    sealed = fn.COALESCE(AuditSealed.number, 0)
    behind: Any = (
        AuditWriter.select(fn.SUM(AuditWriter.number - sealed), fn.MIN(AuditEntry.at))
        .join(AuditSealed, JOIN.LEFT_OUTER, on=(AuditSealed.writer == AuditWriter.writer))
        .join(
            AuditEntry,
            on=(AuditEntry.writer == AuditWriter.writer)
            # There is nothing after the highest number, and no sum of it.
            & (AuditEntry.number == fn.NULLIF(sealed, MOST) + 1),
        )
        .where(AuditWriter.number > sealed)
        .tuples()
        .get()
    )
    return int(behind[0] or 0), behind[1]


def proof() -> Proof:
    """Say how far the log is sealed and signed."""
    last = (
        AuditSeal.select(AuditSeal.position, AuditEntry.at)
        .join(AuditEntry, JOIN.LEFT_OUTER, on=(AuditEntry.id == AuditSeal.entry_id))
        .where(AuditSeal.position.between(1, LAST_POSITION))
        .order_by(AuditSeal.position.desc())
        .tuples()
        .first()
    )
    position, sealed_at = last or (0, None)
    anchor = AuditAnchor.select().order_by(AuditAnchor.position.desc()).first()
    return Proof(*waiting(), position, sealed_at, anchor)


def actors_called(text: str) -> list[str]:
    """Return the people of this name or account; whom no reading has met is what was typed."""
    named = Staff.select(Staff.userid).where((Staff.name == text) | (Staff.userid == text))
    return [row.userid for row in named.order_by(Staff.userid).limit(20)] or [text]


def subject_called(text: str) -> str:
    """Return the subject that was meant: of ``wm_chen`` the ``customer wm_chen``, if it is one."""
    forms = [text, *(f"{kind} {text}" for kind in KINDS)]
    for form in forms:
        if AuditEntry.select().where(AuditEntry.subject == form).exists():
            return form
    return text


def seen_elsewhere(subject: str) -> list[str] | None:
    """Return under which other subjects a customer was looked at or decided on; None: the subject
    is no customer."""
    kind, _, external_userid = subject.partition(" ")
    if kind != "customer":
        return None
    conflicts = Conflict.select(Conflict.id).where(Conflict.external_userid == external_userid)
    moving = HandoverItem.select(HandoverItem.handover).where(
        HandoverItem.kind == CUSTOMER, HandoverItem.subject == external_userid
    )
    handovers = Handover.select().where(Handover.id.in_(moving)).order_by(Handover.id)
    return [
        *(f"conflict {row.id}" for row in conflicts.order_by(Conflict.id).limit(MOST_NAMED)),
        *(handover.subject for handover in handovers.limit(MOST_NAMED)),
    ]


def _rest(wanted: Wanted) -> list[Expression]:
    rest = wanted.indexed[1:]
    if wanted.purpose:
        rest.append(AuditEntry.purpose.contains(wanted.purpose))
    if wanted.since is not None:
        rest.append(AuditEntry.at >= wanted.since)
    if wanted.until is not None:
        rest.append(AuditEntry.at < wanted.until)
    return rest


def _is_narrow(wanted: Wanted) -> bool:
    """Whether no index leads to all that fits."""
    return len(wanted.indexed) > 1 or bool(wanted.purpose)


def _floor(query: "ModelSelect[AuditEntry]") -> int | None:
    """Return the number at which a search of this query is broken off; None: it comes to its end
    before."""
    ordered = query.columns(AuditEntry.id).order_by(AuditEntry.id.desc())
    row = ordered.offset(LOOKED_AT - 1).limit(1).first()
    return None if row is None else int(row.id)


def _numbers(wanted: Wanted) -> tuple[int | None, int | None]:
    """Return between which numbers the entries of the wanted time are: from, and up to."""
    first = None if wanted.since is None else _number_at(wanted.since - DISORDER)
    last = None if wanted.until is None else _number_at(wanted.until + DISORDER)
    return first, last


def _number_at(moment: datetime) -> int:
    """Return the number of about the first entry since a moment, by halving: ``at`` has no index,
    and some twenty looks along the primary key cost less than one would to write."""
    newest: Any = AuditEntry.select(fn.MAX(AuditEntry.id)).scalar()
    low, high = 1, int(newest or 0) + 1
    while low < high:
        middle = (low + high) // 2
        row = (
            AuditEntry.select(AuditEntry.id, AuditEntry.at)
            .where(AuditEntry.id >= middle)
            .order_by(AuditEntry.id)
            .first()
        )
        if row is None or row.at >= moment:
            high = middle
        else:
            low = row.id + 1
    return low
