"""Who takes over a leaver's customers and groups, and what WeCom's answers mean."""

import heapq
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from enum import Enum, StrEnum
from typing import Any

from bot.reason import Reason

BATCH = 100
GROUPS_PER_OWNER_AND_DAY = 300
REFUSALS_BEFORE_GIVING_UP = 2
# A last day further away is a slip of the pen.
LONGEST_AGO = timedelta(days=366)
LONGEST_AHEAD = timedelta(days=400)
MOST_SUCCESSORS = 100

# Codes of why somebody takes over, or nobody; their words stand in bot/handover/words.py.
NAMED = "named"
LEAST_LOADED_NAMED = "least_loaded_of_named"
LEAST_LOADED = "least_loaded_of_department"
LEAST_LOADED_ELSEWHERE = "least_loaded_of_others"
NO_SUCCESSOR = "no_successor_known"
EVERYBODY_TRIED_OR_FULL = "everybody_tried_or_full"
EVERYBODY_FULL_OR_UNFIT = "everybody_full_or_unfit"


@dataclass(frozen=True)
class Successor:
    """A member who may take over.

    ``load`` counts customers; ``capacity`` None: WeCom's limit. ``is_named``: whoever opened the
    handover chose this one, no rule did.
    """

    userid: str
    departments: Sequence[int] = ()
    load: int = 0
    capacity: int | None = None
    unfit: str = ""
    is_named: bool = False


@dataclass(frozen=True)
class Piece:
    """A customer or group to hand over, and who cannot take it any more."""

    id: int
    tried: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Assignment:
    """``reason`` is a code, of why this one or why nobody."""

    piece_id: int
    takeover_userid: str | None
    reason: str


def assign(
    pieces: Sequence[Piece],
    successors: Sequence[Successor],
    departments: Collection[int],
    full: Collection[str] = (),
) -> list[Assignment]:
    """Give each piece to a successor.

    Members of the leaver's own departments come first; others only when those have no room.
    Among equals the one with the fewest customers gets the next piece, ties go to the userid
    that sorts first. Nobody is filled above the capacity, and a piece never goes to somebody
    who was tried for it. What nobody can take has no successor, with the reason.
    """
    queue = _LeastLoaded(successors, set(departments), set(full))
    return [Assignment(piece.id, *queue.take(piece.tried)) for piece in pieces]


class _LeastLoaded:
    """The successors in the order in which they get the next piece."""

    def __init__(
        self, successors: Sequence[Successor], departments: set[int], full: set[str]
    ) -> None:
        self._room: dict[str, int | None] = {}
        self._heap: list[tuple[bool, int, str]] = []
        self._unfit = [successor.unfit for successor in successors if successor.unfit]
        for successor in successors:
            room = None if successor.capacity is None else successor.capacity - successor.load
            if successor.unfit or successor.userid in full or (room is not None and room <= 0):
                continue
            self._room[successor.userid] = room
            elsewhere = not departments & set(successor.departments)
            self._heap.append((elsewhere, successor.load, successor.userid))
        heapq.heapify(self._heap)
        self._known = len(successors)
        self._named = {successor.userid for successor in successors if successor.is_named}

    def take(self, tried: frozenset[str]) -> tuple[str | None, str]:
        skipped = []
        chosen: tuple[bool, int, str] | None = None
        while self._heap:
            entry = heapq.heappop(self._heap)
            if entry[2] not in tried:
                chosen = entry
                break
            skipped.append(entry)
        for entry in skipped:
            heapq.heappush(self._heap, entry)
        if chosen is None:
            return None, self._nobody(tried)
        elsewhere, load, userid = chosen
        room = self._room[userid]
        if room is not None:
            self._room[userid] = room - 1
        if room is None or room > 1:
            heapq.heappush(self._heap, (elsewhere, load + 1, userid))
        return userid, self._why(userid, elsewhere)

    def _why(self, userid: str, elsewhere: bool) -> str:
        if userid in self._named:
            return NAMED if len(self._named) == 1 else LEAST_LOADED_NAMED
        return LEAST_LOADED_ELSEWHERE if elsewhere else LEAST_LOADED

    def _nobody(self, tried: frozenset[str]) -> str:
        if not self._known:
            return NO_SUCCESSOR
        if tried:
            return EVERYBODY_TRIED_OR_FULL
        return EVERYBODY_FULL_OR_UNFIT


class Verdict(Enum):
    """What an answer of WeCom means for one item."""

    ACCEPTED = "accepted"  # started; the poll tells the end
    LOOK_UP = "look up"  # WeCom says that it is moving or has moved
    FULL = "full"  # this takeover member has no room: another one
    UNFIT = "unfit"  # this takeover member cannot take anybody: another one
    OTHER_ENDPOINT = "other endpoint"  # in service against resigned
    LATER = "later"  # the same again, in a while
    FAILED = "failed"  # never; the reason is the code's


_VERDICTS: Mapping[int, Verdict] = {
    0: Verdict.ACCEPTED,
    40100: Verdict.LOOK_UP,
    40129: Verdict.LOOK_UP,
    90507: Verdict.LOOK_UP,
    90508: Verdict.LOOK_UP,
    90504: Verdict.LOOK_UP,
    40099: Verdict.FULL,
    40098: Verdict.UNFIT,
    40143: Verdict.UNFIT,
    40205: Verdict.UNFIT,
    60021: Verdict.UNFIT,
    92000: Verdict.UNFIT,
    84074: Verdict.UNFIT,
    40097: Verdict.OTHER_ENDPOINT,
    40003: Verdict.OTHER_ENDPOINT,
    60111: Verdict.OTHER_ENDPOINT,
    90500: Verdict.OTHER_ENDPOINT,
    90502: Verdict.OTHER_ENDPOINT,
    45035: Verdict.LATER,
    45033: Verdict.LATER,
    45009: Verdict.LATER,
    -1: Verdict.LATER,
    6000: Verdict.LATER,
}

# With a code that is none of these.
ANSWERED = "wecom_answered"
_REASONS: Mapping[int, str] = {
    40096: "customer_unknown_to_wecom",
    40128: "customer_transferred_twice",
    40130: "successor_is_same_member",
    40131: "member_not_in_contact",
    84061: "contact_is_one_sided",
    90501: "not_a_customer_group",
    90509: "not_a_customer_group",
    90503: "group_needs_confirmation",
    40050: "group_unknown_to_wecom",
    49008: "group_dismissed",
}


# Which of the two members is unknown, WeCom does not say (path 90313).
_ONE_OF_TWO = (40003, 60111)


def judge(errcode: int, elsewhere: int | None = None) -> Verdict:
    """Say what a code of a transfer answer means (path 92125, 94081, 92127, 95703, 90313).

    A code that is not in the table fails the item, with the code as its reason: repeating what
    we do not understand could move a customer twice.

    Args:
        elsewhere: how the other endpoint has just refused the same takeover member. When both
            refuse and one says "unknown member", it is the takeover member who is not there.
    """
    verdict = _VERDICTS.get(errcode, Verdict.FAILED)
    if verdict is Verdict.OTHER_ENDPOINT and elsewhere is not None:
        both = (errcode, elsewhere)
        if judge(elsewhere) is verdict and any(one in _ONE_OF_TWO for one in both):
            return Verdict.UNFIT
    return verdict


def reason_of(errcode: int) -> Reason:
    """Say why an item failed that WeCom refused with this code."""
    code = _REASONS.get(errcode)
    return Reason(code) if code else Reason(ANSWERED, {"errcode": errcode})


class Outcome(Enum):
    """Where a running transfer stands (path 94088, 94082)."""

    DONE = 1
    WAITING = 2
    REFUSED = 3
    FULL = 4


def outcome_of(status: int) -> Outcome:
    """Read a status of transfer_result; one we do not know means: keep waiting."""
    try:
        return Outcome(status)
    except ValueError:
        return Outcome.WAITING


class LastDay(StrEnum):
    """What is to be said of a last day that somebody names."""

    FITS = "fits"
    # It is taken, and the handover starts at once: worth a question where a person types it.
    PAST = "past"
    TOO_FAR = "too far"


def judge_last_day(day: date, today: date) -> LastDay:
    """Say whether a member's last day can be meant.

    >>> judge_last_day(date(202, 12, 31), date(2026, 12, 1))
    <LastDay.TOO_FAR: 'too far'>
    """
    if not -LONGEST_AGO <= day - today <= LONGEST_AHEAD:
        return LastDay.TOO_FAR
    return LastDay.PAST if day < today else LastDay.FITS


def starts_at(last_day: date, lead: timedelta, zone: tzinfo) -> datetime:
    """Return when submission starts: ``lead`` before the end of the last day, in UTC."""
    end = datetime.combine(last_day + timedelta(days=1), time(), zone)
    return end.astimezone(UTC) - lead


def batches(items: Iterable[Any], size: int = BATCH) -> list[list[Any]]:
    """Cut a list into calls of at most ``size``: never more calls than needed."""
    listed = list(items)
    return [listed[start : start + size] for start in range(0, len(listed), size)]


@dataclass(frozen=True)
class Counts:
    """How many items stand where; decides how a handover ends."""

    by_state: Mapping[str, int] = field(default_factory=dict)

    def __getitem__(self, state: str) -> int:
        return self.by_state.get(state, 0)

    @property
    def is_settled(self) -> bool:
        return not any(self[state] for state in ("planned", "submitted", "waiting"))

    @property
    def has_exceptions(self) -> bool:
        return any(self[state] for state in ("refused", "limit", "failed"))
