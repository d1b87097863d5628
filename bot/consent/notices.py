"""The consent notice: the first thing a new customer hears, inside WeCom's 20 seconds."""

import hashlib
from datetime import datetime, timedelta
from typing import Any

import structlog
from peewee import fn

from bot import clock, metrics
from bot.alarms import raise_alarm_for
from bot.consent.gaps import Gap, open_gaps
from bot.consent.words import AGREEMENT_COMES_FIRST, CODE_RAN_OUT, NO_CODE_CAME, UNANSWERED
from bot.effects import AfterCrash, Busy, give_up, once
from bot.handover import match
from bot.inbox.inbox import Later
from bot.inbox.words import WELCOME_UNDER_WAY
from bot.kegui import Kegui
from bot.messages import tell
from bot.models import Customer, Effect, GapDigest, Notice, Relation
from bot.models import effect as effects_of
from bot.models import notice as notices
from bot.models.customer import NEVER_TOLD, UNTOLD
from bot.reason import NO_REASON, Reason
from bot.router import Received
from bot.wecom import (
    OperatorNeeded,
    Paused,
    Throttled,
    Transient,
    Unreadable,
    WeComError,
    reason_of,
)
from config import table

log = structlog.get_logger(__name__)

# A welcome code lives 20 seconds (path 92137); an answer needs some of them.
WINDOW = timedelta(seconds=20)
LAST_CALL = timedelta(seconds=0.5)
TRIES = 3
BUSY_PAUSE = timedelta(seconds=0.3)
ANOTHER_APP_PAUSE = timedelta(seconds=1)
TRY_PAUSE = timedelta(seconds=3)
NOT_AGREED = 41053
ANOTHER_APP_SENDS = 41096


def send_consent_notice(received: Received, kegui: Kegui) -> None:
    """Send the notice with the event's welcome code, and record what became of it.

    Nothing else is asked of WeCom before. A failure is tried again while the code lives; a code
    that runs out is recorded as missed at once, and the gap list shows the pair. What was
    recorded stays: a worker that died afterwards is not followed by another try.

    Raises:
        Later: there is time for another try.
    """
    if received.again and Notice.select().where(Notice.event_id == received.id).exists():
        return
    event = received.event
    closes_at = received.received_at + WINDOW
    text = table("notices")["consent"]["text"]
    code = kegui.vault.fingerprint("welcome code", event.welcome_code)[:32]
    identity = f"welcome:{event.userid}:{event.external_userid}:{code}"
    if _is_for_nobody(received, identity, kegui):
        return
    try:
        if clock.now() >= closes_at - LAST_CALL:
            _record_too_late(received, give_up(identity))
            return
        effect = once(
            identity,
            "welcome",
            lambda: kegui.wecom.customers.send_welcome(event.welcome_code, text),
            event_id=received.id,
            after_crash=AfterCrash.FEW_TIMES,
            lease=timedelta(seconds=7),
        )
    except Busy:
        raise Later(clock.now() + BUSY_PAUSE, Reason(WELCOME_UNDER_WAY)) from None
    except WeComError as error:
        # No message to an operator takes the customer's seconds away.
        raise_alarm_for(error, kegui, tell_now=False)
        _try_again_or_miss(received, error, closes_at, identity)
        return
    _record_effect(received, effect)


def _is_for_nobody(received: Received, identity: str, kegui: Kegui) -> bool:
    """Whether a handover of ours brought the contact about; what was begun is brought to an end."""
    if kegui.settings.welcome_after_transfer or not match.explains(received):
        return False
    return not Effect.select().where(Effect.identity == identity).exists()


def _try_again_or_miss(
    received: Received, error: WeComError, closes_at: datetime, identity: str
) -> None:
    """Raise ``Later`` while the code may still be used, else record the miss.

    After a try whose answer was lost a later one that never left proves nothing.
    """
    now = clock.now()
    retry_at = now
    if isinstance(error, Paused):
        retry_at = error.until
    elif isinstance(error, Throttled):
        retry_at = now + timedelta(seconds=error.wait_seconds)
    elif error.errcode == ANOTHER_APP_SENDS:
        retry_at = now + ANOTHER_APP_PAUSE
    elif isinstance(error, OperatorNeeded) or _tries(received) >= TRIES:
        # Not at once again: perhaps all wait for the one who tries.
        retry_at = now + TRY_PAUSE
    uncertain = isinstance(error, Transient) and error.maybe_executed
    tries = _tries(received) if uncertain else 0
    if retry_at < closes_at - LAST_CALL and tries < TRIES:
        raise Later(retry_at, reason_of(error))
    effect = give_up(identity)
    if effect is not None and effect.state in (effects_of.DONE, effects_of.UNKNOWN):
        _record_effect(received, effect)
    else:
        _record(received, notices.MISSED, errcode=error.errcode, reason=reason_of(error))


def _tries(received: Received) -> int:
    effect = Effect.get_or_none(Effect.event_id == received.id, Effect.kind == "welcome")
    return effect.attempts if effect else 0


def _record_too_late(received: Received, effect: Effect | None) -> None:
    """The code ran out: what was begun before may have been delivered, the rest was missed."""
    if effect is None or effect.state == effects_of.FAILED:
        _record(received, notices.MISSED, reason=Reason(CODE_RAN_OUT))
    else:
        _record_effect(received, effect)


def _record_effect(received: Received, effect: Effect) -> None:
    if effect.state == effects_of.DONE:
        _record(received, notices.DELIVERED)
    elif effect.state == effects_of.UNKNOWN:
        _record(received, notices.UNKNOWN, reason=Reason(UNANSWERED))
    elif effect.errcode == NOT_AGREED:
        _record(
            received,
            notices.AWAITING_CONSENT,
            errcode=NOT_AGREED,
            reason=Reason(AGREEMENT_COMES_FIRST),
        )
    else:
        _record(received, notices.REFUSED, errcode=effect.errcode, reason=effect.reason)


def record_unknown(event_id: int, external_userid: str, userid: str) -> None:
    """Remember that nobody can tell whether an event's welcome code was used."""
    _store(event_id, external_userid, userid, notices.UNKNOWN, None, Reason(UNANSWERED))


def record_no_code(received: Received) -> None:
    """Remember that an add event brought no welcome code, so that nothing could be sent."""
    _record(received, notices.NO_CODE, reason=Reason(NO_CODE_CAME))


def _record(
    received: Received, state: str, *, errcode: int | None = None, reason: Reason = NO_REASON
) -> None:
    event = received.event
    if _store(received.id, event.external_userid, event.userid, state, errcode, reason):
        metrics.count_welcome(state, clock.now() - received.received_at)


def _store(
    event_id: int,
    external_userid: str,
    userid: str,
    state: str,
    errcode: int | None,
    reason: Reason,
) -> bool:
    """Record what became of a notice, once; whether this was the first word of it."""
    notice = table("notices")["consent"]
    recorded = (
        Notice.insert(
            event_id=event_id,
            external_userid=external_userid,
            userid=userid,
            template="consent",
            version=notice["version"],
            text_sha256=hashlib.sha256(notice["text"].encode()).hexdigest(),
            state=state,
            errcode=errcode,
            **reason.columns(),
            at=clock.now(),
        )
        .on_conflict_ignore()
        .returning(Notice.id)
        .execute()
    )
    return bool(list(recorded))


def send_digests(kegui: Kegui) -> None:
    """Tell each member, once in ten minutes, which customers they must tell by hand."""
    note_told(also_handed_over=kegui.settings.welcome_after_transfer)
    settings = table("notices")["digest"]
    now = clock.now()
    recent = {
        row.userid
        for row in GapDigest.select(GapDigest.userid).where(
            GapDigest.told_at > now - timedelta(seconds=settings["digest_every_seconds"]),
            GapDigest.told_at < now + clock.MOST_AHEAD,
        )
    }
    untold: dict[str, list[Gap]] = {}
    for gap in open_gaps(now):
        told = GapDigest.get_or_none(
            external_userid=gap.external_userid, userid=gap.userid, added_at=gap.added_at
        )
        if told is None and gap.userid not in recent:
            untold.setdefault(gap.userid, []).append(gap)
    for userid, gaps in untold.items():
        try:
            _send_digest(userid, gaps[:15], now, kegui)
        except Unreadable as error:
            # Tried again at the next strike; the others hear of theirs now.
            log.warning("digest_not_sent", why=str(error))


def note_told(*, also_handed_over: bool = False) -> None:
    """Let the pairs to whom a notice has arrived be asked for no more when gaps are looked for.

    Not written with the notice: often there is a notice before its contact is noted.

    Args:
        also_handed_over: contacts that a handover brought get notices too.
    """
    last: Any = Notice.select(fn.MAX(Notice.at)).where(
        Notice.external_userid == Relation.external_userid,
        Notice.userid == Relation.userid,
        Notice.state.in_(notices.ARRIVED),
    )
    Relation.update(told_at=last).where(UNTOLD, last >= Relation.noted_at).execute()
    if also_handed_over:
        handed_over = NEVER_TOLD & (Relation.source == "transfer")
        Relation.update(told_at=last).where(handed_over, last >= Relation.noted_at).execute()


def _send_digest(userid: str, gaps: list[Gap], now: datetime, kegui: Kegui) -> None:
    ids = [gap.external_userid for gap in gaps]
    names = {
        row.external_userid: row.name
        for row in Customer.select().where(Customer.external_userid.in_(ids))
    }
    tell(
        userid,
        "digest.text",
        about="digest " + " ".join(f"{gap.external_userid} {gap.added_at}" for gap in gaps),
        kegui=kegui,
        ours={"wording": table("notices")["digest"]["wording"]},
        customers=[names.get(one) or one for one in ids],
    )
    for gap in gaps:
        GapDigest.insert(
            userid=userid,
            external_userid=gap.external_userid,
            added_at=gap.added_at,
            told_at=now,
        ).on_conflict_ignore().execute()
