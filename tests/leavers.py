"""The ways in which a member leaves the firm, as Kegui learns of them."""

from datetime import timedelta

from bot import clock
from bot.models import Handover, Staff


def leave_in_wecom(userid: str) -> None:
    Staff.update(left_at=clock.now()).where(Staff.userid == userid).execute()


def be_disabled(userid: str) -> None:
    Staff.update(status=2).where(Staff.userid == userid).execute()


def see_the_last_day_end(userid: str) -> None:
    Handover.create(
        kind="offboarding",
        userid=userid,
        last_day=(clock.now() + timedelta(hours=8, days=-1)).date(),
        mode="approve",
        state="running",
        approved_at=clock.now(),
        source="test",
        created_at=clock.now(),
        updated_at=clock.now(),
    )


WAYS = [leave_in_wecom, be_disabled, see_the_last_day_end]
