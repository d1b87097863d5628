"""What an operator must know: raised once, told once, ended when it is over."""

from collections.abc import Collection
from datetime import datetime, tzinfo

import structlog
from peewee import fn

from bot import clock
from bot.effects import Busy
from bot.kegui import Kegui
from bot.language import CHINESE, spoken
from bot.messages import tell
from bot.models import Alarm, Staff
from bot.models.alarm import WECOM_REFUSES
from bot.reason import Reason, in_words
from bot.wecom import OperatorNeeded, WeComError

log = structlog.get_logger(__name__)

REFUSES_EVERYBODY = "wecom_refuses_everybody"
WECOM_AWAY = "wecom_unreachable"
AUDIT_BROKEN = "audit_broken"
AUDIT_UNSEALED = "audit_unsealed"
AUDIT_ANCHORS_AWAY = "audit_anchors_away"
CANNOT_BE_CALLED = "wecom_endpoint_cannot_be_called"
LEAVER_UNAPPROVED = "leaver_gone_unapproved"
JOB_LATE = "job_late"


def raise_alarm(
    kind: str,
    subject: str,
    reason: Reason,
    kegui: Kegui,
    *,
    advice: Reason | None = None,
    tell_now: bool = True,
) -> None:
    """Open an alarm unless it is open: one row, one error line, one message to each operator.

    Never fails for WeCom's sake: the row and the log line stand when the message cannot be sent.

    Args:
        reason: what is wrong.
        advice: what to do about it; None: what ``advice_on`` gives.
        tell_now: False: the clock tells, within a minute; who raises it has no time.
    """
    opened = list(
        Alarm.insert(
            kind=kind,
            subject=subject,
            since=clock.now(),
            **reason.columns(),
            **(advice or advice_on(reason)).columns("advice"),
        )
        .on_conflict_ignore()
        .returning(Alarm)
        .execute()
    )
    if opened:
        log.error("alarm", kind=kind, subject=subject)
        if tell_now:
            tell_operators(opened[0], kegui)


def advice_on(reason: Reason) -> Reason:
    """Return what to do where one thing is to be done about all such troubles."""
    return Reason(f"do_about_{reason.code}", reason.facts)


def told(alarm: Alarm, zone: tzinfo) -> tuple[str, str]:
    """Say what is wrong and what to do, with people's names and the firm's clock."""
    readers = {"member": _name_of, "since": lambda at: f"{_moment(at, zone):%m-%d %H:%M}"}
    return in_words(alarm.reason, readers), in_words(alarm.advice, readers)


def _name_of(userid: str) -> str:
    member = Staff.get_or_none(Staff.userid == userid)
    return member.name if member is not None and member.name else userid


def _moment(at: str, zone: tzinfo) -> datetime:
    return datetime.fromisoformat(at).astimezone(zone)


def tell_operators(alarm: Alarm, kegui: Kegui) -> None:
    """Tell those operators who have not heard of an alarm; safe to repeat, never fails."""
    with spoken(CHINESE):
        text, what_to_do = told(alarm, kegui.settings.zone)
    for operator in Staff.each_spelled(kegui.settings.operators):
        try:
            tell(
                operator,
                "alarm.text",
                about=f"alarm {alarm.id}",
                kegui=kegui,
                ours={"what_to_do": what_to_do},
                text=text,
            )
        except (WeComError, Busy) as error:
            log.warning("alarm_not_told", kind=alarm.kind, error=type(error).__name__)


def raise_alarm_for(error: Exception, kegui: Kegui, *, tell_now: bool = True) -> None:
    """Raise an alarm for what only an operator can mend; other troubles pass by themselves."""
    if isinstance(error, OperatorNeeded):
        facts = {"endpoint": error.endpoint, "errcode": error.errcode}
        code = CANNOT_BE_CALLED if error.errcode is None else WECOM_REFUSES
        raise_alarm(
            WECOM_REFUSES,
            f"{error.endpoint} {error.errcode}",
            Reason(code, facts),
            kegui,
            advice=error.what_to_do,
            tell_now=tell_now,
        )


def end_alarm(kind: str, subject: str = "") -> None:
    """Close the alarm: what it said is over."""
    Alarm.update(ended_at=clock.now()).where(
        Alarm.kind == kind, Alarm.subject == subject, Alarm.ended_at.is_null()
    ).execute()


def open_alarms(kind: str) -> list[Alarm]:
    """Return the alarms of a kind that are not over."""
    return list(Alarm.select().where(Alarm.kind == kind, Alarm.ended_at.is_null()))


def last_end(kind: str) -> datetime | None:
    """Return when an alarm of a kind ended last."""
    ended: datetime | None = Alarm.select(fn.MAX(Alarm.ended_at)).where(Alarm.kind == kind).scalar()
    return ended


def end_others(kind: str, still: Collection[str]) -> None:
    """Close the alarms of a kind about all that is not in trouble ``still``."""
    for alarm in open_alarms(kind):
        if alarm.subject not in still:
            end_alarm(kind, alarm.subject)
