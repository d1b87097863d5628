"""Licences that end soon: told thirty days before, while there is time to renew them."""

from bot import clock
from bot.alarms import end_others, raise_alarm
from bot.kegui import Kegui
from bot.models import Staff
from bot.reason import Reason
from bot.staff import duty

LICENCE_EXPIRES = "licence_expires"


def look_for_expiring(kegui: Kegui) -> None:
    """One alarm for each member of whom a licence ends within thirty days, or has ended."""
    today = clock.now().astimezone(kegui.settings.zone).date()
    found = []
    for member in Staff.select().where(Staff.left_at.is_null()).order_by(Staff.userid):
        ends = duty.expiring(duty.licences_of(member.licences), today)
        if not ends:
            continue
        found.append(member.userid)
        said = "、".join(f"{one.kind}（{one.valid_to}）" for one in ends)
        raise_alarm(
            LICENCE_EXPIRES,
            member.userid,
            Reason(LICENCE_EXPIRES, {"member": member.userid, "licences": said}),
            kegui,
        )
    end_others(LICENCE_EXPIRES, found)
