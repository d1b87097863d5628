"""交接: leavers' cases and managers' handovers, to the last customer."""

from apiflask import APIBlueprint
from flask import abort, render_template

from bot.console import gate
from bot.console.gate import allow
from bot.console.pages import PAGE_SIZE, choice, page_number
from bot.models import Department, Handover, HandoverItem, Staff
from bot.models.handover import (
    AWAITING_APPROVAL,
    GROUP,
    HANDOVER_OPEN,
    IN_SERVICE,
    OFFBOARDING,
)
from bot.reports.cases import (
    ITEM_STATES,
    attempts_of,
    cases,
    hand_work_counts,
    hand_work_of,
    items_of,
)
from bot.reports.names import names_of
from bot.reports.paging import page_of_query
from bot.rules.rights import Right

blueprint = APIBlueprint("offboardings", __name__, url_prefix="/offboardings", enable_openapi=False)


@blueprint.get("")
@allow(Right.SEE_OFFBOARDINGS)
def index() -> str:
    """All cases, the latest first; or only the open ones, leavers or managers' moves."""
    kind = choice("kind", ("", "open", AWAITING_APPROVAL, OFFBOARDING, IN_SERVICE), "")
    query = gate.scope(Right.SEE_OFFBOARDINGS).of_members(Handover.select(), Handover.userid)
    if kind == "open":
        query = query.where(Handover.state.in_(HANDOVER_OPEN))
    elif kind == AWAITING_APPROVAL:
        query = query.where(Handover.state == AWAITING_APPROVAL)
    elif kind:
        query = query.where(Handover.kind == kind)
    page = page_of_query(query.order_by(Handover.id.desc()), page_number(), PAGE_SIZE)
    shown = cases(page.rows)
    return render_template(
        "offboardings/index.html",
        cases=shown,
        by_hand=hand_work_counts(page.rows),
        page=page,
        kind=kind,
        names=names_of(staff=[case.handover.userid for case in shown]),
    )


@blueprint.get("/<int(max=9223372036854775807):handover_id>")
@allow(Right.SEE_OFFBOARDINGS)
def show(handover_id: int) -> str:
    """One case: who, when, how far, each customer and group, and what is left to do by hand."""
    handover = _visible(handover_id)
    state = choice("state", ("", *ITEM_STATES), "")
    page = page_of_query(items_of(handover, state), page_number(), PAGE_SIZE)
    items: list[HandoverItem] = list(page.rows)
    attempts = attempts_of(items)
    members = [
        handover.userid,
        *handover.successors,
        *(item.takeover_userid for item in items),
        *(attempt.takeover_userid for tries in attempts.values() for attempt in tries),
    ]
    return render_template(
        "offboardings/show.html",
        case=cases([handover])[0],
        departments=_departments_of(handover.userid),
        page=page,
        items=items,
        attempts=attempts,
        state=state,
        hand_work=hand_work_of(handover),
        names=names_of(
            staff=members,
            customers=gate.customers_shown(item.subject for item in items if item.kind != GROUP),
            groups=[item.subject for item in items if item.kind == GROUP],
        ),
    )


def _visible(handover_id: int) -> Handover:
    """The handover, if it is of a member whose handovers the asker may see."""
    handover = Handover.get_or_none(Handover.id == handover_id)
    if handover is None or not gate.scope(Right.SEE_OFFBOARDINGS).has(handover.userid):
        abort(404)
    return handover


def _departments_of(userid: str) -> list[str]:
    member = Staff.get_or_none(Staff.userid == userid)
    if member is None or not member.departments:
        return []
    query = Department.select().where(Department.id.in_(list(member.departments)))
    return [row.name or str(row.id) for row in query.order_by(Department.id)]
