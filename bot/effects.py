"""The one way Kegui changes the world outside: record it, do it, record how it went."""

from collections.abc import Callable, Collection
from datetime import timedelta
from enum import Enum

from bot import clock
from bot.db import released
from bot.models.effect import (
    DONE,
    FAILED,
    REFUSED,
    SETTLED,
    STARTED,
    UNANSWERED,
    UNKNOWN,
    Effect,
)
from bot.reason import NO_REASON, Reason
from bot.wecom import (
    OperatorNeeded,
    Paused,
    Refused,
    Throttled,
    Transient,
    WeComError,
    reason_of,
)


class AfterCrash(Enum):
    """What may be done with an act of which we cannot tell whether it happened."""

    REPEAT = "repeat"  # WeCom itself recognises a repetition
    FEW_TIMES = "few times"  # harmless, but the answer may no longer tell what happened
    UNKNOWN = "unknown"  # a person must look


class Busy(Exception):
    """Another process is doing this very act at this moment."""


def once(
    identity: str,
    kind: str,
    act: Callable[[], object],
    *,
    event_id: int | None = None,
    after_crash: AfterCrash = AfterCrash.UNKNOWN,
    lease: timedelta = timedelta(seconds=30),
    sealed_text: bytes | None = None,
    keeps_text_when: Collection[int] = (),
) -> Effect:
    """Do ``act`` unless the same thing was settled before, and return how it stands.

    The row is written first, so that after a crash it says ``started``: we cannot tell. A
    refusal by WeCom is an answer and is returned. A failure is recorded and raised, so that
    the inbox tries the event again.

    Args:
        identity: what makes two acts the same, at most 255 characters.
        kind: the kind of act, for people and counts.
        act: calls WeCom once; no transaction may be open.
        event_id: the inbox row that caused it.
        after_crash: what to do with an act that was begun and never ended.
        lease: longer than the act can take.
        sealed_text: what the act says, kept with its row until it is settled.
        keeps_text_when: WeCom's codes of a refusal after which it is kept longer.

    Raises:
        Busy: another process holds the lease of this act.
        WeComError: WeCom could not be asked, or did not do it for now.
    """
    effect = _begin(identity, kind, event_id, lease, sealed_text)
    if effect.is_settled:
        return effect
    repeated = effect.reason_code == UNANSWERED
    if effect.attempts > 1 and repeated and not _may_repeat(effect, after_crash):
        return _record(effect, UNKNOWN, _UNANSWERED)
    try:
        with released():
            act()
    except Refused as error:
        if repeated:
            # The first try may be the one that was executed: this refusal proves nothing.
            return _record(effect, UNKNOWN, _UNANSWERED, errcode=error.errcode)
        keeps_text = error.errcode in keeps_text_when
        return _record(
            effect, REFUSED, reason_of(error), errcode=error.errcode, keeps_text=keeps_text
        )
    except Transient as error:
        if error.maybe_executed or repeated:
            _release(effect)
        else:
            _record(effect, FAILED, reason_of(error), errcode=error.errcode)
        raise
    except (Throttled, OperatorNeeded, Paused, WeComError) as error:
        if repeated:
            _release(effect)
        else:
            _record(effect, FAILED, reason_of(error), errcode=error.errcode)
        raise
    return _record(effect, DONE)


def give_up(identity: str) -> Effect | None:
    """Return how an act stands that nobody will try again; None when it was never begun.

    One that was begun and never answered is ``unknown`` from now on.

    Raises:
        Busy: another process is at it.
    """
    effect: Effect | None = Effect.get_or_none(Effect.identity == identity)
    if effect is None or effect.state != STARTED:
        return effect
    if clock.holds(effect.lease_until, clock.now()):
        raise Busy(effect.kind)
    return _record(effect, UNKNOWN, _UNANSWERED)


_UNANSWERED = Reason(UNANSWERED)


def _begin(
    identity: str, kind: str, event_id: int | None, lease: timedelta, sealed_text: bytes | None
) -> Effect:
    """Insert the row, or take over one that failed or whose process is gone."""
    now = clock.now()
    inserted = list(
        Effect.insert(
            identity=identity,
            kind=kind,
            event_id=event_id,
            sealed_text=sealed_text,
            started_at=now,
            lease_until=now + lease,
        )
        .on_conflict_ignore()
        .returning(Effect)
        .execute()
    )
    if inserted:
        begun: Effect = inserted[0]
        return begun
    effect = Effect.get(Effect.identity == identity)
    if effect.is_settled:
        return effect
    if effect.state == STARTED and clock.holds(effect.lease_until, now):
        raise Busy(kind)
    uncertain = effect.state == STARTED
    taken = (
        Effect.update(
            state=STARTED,
            attempts=effect.attempts + 1,
            lease_until=now + lease,
            **(_UNANSWERED if uncertain else NO_REASON).columns(),
        )
        .where(
            Effect.id == effect.id,
            Effect.attempts == effect.attempts,
            Effect.state == effect.state,
            Effect.lease_until == effect.lease_until,
        )
        .execute()
    )
    if not taken:
        raise Busy(kind)
    return Effect.get_by_id(effect.id)


def _may_repeat(effect: Effect, after_crash: AfterCrash) -> bool:
    if after_crash is AfterCrash.REPEAT:
        return True
    return after_crash is AfterCrash.FEW_TIMES and effect.attempts <= 3


def _record(
    effect: Effect,
    state: str,
    reason: Reason = NO_REASON,
    *,
    errcode: int | None = None,
    keeps_text: bool = False,
) -> Effect:
    now = clock.now()
    changes = {"state": state, "errcode": errcode, **reason.columns()}
    if state in SETTLED and not keeps_text:
        changes["sealed_text"] = None
    recorded = list(
        Effect.update(finished_at=now, lease_until=now, **changes)
        .where(Effect.id == effect.id, Effect.attempts == effect.attempts)
        .returning(Effect)
        .execute()
    )
    # Somebody else's word counts when our lease had run out.
    return recorded[0] if recorded else Effect.get_by_id(effect.id)


def _release(effect: Effect) -> None:
    """Leave the row as ``started`` for whoever tries next, at once."""
    Effect.update(lease_until=clock.now(), **_UNANSWERED.columns()).where(
        Effect.id == effect.id, Effect.attempts == effect.attempts
    ).execute()
