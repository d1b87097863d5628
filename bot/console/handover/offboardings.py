"""交接: leavers' cases and managers' handovers, to the last customer."""

from collections.abc import Iterable
from datetime import date
from urllib.parse import urlencode

from apiflask import APIBlueprint
from flask import abort, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from bot import alarms
from bot.console import gate
from bot.console.gate import allow
from bot.console.member_input import Unclear, account_of, accounts_of
from bot.console.pages import PAGE_SIZE, choice, kegui, page_number
from bot.console.reasons import reason
from bot.customers.rights import SEE_CUSTOMERS
from bot.handover import hand_work, handovers
from bot.handover.progress import (
    BY_HAND,
    ITEM_STATES,
    attempts_of,
    cases,
    counts_by_successor,
    hand_work_of,
    items_of,
    opened_by,
    with_hand_work,
    with_plans_for_nobody,
)
from bot.handover.rights import (
    APPROVE_OFFBOARDINGS,
    MOVE_CUSTOMERS,
    OPEN_OFFBOARDINGS,
    SEE_OFFBOARDINGS,
)
from bot.handover.rules import LastDay, judge_last_day
from bot.handover.run import begins_at
from bot.identity.access import Scope
from bot.identity.moved import NeedsProof
from bot.identity.people import listed, serving_members
from bot.identity.proposals import SamePerson, humans_of, open_one, proposer_of
from bot.models import Department, Handover, HandoverItem, HandWork, Staff
from bot.models.handover import (
    APPROVE,
    AWAITING_APPROVAL,
    DONE_WITH_EXCEPTIONS,
    GROUP,
    HANDOVER_OPEN,
    IN_SERVICE,
    OFFBOARDING,
    RUNNING,
)
from bot.paging import page_of_query
from bot.rights import Right
from bot.staff.names import names_of
from bot.staff.staff import candidates
from bot.wecom import WeComError

WITHOUT_SUCCESSOR = "without_successor"
# What the list can be narrowed to.
KINDS = (
    "",
    "open",
    AWAITING_APPROVAL,
    BY_HAND,
    WITHOUT_SUCCESSOR,
    DONE_WITH_EXCEPTIONS,
    OFFBOARDING,
    IN_SERVICE,
)
# Beyond so many a list to choose from helps nobody: one types a name.
MOST_LISTED = 200

Form = dict[str, str]
Errors = dict[str, str]

blueprint = APIBlueprint(
    "offboardings",
    __name__,
    template_folder="templates",
    url_prefix="/offboardings",
    enable_openapi=False,
)


@blueprint.get("")
@allow(SEE_OFFBOARDINGS)
def index() -> str:
    """All cases, the latest first; or only some of them: those that are open, for example."""
    kind = choice("kind", KINDS, "")
    query = gate.scope(SEE_OFFBOARDINGS).of_members(Handover.select(), Handover.userid)
    if kind == "open":
        query = query.where(Handover.state.in_(HANDOVER_OPEN))
    elif kind == AWAITING_APPROVAL:
        query = query.where(Handover.state == AWAITING_APPROVAL)
    elif kind == DONE_WITH_EXCEPTIONS:
        query = query.where(Handover.state == DONE_WITH_EXCEPTIONS)
    elif kind == BY_HAND:
        query = with_hand_work(query)
    elif kind == WITHOUT_SUCCESSOR:
        query = with_plans_for_nobody(query)
    elif kind:
        query = query.where(Handover.kind == kind)
    page = page_of_query(query.order_by(Handover.id.desc()), page_number(), PAGE_SIZE)
    shown = cases(page.rows)
    if shown:
        gate.record_look("offboarding.list", "offboardings", kind=kind or None, page=page.number)
    return render_template(
        "offboardings/index.html",
        cases=shown,
        page=page,
        kind=kind,
        names=names_of(staff=[case.handover.userid for case in shown]),
    )


@blueprint.get("/<int(max=9223372036854775807):handover_id>")
@allow(SEE_OFFBOARDINGS, shows_customers=True)
def show(handover_id: int) -> str:
    """One case: who, when, how far, each customer and group, and what is left to do by hand."""
    handover = _visible(handover_id)
    state = choice("state", ("", *ITEM_STATES), "")
    page = page_of_query(items_of(handover, state), page_number(), PAGE_SIZE)
    items: list[HandoverItem] = list(page.rows)
    attempts = attempts_of(items)
    proposer = proposer_of(handover.kind, handover.subject) or opened_by(handover)
    by_hand = hand_work_of(handover)
    sees_customers = gate.scope(SEE_CUSTOMERS).has(handover.userid)
    by_successor = [] if sees_customers else counts_by_successor(handover, state)
    members = [
        proposer,
        handover.userid,
        handover.approved_by,
        *handover.successors,
        *(work.done_by for work in by_hand),
        *(userid for userid, _counts in by_successor),
        *(item.takeover_userid for item in items),
        *(attempt.takeover_userid for tries in attempts.values() for attempt in tries),
    ]
    shown = gate.customers_shown(item.subject for item in items if item.kind != GROUP)
    groups = [item.subject for item in items if item.kind == GROUP]
    groups = groups if sees_customers else []
    # Those whom HR does not see are none: the log says who saw the customers, not only the leaver.
    _record_look(handover, customers=len(shown))
    is_own = gate.who().is_person(handover.userid)
    may_cancel = gate.scope(OPEN_OFFBOARDINGS).has(handover.userid) and not is_own
    return render_template(
        "offboardings/show.html",
        may_approve=gate.scope(APPROVE_OFFBOARDINGS).has(handover.userid),
        is_own=is_own,
        may_cancel=may_cancel,
        may_open=gate.scope(OPEN_OFFBOARDINGS).has(handover.userid) and not is_own,
        may_change=may_cancel and (handover.state != RUNNING or _may_move(handover.userid)),
        case=cases([handover])[0],
        begins_at=begins_at(handover, kegui()),
        departments=_departments_of(handover.userid),
        page=page,
        items=items,
        attempts=attempts,
        state=state,
        hand_work=by_hand,
        states=ITEM_STATES,
        by_successor=by_successor,
        sees_customers=sees_customers,
        proposer=proposer,
        names=names_of(
            staff=members,
            customers=shown,
            groups=groups,
        ),
    )


@blueprint.route("/new", methods=["GET", "POST"])
@allow(OPEN_OFFBOARDINGS)
def new() -> ResponseReturnValue:
    """Say that somebody leaves; another person approves."""
    form: Form = dict(request.form if request.method == "POST" else request.args)
    errors: Errors = {}
    doubtful: date | None = None
    if request.method == "POST":
        userid, day, errors = _read_form(form, gate.scope(OPEN_OFFBOARDINGS))
        successors = _read_successors(form, errors)
        doubtful = None if errors else _doubtful(day, form)
        if not errors and day is not None and doubtful is None:
            opened, errors = _open(userid, day, successors, form.get("reason", "").strip())
            if opened is not None:
                return redirect(url_for("console.offboardings.show", handover_id=opened.id))
    page = render_template(
        "offboardings/new.html",
        form=form,
        errors=errors,
        doubtful=doubtful,
        members=listed(serving_members(gate.scope(OPEN_OFFBOARDINGS)), MOST_LISTED),
        heirs=listed(serving_members(), MOST_LISTED),
    )
    return page, 422 if errors or doubtful else 200


@blueprint.route("/<int(max=9223372036854775807):handover_id>/approve", methods=["GET", "POST"])
@allow(APPROVE_OFFBOARDINGS)
def approve(handover_id: int) -> ResponseReturnValue:
    """Let the case begin; over twenty customers need a fresh proof of who approves."""
    handover = _visible(handover_id, APPROVE_OFFBOARDINGS)
    # In this order: a page never shows older terms than those of the proposal that it names.
    proposal = open_one(handover.kind, handover.subject)
    case = cases([Handover.get_by_id(handover_id)])[0]
    back = url_for("console.offboardings.show", handover_id=handover.id)
    number = handovers.would_move(handover)
    if gate.needs_proof(number):
        return gate.to_step_up()
    if request.method == "POST":
        seen = request.form.get("proposal", type=int) or 0
        try:
            handovers.approve(handover, gate.who(), kegui(), proposal_id=seen)
            flash(_("已审批。交接会按计划开始，进度显示在本页。"), "good")
        except SamePerson:
            flash(_("您是这项交接的发起人、修改人或当事人，须由另一位主管或合规专员审批。"), "bad")
        except NeedsProof:
            # Another browser of the same person was quicker.
            return gate.to_step_up()
        except handovers.Changed:
            flash(_("这项交接刚刚被修改，没有审批。请核对新的安排后再审批。"), "warn")
        except handovers.NotPossible:
            flash(_("这项交接已经结束，无需审批。"), "info")
        return redirect(back)
    by_successor = counts_by_successor(handover)
    _record_look(handover)
    return render_template(
        "offboardings/approve.html",
        case=case,
        number=number,
        back=back,
        proposal=proposal,
        begins_at=begins_at(handover, kegui()),
        by_successor=by_successor,
        unfit=_unfit_by_now(userid for userid, _counts in by_successor),
        is_own=gate.who().is_person(handover.userid, *(humans_of(proposal) if proposal else ())),
        names=names_of(
            staff=[
                handover.userid,
                *case.handover.successors,
                *(userid for userid, _counts in by_successor),
                proposal.proposed_by if proposal else None,
            ]
        ),
    )


@blueprint.route("/<int(max=9223372036854775807):handover_id>/cancel", methods=["GET", "POST"])
@allow(OPEN_OFFBOARDINGS)
def cancel(handover_id: int) -> ResponseReturnValue:
    """Stop what is not submitted yet."""
    handover = _visible(handover_id, OPEN_OFFBOARDINGS)
    back = url_for("console.offboardings.show", handover_id=handover.id)
    if request.method == "POST":
        try:
            handovers.cancel(handover, gate.who(), kegui())
            flash(_("已取消。已提交给企业微信的转接无法撤回，会继续跟踪到结束。"), "good")
        except SamePerson:
            flash(_("不能取消或修改本人的离职继承，请由主管或人事处理。"), "bad")
        except handovers.NotPossible:
            flash(_("这项交接已经结束，不能取消。"), "info")
        return redirect(back)
    _record_look(handover)
    return render_template(
        "offboardings/cancel.html",
        case=cases([handover])[0],
        back=back,
        names=names_of(staff=[handover.userid]),
    )


@blueprint.route("/<int(max=9223372036854775807):handover_id>/change", methods=["GET", "POST"])
@allow(OPEN_OFFBOARDINGS)
def change(handover_id: int) -> ResponseReturnValue:
    """Another last day or other successors, for what is not submitted yet; nobody approves again
    what runs, so that over twenty customers need the fresh proof here."""
    handover = _visible(handover_id, OPEN_OFFBOARDINGS)
    if handover.kind != OFFBOARDING:
        abort(404)
    if handover.state == RUNNING and not _may_move(handover.userid):
        abort(404)
    back = url_for("console.offboardings.show", handover_id=handover.id)
    errors: Errors = {}
    doubtful: date | None = None
    stands = {
        "last_day": str(handover.last_day or ""),
        "successors": " ".join(handover.successors),
    }
    # The address has what was typed before a second factor was asked for.
    typed = request.form if request.method == "POST" else request.args
    form = {name: typed.get(name, value) for name, value in stands.items()}
    form["past"] = request.form.get("past", "")
    number = handovers.would_move(handover) if handover.state == RUNNING else 0
    if number and gate.needs_proof(number):
        return gate.to_step_up(f"{request.path}?{urlencode(form)}")
    if request.method == "POST":
        day, errors = _read_day(form)
        successors = _read_successors(form, errors)
        if not errors and day != handover.last_day:
            doubtful = _doubtful(day, form)
        if not errors and doubtful is None:
            try:
                handovers.change(
                    handover,
                    gate.who(),
                    kegui(),
                    last_day=day if day != handover.last_day else None,
                    successors=successors,
                )
                flash(_("已修改。尚未开始的交接须由另一人重新审批。"), "good")
                return redirect(back)
            except SamePerson:
                flash(_("不能取消或修改本人的离职继承，请由主管或人事处理。"), "bad")
                return redirect(back)
            except NeedsProof:
                return gate.to_step_up(f"{request.path}?{urlencode(form)}")
            except handovers.UnfitSuccessor as unfit:
                errors = {"successors": _unfit(unfit)}
            except handovers.NotPossible:
                flash(_("这项交接已经开始或结束，最后工作日不能再改。"), "bad")
                return redirect(back)
    _record_look(handover)
    page = render_template(
        "offboardings/change.html",
        handover=handover,
        back=back,
        form=form,
        errors=errors,
        doubtful=doubtful,
        heirs=listed(serving_members(), MOST_LISTED),
        names=names_of(staff=[handover.userid]),
    )
    return page, 422 if errors or doubtful else 200


@blueprint.post(
    "/<int(max=9223372036854775807):handover_id>/hand-work/<int(max=9223372036854775807):work_id>"
)
@allow(APPROVE_OFFBOARDINGS)
def mark_hand_work(handover_id: int, work_id: int) -> ResponseReturnValue:
    """Say that something which no API can do is done, or take that back."""
    handover = _visible(handover_id, APPROVE_OFFBOARDINGS)
    work = HandWork.get_or_none(HandWork.id == work_id, HandWork.handover == handover)
    if work is None:
        abort(404)
    is_done = request.form.get("done") != "0"
    try:
        hand_work.mark(work, gate.who(), kegui(), is_done=is_done)
        flash(_("已标记为处理完成。") if is_done else _("已改回待处理。"), "good")
    except SamePerson:
        flash(_("这是您本人的离职继承，请由另一位主管或合规专员标记。"), "bad")
    except hand_work.NotPossible:
        flash(_("这一项刚刚由他人更改，或交接已取消。"), "info")
    return redirect(url_for("console.offboardings.show", handover_id=handover.id))


def _unfit_by_now(planned: Iterable[str | None]) -> dict[str, str]:
    """Why those of these members cannot take over whom the plan still names: it is made anew before
    anything is sent."""
    found = candidates(kegui(), [userid for userid in planned if userid])
    return {one.userid: one.unfit for one in found if one.unfit}


def _record_look(handover: Handover, **details: object) -> None:
    gate.record_look(f"{handover.kind}.look", handover.subject, **details)


def _open(
    userid: str, day: date, successors: list[str], why: str
) -> tuple[Handover | None, Errors]:
    """Open the case of a checked form, or say which field WeCom and the rules do not accept."""
    try:
        opened, is_new = handovers.open_offboarding(
            userid,
            day,
            mode=APPROVE,
            source="console",
            by=gate.who(),
            kegui=kegui(),
            reason=why,
            successors=successors,
        )
    except handovers.UnknownStaff:
        return None, {"userid": _("企业微信没有这位成员，请核对。")}
    except handovers.UnfitSuccessor as unfit:
        return None, {"successors": _unfit(unfit)}
    except WeComError as error:
        alarms.raise_alarm_for(error, kegui())
        return None, {"userid": _("企业微信暂时无法确认这位成员，请稍后重试。")}
    if not is_new:
        flash(
            _("这位成员已有一项进行中的离职继承，没有重复建立；刚填写的内容没有采用，可在此修改。"),
            "info",
        )
    elif begins_at(opened, kegui()) is None:
        flash(_("已发起离职继承，另一人审批后立即开始转接。"), "warn")
    else:
        flash(_("已发起离职继承，等待另一人审批。"), "good")
    return opened, {}


def _read_form(form: Form, within: Scope) -> tuple[str, date | None, Errors]:
    day, errors = _read_day(form)
    typed = form.get("userid", "").strip()
    try:
        userid = account_of(typed) or typed
    except Unclear as unclear:
        return "", day, {**errors, "userid": str(unclear)}
    if not userid:
        errors["userid"] = _("请填写离职成员的姓名或账号。")
    elif not within.has(userid):
        errors["userid"] = _(
            "没有找到这位成员，或这位成员不在您所辖的部门。请核对姓名或账号，或联系其主管或人事。"
        )
    return userid, day, errors


def _read_successors(form: Form, errors: Errors) -> list[str]:
    try:
        return accounts_of(form.get("successors", ""))
    except Unclear as unclear:
        errors["successors"] = str(unclear)
        return []


def _read_day(form: Form) -> tuple[date | None, Errors]:
    try:
        day = date.fromisoformat(form.get("last_day", ""))
    except ValueError:
        return None, {"last_day": _("请填写最后工作日，例如 2026-11-30。")}
    if judge_last_day(day, gate.today()) is LastDay.TOO_FAR:
        return None, {"last_day": _("最后工作日距今过远，请核对。")}
    return day, {}


def _doubtful(day: date | None, form: Form) -> date | None:
    """The last day, if it is over and nobody has said yet that it is meant."""
    if day is None or judge_last_day(day, gate.today()) is not LastDay.PAST:
        return None
    return None if form.get("past") == day.isoformat() else day


def _unfit(unfit: handovers.UnfitSuccessor) -> str:
    names = names_of(staff=[unfit.userid])
    return _(
        "%(member)s 不能接替：%(why)s。请另选他人。",
        member=names.member(unfit.userid),
        why=reason(unfit.reason, names),
    )


def _may_move(userid: str) -> bool:
    """Whether the asker may move this member's customers by their own word: what runs is not
    approved again."""
    return gate.me().may(MOVE_CUSTOMERS) and gate.scope(MOVE_CUSTOMERS).has(userid)


def _visible(handover_id: int, right: Right = SEE_OFFBOARDINGS) -> Handover:
    """The handover, if the asker's right goes over its member."""
    handover = Handover.get_or_none(Handover.id == handover_id)
    if handover is None or not gate.scope(right).has(handover.userid):
        abort(404)
    return handover


def _departments_of(userid: str) -> list[str]:
    member = Staff.get_or_none(Staff.userid == userid)
    if member is None or not member.departments:
        return []
    query = Department.select().where(Department.id.in_(list(member.departments)))
    return [row.name or str(row.id) for row in query.order_by(Department.id)]
