"""分配规则: versions of the rules, drafted, tried, decided on by another person, released."""

from collections.abc import Sequence
from datetime import timedelta
from difflib import unified_diff
from typing import Any

from apiflask import APIBlueprint
from flask import abort, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from bot.allocation import dry_runs, rule_sets
from bot.allocation.fault_words import texts_of
from bot.allocation.rights import DECIDE_RULE_SETS, DRAFT_RULE_SETS, SEE_RULE_SETS
from bot.allocation.rule_files import Fault
from bot.allocation.rule_sets import Faulty, NothingBefore, WrongState
from bot.console import gate
from bot.console.gate import allow
from bot.console.language import html_language
from bot.console.pages import PAGE_SIZE, kegui, page_number
from bot.identity.proposals import SamePerson
from bot.models import DryRun, Proposal, RuleSet
from bot.models.allocation import (
    ALLOCATION,
    APPROVED,
    DRAFT,
    FAILED,
    RELEASED,
    SUBMITTED,
    SUPERSEDED,
)
from bot.models.allocation import DONE as TRIED
from bot.paging import page_of_query
from bot.staff import duty
from bot.staff.names import names_of

NUMBER = "int(max=9223372036854775807)"
UNFIT = 422
# So far back a trial looks unless somebody says otherwise.
USUAL_DAYS = 30
MOST_RUNS = 10

blueprint = APIBlueprint(
    "rule_sets", __name__, template_folder="templates", url_prefix="/rules", enable_openapi=False
)


@blueprint.get("")
@allow(SEE_RULE_SETS)
def index() -> str:
    """All versions, the latest first."""
    page = page_of_query(RuleSet.select().order_by(RuleSet.id.desc()), page_number(), PAGE_SIZE)
    return render_template(
        "rule_sets/index.html",
        page=page,
        names=names_of(staff=[row.drafted_by for row in page.rows]),
        may_draft=gate.me().may(DRAFT_RULE_SETS),
    )


@blueprint.get("/new")
@allow(DRAFT_RULE_SETS)
def new() -> str:
    """The form of a draft; it begins with the rules that decide now, or with another version's."""
    earlier = RuleSet.get_or_none(RuleSet.id == request.args.get("from", 0, type=int))
    return _form(earlier.body if earlier is not None else rule_sets.shown_now()[0], [])


@blueprint.post("/new")
@allow(DRAFT_RULE_SETS)
def draft() -> ResponseReturnValue:
    """Keep a draft, or show what is wrong with it line by line."""
    # A browser sends lines as CR LF.
    body = request.form.get("body", "").replace("\r\n", "\n")
    try:
        row = rule_sets.draft(ALLOCATION, body, "console", gate.who(), kegui())
    except Faulty as error:
        return _form(body, error.faults), UNFIT
    flash(_("草稿已保存，请先试算，再提交复核。"), "good")
    return redirect(url_for("console.rule_sets.show", rule_set=row.id))


@blueprint.get(f"/<{NUMBER}:rule_set>")
@allow(SEE_RULE_SETS)
def show(rule_set: int) -> str:
    """One version: its rules, where it stands, what was tried."""
    return _show(_find(rule_set))


@blueprint.post(f"/<{NUMBER}:rule_set>/runs")
@allow(DRAFT_RULE_SETS)
def dry_run(rule_set: int) -> ResponseReturnValue:
    """Try a version on past arrivals."""
    row, zone = _find(rule_set), kegui().settings.zone
    try:
        since = duty.moment_of(request.form.get("from", ""), zone)
        until = duty.moment_of(request.form.get("to", ""), zone, is_end=True)
        asked = dry_runs.ask(row, since, until, gate.who(), kegui())
    except (ValueError, dry_runs.NoPeriod):
        return _show(row, _("请填写起止日期，结束不早于开始，最长三年。")), UNFIT
    return redirect(url_for("console.rule_sets.show_run", run=asked.id))


@blueprint.get(f"/runs/<{NUMBER}:run>")
@allow(SEE_RULE_SETS)
def show_run(run: int) -> str:
    """What a trial found: how many would have gone elsewhere, and what each member would have."""
    found = DryRun.get_or_none(DryRun.id == run)
    if found is None:
        abort(404)
    result: dict[str, Any] = found.result or {}
    scope = gate.scope(SEE_RULE_SETS)
    load = [one for one in result.get("load", ()) if scope.has(one["userid"])]
    return render_template(
        "rule_sets/run.html",
        run=found,
        row=_find(found.rule_set_id),
        result=result,
        load=load,
        is_part=len(load) < len(result.get("load", ())),
        most=max((max(one["before"], one["after"]) for one in load), default=0),
        is_open=found.state not in (TRIED, FAILED),
        names=names_of(staff=[one["userid"] for one in load]),
    )


@blueprint.post(f"/<{NUMBER}:rule_set>/submit")
@allow(DRAFT_RULE_SETS)
def submit(rule_set: int) -> ResponseReturnValue:
    """Propose to release a draft."""
    row = _find(rule_set)
    reason = request.form.get("reason", "").strip()
    if not reason:
        return _show(row, reason_error=_("请写明理由，复核人据此决定。")), UNFIT
    try:
        rule_sets.submit(row, gate.who(), kegui(), reason)
    except (Faulty, WrongState) as error:
        flash(_why_not(error), "bad")
    else:
        flash(_("已提交，须由另一位有复核权限的人决定。"), "good")
    return redirect(url_for("console.rule_sets.show", rule_set=row.id))


@blueprint.get(f"/<{NUMBER}:rule_set>/decision")
@allow(DECIDE_RULE_SETS, step_up=True)
def decision(rule_set: int) -> ResponseReturnValue:
    """What would be released, to be approved or rejected with a reason."""
    row = _find(rule_set)
    if row.state != SUBMITTED or _is_own(row):
        flash(_why_not(SamePerson() if _is_own(row) else WrongState(row.state)), "warn")
        return redirect(url_for("console.rule_sets.show", rule_set=row.id))
    return _decision(row)


@blueprint.post(f"/<{NUMBER}:rule_set>/decision")
@allow(DECIDE_RULE_SETS, step_up=True)
def decide(rule_set: int) -> ResponseReturnValue:
    """Approve or reject what another person submitted."""
    row = _find(rule_set)
    answer, reason = request.form.get("answer", ""), request.form.get("reason", "").strip()
    if answer not in ("approve", "reject"):
        abort(400)
    if not reason:
        return _decision(row, error=_("请写明理由。")), UNFIT
    try:
        if answer == "approve":
            rule_sets.approve(row, gate.who(), kegui(), reason)
        else:
            rule_sets.reject(row, gate.who(), kegui(), reason)
    except (Faulty, SamePerson, WrongState) as error:
        flash(_why_not(error), "bad")
    else:
        flash(_("已批准，发布后生效。") if answer == "approve" else _("已驳回。"), "good")
    return redirect(url_for("console.rule_sets.show", rule_set=row.id))


@blueprint.get(f"/<{NUMBER}:rule_set>/release")
@allow(DECIDE_RULE_SETS, step_up=True)
def confirm_release(rule_set: int) -> str:
    """Ask for a yes: every new customer is allocated by it from then on."""
    return render_template("rule_sets/release.html", row=_find(rule_set), is_back=False)


@blueprint.post(f"/<{NUMBER}:rule_set>/release")
@allow(DECIDE_RULE_SETS, step_up=True)
def release(rule_set: int) -> ResponseReturnValue:
    """Let an approved version decide."""
    row = _find(rule_set)
    try:
        rule_sets.release(row, gate.who(), kegui())
    except (Faulty, WrongState) as error:
        flash(_why_not(error), "bad")
    else:
        flash(_("已发布，从下一位新客户起生效。"), "good")
    return redirect(url_for("console.rule_sets.show", rule_set=row.id))


@blueprint.get(f"/<{NUMBER}:rule_set>/rollback")
@allow(DECIDE_RULE_SETS, step_up=True)
def confirm_rollback(rule_set: int) -> str:
    """Ask for a yes: an earlier version decides again from then on."""
    return render_template("rule_sets/release.html", row=_find(rule_set), is_back=True)


@blueprint.post(f"/<{NUMBER}:rule_set>/rollback")
@allow(DECIDE_RULE_SETS, step_up=True)
def roll_back(rule_set: int) -> ResponseReturnValue:
    """Go back to an earlier version."""
    row = _find(rule_set)
    try:
        row = rule_sets.roll_back(row, gate.who(), kegui())
    except (Faulty, NothingBefore, WrongState) as error:
        flash(_why_not(error), "bad")
    else:
        flash(_("已回退，第 %(number)s 版现在生效。", number=row.number), "good")
    return redirect(url_for("console.rule_sets.show", rule_set=row.id))


def _find(rule_set: int) -> RuleSet:
    row = RuleSet.get_or_none(RuleSet.id == rule_set)
    if row is None:
        abort(404)
    return row


def _proposal(row: RuleSet) -> Proposal | None:
    made = Proposal.select().where(
        Proposal.kind == rule_sets.PROPOSAL, Proposal.subject == rule_sets.subject_of(row)
    )
    found: Proposal | None = made.order_by(Proposal.id.desc()).first()
    return found


def _is_own(row: RuleSet) -> bool:
    proposal = _proposal(row)
    return proposal is not None and rule_sets.may_not_decide(row, proposal, gate.who())


def _form(body: str, faults: Sequence[Fault]) -> str:
    return render_template(
        "rule_sets/form.html",
        body=body,
        rows=min(40, max(16, body.count("\n") + 3)),
        faults=[(fault.line, _said(fault)) for fault in faults],
    )


def _show(row: RuleSet, run_error: str = "", reason_error: str = "") -> str:
    runs = DryRun.select().where(DryRun.rule_set_id == row.id).order_by(DryRun.id.desc())
    proposal, today = _proposal(row), gate.today()
    may_decide = gate.me().may(DECIDE_RULE_SETS)
    return render_template(
        "rule_sets/show.html",
        row=row,
        lines=row.body.splitlines(),
        proposal=proposal,
        runs=list(runs.limit(MOST_RUNS)),
        run_error=run_error,
        reason_error=reason_error,
        since=request.form.get("from") or today - timedelta(days=USUAL_DAYS),
        until=request.form.get("to") or today,
        may_draft=gate.me().may(DRAFT_RULE_SETS),
        may_submit=row.state == DRAFT and gate.me().may(DRAFT_RULE_SETS),
        may_decide=row.state == SUBMITTED and may_decide and not _is_own(row),
        may_release=row.state == APPROVED and may_decide,
        may_roll_back=row.state == SUPERSEDED and may_decide,
        is_own=row.state == SUBMITTED and _is_own(row),
        decides=row.state == RELEASED,
        names=names_of(
            staff=[
                row.drafted_by,
                row.released_by,
                *((proposal.proposed_by, proposal.decided_by) if proposal else ()),
            ]
        ),
    )


def _decision(row: RuleSet, error: str = "") -> str:
    decides = RuleSet.released(ALLOCATION)
    proposal = _proposal(row)
    return render_template(
        "rule_sets/decision.html",
        row=row,
        proposal=proposal,
        changed=_difference(decides.body if decides else "", row.body),
        reason=request.form.get("reason", ""),
        error=error,
        names=names_of(staff=[row.drafted_by, proposal.proposed_by if proposal else None]),
    )


def _difference(before: str, after: str) -> list[str]:
    """What a version changes, as lines that begin with + or -."""
    lines = unified_diff(before.splitlines(), after.splitlines(), lineterm="", n=2)
    return list(lines)[2:]


def _said(fault: Fault) -> str:
    texts = texts_of(fault)
    return texts.english if html_language() == "en" else texts.chinese


def _why_not(error: Exception) -> str:
    if isinstance(error, SamePerson):
        return _("这一版由您起草或提交，须由另一人复核。")
    if isinstance(error, NothingBefore):
        return _("没有更早发布过的版本可回退。")
    if isinstance(error, Faulty):
        fault = error.faults[0]
        return _("规则已不能成立。第 %(line)s 行：%(why)s", line=fault.line, why=_said(fault))
    return _("这一版的状态已变化，不能这样做。")
