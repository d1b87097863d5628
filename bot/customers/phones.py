"""Who sees customers' phone numbers, and how many in an hour before somebody is told."""

from datetime import timedelta

from bot import clock
from bot.alarms import end_alarm, raise_alarm
from bot.audit.log import Who
from bot.db import locked, transaction
from bot.kegui import Kegui
from bot.models import Alarm, AuditEntry, Staff
from bot.reason import Reason

REVEALED, REFUSED = "customer.reveal_phones", "customer.refuse_phones"
PHONES_OFTEN = "phones_revealed_often"
HOUR = timedelta(hours=1)


class TooMany(Exception):
    """Somebody has seen the phones of as many customers within an hour as one may."""


def note_reveal(external_userid: str, by: Who, kegui: Kegui) -> None:
    """Write down that somebody sees a customer's phone numbers; unwritten, none is shown.

    The same customer again counts once.

    Raises:
        TooMany: nothing may be shown; the operators are told.
    """
    subject = f"customer {external_userid}"
    most = kegui.settings.phones_per_hour
    with transaction():
        # Two browsers of one person wait for each other.
        list(locked(Staff.select(Staff.userid).where(Staff.userid == by.actor)))
        seen = _seen_in_an_hour(by.actor)
        is_allowed = subject in seen or len(seen) < most
        kegui.audit.record(by, REVEALED if is_allowed else REFUSED, subject)
    if is_allowed:
        return
    raise_alarm(
        PHONES_OFTEN,
        by.actor,
        Reason(PHONES_OFTEN, {"member": by.actor, "most": most}),
        kegui,
    )
    raise TooMany


def end_alarms(kegui: Kegui) -> None:
    """End the alarms about those who have seen fewer in the last hour."""
    about = Alarm.select().where(Alarm.kind == PHONES_OFTEN, Alarm.ended_at.is_null())
    for alarm in list(about):
        if len(_seen_in_an_hour(alarm.subject)) < kegui.settings.phones_per_hour:
            end_alarm(PHONES_OFTEN, alarm.subject)


def _seen_in_an_hour(actor: str) -> set[str]:
    """The customers whose phones somebody saw; the latest of their entries come first."""
    began = clock.now() - HOUR
    query = (
        AuditEntry.select(AuditEntry.subject)
        .where(AuditEntry.actor == actor, AuditEntry.act == REVEALED, AuditEntry.at > began)
        .distinct()
    )
    return {entry.subject for entry in query}
