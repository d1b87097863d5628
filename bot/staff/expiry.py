"""Licences that end soon: told thirty days before, while there is time to renew them."""

from bot import clock
from bot.alarms import end_others, raise_alarm
from bot.kegui import Kegui
from bot.models import Staff
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
            f"成员 {member.name or member.userid} 的资质即将到期或已到期：{said}",
            "请续期后在成员页更新有效期；到期后，需要该资质的客户不再分给这位成员",
            kegui,
        )
    end_others(LICENCE_EXPIRES, found)
