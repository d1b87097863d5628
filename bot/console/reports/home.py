"""概览: how the house stands now, and what somebody must do next."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from apiflask import APIBlueprint
from flask import render_template, url_for
from flask_babel import LazyString
from flask_babel import lazy_gettext as _l

from bot import clock
from bot.consent.gaps import MOST_NEVER_TOLD
from bot.consent.rights import SEE_GAPS
from bot.console import gate
from bot.console.customers.conflicts import resolvable
from bot.console.gate import SIGNED_IN, allow
from bot.console.pages import kegui, upto
from bot.customers.directory import LEAVERS, NOBODY
from bot.customers.rights import RESOLVE_CONFLICTS, SEE_CONFLICTS, SEE_CUSTOMERS
from bot.handover.progress import running_cases
from bot.handover.rights import APPROVE_OFFBOARDINGS, MOVE_CUSTOMERS, SEE_OFFBOARDINGS
from bot.identity.rights import DECIDE_ROLES
from bot.inbox.rights import REPLAY_EVENTS, SEE_EVENTS
from bot.models.handover import AWAITING_APPROVAL
from bot.models.inbox_event import DEAD
from bot.operations.rights import SEE_ALARMS, SEE_OPERATION
from bot.reports import home
from bot.reports.home import Numbers, Scopes
from bot.rights import Right
from bot.staff.names import names_of

RECENT_EVENTS = 15
SHOWN = 8
SHOWN_ALARMS = 5


class Task(NamedTuple):
    """Something that waits for somebody who has ``right``, and where to look at it."""

    counted: str
    text: LazyString
    endpoint: str
    arguments: Mapping[str, Any]
    right: Right


# The most urgent first; ``counted`` is a field of Numbers.
TASKS = (
    Task(
        "overdue",
        _l("事件长时间没有处理，请检查任务处理进程（worker）是否在运行"),
        "operation.index",
        {},
        SEE_OPERATION,
    ),
    Task(
        "dead",
        _l("事件处理失败，请查明原因后重新处理"),
        "events.index",
        {"state": DEAD},
        REPLAY_EVENTS,
    ),
    Task(
        "approvals",
        _l("离职继承等待审批"),
        "offboardings.index",
        {"kind": AWAITING_APPROVAL},
        APPROVE_OFFBOARDINGS,
    ),
    Task(
        "conflicts",
        _l("归属冲突等待确定归属"),
        "conflicts.index",
        {},
        RESOLVE_CONFLICTS,
    ),
    Task(
        "without_owner",
        _l("客户没有归属成员"),
        "customers.index",
        {"owner": NOBODY},
        MOVE_CUSTOMERS,
    ),
    Task(
        "left_behind",
        _l("客户的归属成员已离职，没有进行中的交接"),
        "customers.index",
        {"owner": LEAVERS},
        MOVE_CUSTOMERS,
    ),
    Task(
        "without_successor",
        _l("客户或客户群没有可接替的成员，请在交接中另选接替成员"),
        "offboardings.index",
        {"kind": "without_successor"},
        SEE_OFFBOARDINGS,
    ),
    Task("gaps", _l("客户没有收到存档告知"), "gaps.index", {}, SEE_GAPS),
    Task(
        "hand_work",
        _l("交接事项需要人工处理"),
        "offboardings.index",
        {"kind": "by_hand"},
        SEE_OFFBOARDINGS,
    ),
    Task(
        "proposals",
        _l("角色变更等待另一人复核"),
        "rights.index",
        {},
        DECIDE_ROLES,
    ),
)

# Where the counting of a task ends.
MOST = {
    "without_owner": home.MOST_NUMBERED,
    "left_behind": home.MOST_NUMBERED,
    "conflicts": home.MOST_NUMBERED,
    "without_successor": home.MOST_COUNTED,
}

blueprint = APIBlueprint("home", __name__, template_folder="templates", enable_openapi=False)


@blueprint.get("/")
@allow(SIGNED_IN, shows_customers=True)
def show() -> str:
    """What waits for the asker, counts that lead to lists, and what runs or came in last."""
    me = gate.me()
    numbers = home.numbers(clock.now(), kegui().settings.zone, _scopes())
    alarms = home.open_alarms() if me.may(SEE_ALARMS) else []
    events = home.recent_events(RECENT_EVENTS) if me.may(SEE_EVENTS) else []
    conflicts = home.open_conflicts(SHOWN, gate.scope(SEE_CONFLICTS))
    cases = running_cases(SHOWN, gate.scope(SEE_OFFBOARDINGS))
    members = [
        *(event.userid for event in events),
        *(case.handover.userid for case in cases),
        *(conflict.owner for conflict in conflicts),
        *(userid for conflict in conflicts for userid in conflict.contenders),
    ]
    customers = gate.customers_shown(
        row.external_userid for rows in (events, conflicts) for row in rows
    )
    if customers:
        gate.record_look(
            "home.look", "customers", external_userids=",".join(dict.fromkeys(customers))
        )
    return render_template(
        "home/show.html",
        numbers=numbers,
        never_told=upto(numbers.never_told, MOST_NEVER_TOLD),
        tasks=_tasks(numbers),
        alarms=alarms[:SHOWN_ALARMS],
        most_counted=home.MOST_COUNTED,
        most_numbered=home.MOST_NUMBERED,
        conflicts=conflicts,
        mine_to_resolve=resolvable(conflicts),
        cases=cases,
        events=events,
        names=names_of(staff=members, customers=customers),
    )


def _scopes() -> Scopes:
    return Scopes(
        customers=gate.scope(SEE_CUSTOMERS),
        conflicts=gate.scope(SEE_CONFLICTS),
        gaps=gate.scope(SEE_GAPS),
        handovers=gate.scope(SEE_OFFBOARDINGS),
    )


def _tasks(numbers: Numbers) -> list[tuple[str, Task, str]]:
    """What waits for the asker now: how much of it, what it is, and its address."""
    return [
        (
            upto(number, MOST.get(task.counted)),
            task,
            url_for(f"console.{task.endpoint}", **task.arguments),
        )
        for task in TASKS
        if gate.me().may(task.right) and (number := getattr(numbers, task.counted))
    ]
