"""Troubles that no single event shows, and troubles that are over."""

from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial

import structlog

from bot import clock
from bot.alarms import (
    JOB_LATE,
    LEAVER_UNAPPROVED,
    REFUSES_EVERYBODY,
    WECOM_AWAY,
    end_alarm,
    end_others,
    last_end,
    open_alarms,
    raise_alarm,
    tell_operators,
)
from bot.consent.gaps import members_without_codes
from bot.customers import phones
from bot.db import released
from bot.kegui import Kegui
from bot.models import Alarm, Customer, EndpointRefusal, Handover, Staff
from bot.models.alarm import WECOM_REFUSES
from bot.models.handover import AWAITING_APPROVAL, PLANNED
from bot.operations.state import late_jobs
from bot.operations.timetable import Outages
from bot.reason import Reason
from bot.wecom import (
    OperatorNeeded,
    Paused,
    Refused,
    Throttled,
    Transient,
    WeCom,
    WeComError,
    what_to_do,
)
from bot.wecom.pause_list import FORGOTTEN, is_any_silent, known, longest_outage

log = structlog.get_logger(__name__)

KIND_SILENT = "no_welcome_codes"
THIS_LOOK = "alarms.look_for_late_jobs"
# What waits for an endpoint tries soon after its pause: here nobody did, so nobody waits.
TRIED_LATELY = timedelta(seconds=75)


def look_for_outages(kegui: Kegui) -> None:
    """One alarm for as long as WeCom cannot be reached, whatever is being asked of it."""
    outage = longest_outage(clock.now())
    if outage is None or (outage.until < clock.now() - TRIED_LATELY and _answers(kegui)):
        end_alarm(WECOM_AWAY)
        return
    facts = {"since": outage.since.isoformat(), "endpoint": outage.endpoint}
    raise_alarm(WECOM_AWAY, "", Reason(WECOM_AWAY, facts), kegui)


def _answers(kegui: Kegui) -> bool:
    """Ask WeCom something harmless: of what failed last, nobody has wanted anything since."""
    try:
        with released():
            kegui.wecom.customers.follow_users()
    except (Transient, Throttled, Paused):
        return False
    except (OperatorNeeded, Refused):
        return True  # an answer, too
    return True


def look_for_refusals_of_everybody(kegui: Kegui) -> None:
    """One alarm for each endpoint that refuses whomever it is asked about, until it serves one."""
    refusing = list(EndpointRefusal.select().order_by(EndpointRefusal.since))
    for row in refusing:
        facts = {"endpoint": row.endpoint, "number": row.records, "errcode": row.errcode}
        raise_alarm(
            REFUSES_EVERYBODY,
            row.name,
            Reason(REFUSES_EVERYBODY, facts),
            kegui,
            advice=what_to_do(row.errcode) or None,
        )
    end_others(REFUSES_EVERYBODY, {row.name for row in refusing})


def look_for_silent_members(kegui: Kegui) -> None:
    """One alarm for each member whose adds never bring a welcome code."""
    silent = members_without_codes()
    for userid in silent:
        raise_alarm(KIND_SILENT, userid, Reason(KIND_SILENT, {"member": userid}), kegui)
    end_others(KIND_SILENT, silent)


def look_for_late_jobs(kegui: Kegui) -> None:
    """One alarm for each job of the timetable that has not gone well for too long.

    Where this one has not either, no clock struck: the others are late by no fault of theirs, and
    strike now. The next look finds those that do not go well. Where WeCom is out of reach, the one
    alarm of that stands for all jobs that fail for no other reason.
    """
    now = clock.now()
    late = late_jobs(now)
    if any(job.name == THIS_LOOK for job in late):
        return
    outages = _outages(now)
    for job in late:
        if job.is_excused(outages, now):
            continue
        facts = {"job": job.name, "since": job.well_at.isoformat()}
        raise_alarm(JOB_LATE, job.name, Reason(JOB_LATE, facts), kegui)
    end_others(JOB_LATE, [job.name for job in late])


def _outages(now: datetime) -> Outages:
    """WeCom is out of reach from the first endpoint that gives no answer, not only from when that
    has lasted for long enough to be an alarm."""
    is_on = bool(open_alarms(WECOM_AWAY)) or is_any_silent(now)
    return Outages(is_on, last_end(WECOM_AWAY))


def tell_untold(kegui: Kegui) -> None:
    """Tell of each open alarm whoever could not be told when it was raised."""
    for alarm in list(Alarm.select().where(Alarm.ended_at.is_null()).order_by(Alarm.since)):
        # Often it can be told only when WeCom is back, and then it may just have ended.
        if Alarm.get_by_id(alarm.id).ended_at is None:
            tell_operators(alarm, kegui)


def end_finished_alarms(kegui: Kegui) -> None:
    """A leave that waits for nobody needs no approval; of a refused endpoint that nobody has
    called for long nothing is known any more. The call that goes well ends its alarm at once."""
    for alarm in open_alarms(LEAVER_UNAPPROVED):
        if Handover.get_by_id(alarm.reason.facts["handover"]).state not in (
            PLANNED,
            AWAITING_APPROVAL,
        ):
            end_alarm(LEAVER_UNAPPROVED, alarm.subject)
    phones.end_alarms(kegui)
    _ask_what_was_refused(kegui)
    now = clock.now()
    paused = {row.endpoint for row in known(now)}
    for alarm in open_alarms(WECOM_REFUSES):
        is_old = alarm.since < now - FORGOTTEN
        if is_old and alarm.reason.facts.get("endpoint") not in paused and "*" not in paused:
            end_alarm(WECOM_REFUSES, alarm.subject)


def _ask_what_was_refused(kegui: Kegui) -> None:
    """Call what was refused once its pause is over, where that changes nothing: nobody else may
    want it for long. A call that goes well ends the pause, and the alarm with it."""
    now = clock.now()
    over = {row.endpoint for row in known(now) if row.until <= now}
    member = Staff.get_or_none(Staff.serves, Staff.left_at.is_null())
    customer = Customer.select().order_by(Customer.external_userid).first()
    refused = {alarm.reason.facts["endpoint"] for alarm in open_alarms(WECOM_REFUSES)}
    for endpoint in refused & over:
        harmless = _harmless(endpoint, kegui.wecom, member, customer)
        if harmless is None:
            continue
        try:
            with released():
                harmless()
        except WeComError as error:
            log.info("still_refused", endpoint=endpoint, errcode=error.errcode)


def _harmless(
    endpoint: str, wecom: WeCom, member: Staff | None, customer: Customer | None
) -> Callable[[], object] | None:
    """Return a call of the endpoint that only reads, if there is one."""
    calls: dict[str, Callable[[], object]] = {
        "externalcontact/get_follow_user_list": wecom.customers.follow_users,
        "externalcontact/list_contact_way": lambda: next(wecom.contact_ways.ids(), None),
        "externalcontact/get_unassigned_list": wecom.resigned.unassigned_page,
        "department/list": wecom.contacts.departments,
    }
    if member is not None:
        calls |= {
            "user/get": partial(wecom.contacts.user, member.userid),
            "externalcontact/list": partial(wecom.customers.ids_of, member.userid),
            "externalcontact/batch/get_by_user": partial(
                wecom.customers.batch_by_user, member.userid
            ),
            "externalcontact/groupchat/list": partial(wecom.groups.owned_by, member.userid),
        }
    if customer is not None:
        calls["externalcontact/get"] = partial(wecom.customers.get, customer.external_userid)
    return calls.get(endpoint)
