"""Troubles that no single event shows, and troubles that are over."""

from datetime import timedelta

from bot import clock
from bot.actions import phones
from bot.actions.alarms import (
    LEAVER_UNAPPROVED,
    REFUSES_EVERYBODY,
    WECOM_AWAY,
    WECOM_REFUSES,
    end_alarm,
    raise_alarm,
    tell_operators,
)
from bot.db import released
from bot.kegui import Kegui
from bot.models import Alarm, EndpointRefusal, Handover, Staff
from bot.models.handover import AWAITING_APPROVAL, PLANNED
from bot.reports.gaps import members_without_codes
from bot.reports.pauses import FORGOTTEN, known, longest_outage
from bot.wecom import OperatorNeeded, Paused, Refused, Throttled, Transient, what_to_do

KIND_SILENT = "no_welcome_codes"
# Longer than any pause after network errors.
TRIED_LATELY = timedelta(seconds=150)


def look_for_outages(kegui: Kegui) -> None:
    """One alarm for as long as WeCom cannot be reached, whatever is being asked of it."""
    outage = longest_outage(clock.now())
    if outage is None or (outage.until < clock.now() - TRIED_LATELY and _answers(kegui)):
        end_alarm(WECOM_AWAY)
        return
    since = outage.since.astimezone(kegui.settings.zone)
    raise_alarm(
        WECOM_AWAY,
        "",
        f"自 {since:%m-%d %H:%M} 起无法正常访问企业微信（接口 {outage.endpoint}）",
        "请检查本机网络、DNS、代理与防火墙；如本机正常，请等待企业微信恢复，积压的事件会自动补做",
        kegui,
    )


def _answers(kegui: Kegui) -> bool:
    """Ask WeCom something harmless: of what failed last, nobody has wanted anything since."""
    try:
        with released():
            kegui.wecom.follow_users()
    except (Transient, Throttled, Paused):
        return False
    except (OperatorNeeded, Refused):
        return True  # an answer, too
    return True


def look_for_refusals_of_everybody(kegui: Kegui) -> None:
    """One alarm for each endpoint that refuses whomever it is asked about, until it serves one."""
    refusing = list(EndpointRefusal.select().order_by(EndpointRefusal.since))
    for row in refusing:
        raise_alarm(
            REFUSES_EVERYBODY,
            row.name,
            f"接口 {row.endpoint} 连续拒绝了 {row.records} 个不同对象的请求"
            f"（错误码 {row.errcode}）",
            what_to_do(row.errcode) or "请运行 kegui doctor 核对所发送的内容，并查看该错误码的说明",
            kegui,
        )
    names = {row.name for row in refusing}
    open_ones = Alarm.select().where(Alarm.kind == REFUSES_EVERYBODY, Alarm.ended_at.is_null())
    for alarm in list(open_ones):
        if alarm.subject not in names:
            end_alarm(REFUSES_EVERYBODY, alarm.subject)


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
    for alarm in list(Alarm.select().where(Alarm.kind == KIND_SILENT, Alarm.ended_at.is_null())):
        if alarm.subject not in silent:
            end_alarm(KIND_SILENT, alarm.subject)


def tell_untold(kegui: Kegui) -> None:
    """Tell of each open alarm whoever could not be told when it was raised."""
    for alarm in list(Alarm.select().where(Alarm.ended_at.is_null()).order_by(Alarm.since)):
        # Often it can be told only when WeCom is back, and then it may just have ended.
        if Alarm.get_by_id(alarm.id).ended_at is None:
            tell_operators(alarm, kegui)


def end_finished_alarms(kegui: Kegui) -> None:
    """A refused endpoint that nothing pauses any more works again; a leave that waits for nobody
    needs no approval."""
    for alarm in list(
        Alarm.select().where(Alarm.kind == LEAVER_UNAPPROVED, Alarm.ended_at.is_null())
    ):
        if Handover.get_by_id(int(alarm.subject)).state not in (PLANNED, AWAITING_APPROVAL):
            end_alarm(LEAVER_UNAPPROVED, alarm.subject)
    phones.end_alarms(kegui)
    now = clock.now()
    paused = {row.endpoint for row in known(now)}
    lasting = Alarm.select().where(
        Alarm.kind == WECOM_REFUSES, Alarm.ended_at.is_null(), Alarm.since < now - FORGOTTEN
    )
    for alarm in list(lasting):
        if alarm.subject.split(" ")[0] not in paused and "*" not in paused:
            end_alarm(WECOM_REFUSES, alarm.subject)
