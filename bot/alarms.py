"""What an operator must know: raised once, told once, ended when it is over."""

from collections.abc import Collection
from datetime import datetime

import structlog
from peewee import fn

from bot import clock
from bot.effects import Busy
from bot.kegui import Kegui
from bot.messages import tell
from bot.models import Alarm, Staff
from bot.models.alarm import WECOM_REFUSES
from bot.wecom import OperatorNeeded, WeComError

log = structlog.get_logger(__name__)

REFUSES_EVERYBODY = "wecom_refuses_everybody"
WECOM_AWAY = "wecom_unreachable"
AUDIT_BROKEN = "audit_broken"
AUDIT_UNSEALED = "audit_unsealed"
AUDIT_ANCHORS_AWAY = "audit_anchors_away"
LEAVER_UNAPPROVED = "leaver_gone_unapproved"
JOB_LATE = "job_late"


def raise_alarm(
    kind: str,
    subject: str,
    text: str,
    what_to_do: str,
    kegui: Kegui,
    *,
    tell_now: bool = True,
) -> None:
    """Open an alarm unless it is open: one row, one error line, one message to each operator.

    Never fails for WeCom's sake: the row and the log line stand when the message cannot be sent.

    Args:
        tell_now: False: the clock tells, within a minute; who raises it has no time.
    """
    opened = list(
        Alarm.insert(
            kind=kind, subject=subject, text=text, what_to_do=what_to_do, since=clock.now()
        )
        .on_conflict_ignore()
        .returning(Alarm)
        .execute()
    )
    if opened:
        log.error("alarm", kind=kind, subject=subject)
        if tell_now:
            tell_operators(opened[0], kegui)


def tell_operators(alarm: Alarm, kegui: Kegui) -> None:
    """Tell those operators who have not heard of an alarm; safe to repeat, never fails."""
    for operator in Staff.each_spelled(kegui.settings.operators):
        try:
            tell(
                operator,
                "alarm.text",
                about=f"alarm {alarm.id}",
                kegui=kegui,
                ours={"what_to_do": alarm.what_to_do},
                text=alarm.text,
            )
        except (WeComError, Busy) as error:
            log.warning("alarm_not_told", kind=alarm.kind, error=type(error).__name__)


def raise_alarm_for(error: Exception, kegui: Kegui, *, tell_now: bool = True) -> None:
    """Raise an alarm for what only an operator can mend; other troubles pass by themselves."""
    if isinstance(error, OperatorNeeded):
        text = f"企业微信拒绝了接口 {error.endpoint}（错误码 {error.errcode}）"
        if error.errcode is None:
            text = f"接口 {error.endpoint} 无法调用"
        raise_alarm(
            WECOM_REFUSES,
            f"{error.endpoint} {error.errcode}",
            text,
            error.what_to_do,
            kegui,
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
