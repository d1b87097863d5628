"""Troubles that no single event shows, and troubles that are over."""

from datetime import timedelta

from bot import clock
from bot.actions.alarms import WECOM_REFUSES, end_alarm, raise_alarm
from bot.kegui import Kegui
from bot.models import Alarm, EndpointPause, Staff
from bot.reports.gaps import members_without_codes

KIND_SILENT = "no_welcome_codes"
QUIET = timedelta(minutes=15)


def look_for_silent_members(kegui: Kegui) -> None:
    """One alarm for each member whose adds never bring a welcome code."""
    silent = members_without_codes()
    for userid in silent:
        member = Staff.get_or_none(Staff.userid == userid)
        name = member.name if member and member.name else userid
        raise_alarm(
            KIND_SILENT,
            userid,
            f"成员 {name} 的新客户一直没有欢迎语凭证，无法自动发送告知",
            "请检查企业微信后台是否为该成员配置了欢迎语；如有，请移除，由客规发送",
            kegui,
        )
    for alarm in Alarm.select().where(Alarm.kind == KIND_SILENT, Alarm.ended_at.is_null()):
        if alarm.subject not in silent:
            end_alarm(KIND_SILENT, alarm.subject)


def end_finished_alarms(kegui: Kegui) -> None:
    """A refused endpoint that nothing pauses any more works again."""
    now = clock.now()
    paused = {
        row.endpoint for row in EndpointPause.select().where(EndpointPause.until > now - QUIET)
    }
    for alarm in Alarm.select().where(
        Alarm.kind == WECOM_REFUSES, Alarm.ended_at.is_null(), Alarm.since < now - QUIET
    ):
        if alarm.subject.split(" ")[0] not in paused and "*" not in paused:
            end_alarm(WECOM_REFUSES, alarm.subject)
