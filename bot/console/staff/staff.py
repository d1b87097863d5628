"""成员与部门: who serves customers, how many each may have, and who is away."""

import json
import re
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any

from apiflask import APIBlueprint
from flask import abort, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import LazyString
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l

from bot import clock
from bot.audit.search import as_kept
from bot.console import gate
from bot.console.gate import allow
from bot.console.language import html_language
from bot.console.pages import PAGE_SIZE, choice, kegui, page_number
from bot.console.words import ROLES
from bot.customers.rights import SEE_CONFLICTS, SEE_CUSTOMERS
from bot.handover.rights import SEE_OFFBOARDINGS
from bot.models import Department, Staff
from bot.models.handover import OFFBOARDING
from bot.models.staff import departments_by_id, name_of, path_of
from bot.paging import page_of_query
from bot.rights import Right, Role
from bot.staff import duty, ics, imports, members
from bot.staff import staff as terms
from bot.staff import terms as limits
from bot.staff.ics import BadCalendar
from bot.staff.members import Line
from bot.staff.names import names_of
from bot.staff.rights import CHANGE_STAFF, SEE_STAFF
from bot.staff.terms import Wrong
from bot.staff.words import WRONG
from bot.words import BUSY, GOOD, QUIET, WARN, Word

TERMS = (
    "capacity",
    "daily_quota",
    "licences",
    "skills",
    "availability",
    "on_duty",
    "on_leave",
)
# As a line of the form calls each kind; the first is how it is shown.
KIND_WORDS: Mapping[str, tuple[str, ...]] = {
    duty.DUTY: ("当班", "值班", "duty"),
    duty.LEAVE: ("休假", "请假", "leave"),
    duty.OFF: ("休息", "轮休", "off"),
}
MOST_COMING = 10
STATES: Mapping[str, Word] = {
    members.SERVING: Word(_l("服务中"), GOOD),
    members.ON_LEAVE: Word(_l("休假或不当班"), BUSY),
    members.LEAVING: Word(_l("即将离职"), WARN),
    members.LEFT: Word(_l("已离职"), QUIET),
    members.INACTIVE: Word(_l("未激活或已停用"), QUIET),
    members.NOT_SERVING: Word(_l("未开通客户联系"), QUIET),
}
# WeCom's own states of an account (path 90196).
ACCOUNTS: Mapping[int, LazyString] = {
    1: _l("已激活"),
    2: _l("已禁用"),
    4: _l("未激活"),
    5: _l("已退出"),
}

blueprint = APIBlueprint(
    "staff", __name__, template_folder="templates", url_prefix="/staff", enable_openapi=False
)


@blueprint.get("")
@allow(SEE_STAFF)
def index() -> str:
    """The members over whom the asker's right goes, by name, department or state."""
    text = request.args.get("q", "").strip()
    state = choice("state", ("", *members.STATES), "")
    scope = gate.scope(SEE_STAFF)
    known = departments_by_id()
    shown = _shown(known)
    department = _chosen(shown)
    within = None if department is None else members.with_below([department], known)
    query = members.find_members(text, state, within, scope)
    page = page_of_query(query, page_number(), PAGE_SIZE)
    gate.record_look(
        "staff.list",
        "staff",
        q=as_kept(text) or None,
        state=state or None,
        department_id=department,
        page=page.number,
    )
    found = members.lines(page.rows, kegui().settings.default_capacity)
    return render_template(
        "staff/index.html",
        lines=found,
        page=page,
        text=text,
        state=state,
        department=department,
        options=members.flat(members.tree(known, shown)),
        states=STATES,
        department_name=lambda number: name_of(number, known),
    )


@blueprint.get("/departments")
@allow(SEE_STAFF)
def departments() -> str:
    """The tree of the departments, with leaders and numbers of members."""
    known = departments_by_id()
    places = members.tree(known, _shown(known))
    members.count(places)
    leaders = [userid for place in members.flat(places) for userid in place.leaders]
    return render_template(
        "staff/departments.html",
        places=places,
        number=len(members.flat(places)),
        names=names_of(staff=leaders),
    )


@blueprint.get("/members/<userid>")
@allow(SEE_STAFF)
def show(userid: str) -> str:
    """One member: where, under whom, how many customers, what is under way."""
    member = _visible(userid, SEE_STAFF)
    gate.record_look("staff.look", f"staff {userid}")
    line = _line(member)
    held = duty.licences_of(member.licences)
    known = departments_by_id()
    led = [row for row in known.values() if userid in row.leaders]
    sees_handovers = _may_over(SEE_OFFBOARDINGS, userid)
    sees_conflicts = _may_over(SEE_CONFLICTS, userid)
    return render_template(
        "staff/show.html",
        line=line,
        states=STATES,
        expiring=[one.kind for one in duty.expiring(held, gate.today())],
        lapsed=[
            one.kind for one in held if one.valid_to is not None and one.valid_to < gate.today()
        ],
        away=duty.away(duty.periods_of(member.availability, kegui().settings.zone), clock.now()),
        coming=_coming(member),
        kind_words=KIND_WORDS,
        account=ACCOUNTS.get(member.status, str(member.status)),
        paths=[path_of(number, known) for number in member.departments],
        led=[(row.id, name_of(row.id, known)) for row in led],
        roles=_roles(userid, known, led),
        handovers=members.open_handovers_of(userid) if sees_handovers else None,
        conflicts=members.open_conflicts_of(userid) if sees_conflicts else None,
        sees_customers=gate.me().may(SEE_CUSTOMERS),
        may_change=_may_over(CHANGE_STAFF, userid),
        sees_leader=_may_over(SEE_STAFF, member.direct_leader),
        names=names_of(staff=[userid, member.direct_leader]),
    )


@blueprint.get("/members/<userid>/edit")
@allow(CHANGE_STAFF)
def edit(userid: str) -> str:
    """The form of what managers set."""
    member = _visible(userid, CHANGE_STAFF)
    return _form(member, _kept(member), {})


@blueprint.post("/members/<userid>/edit")
@allow(CHANGE_STAFF)
def change(userid: str) -> ResponseReturnValue:
    """Set capacity, licences, duty and leave; what stays the same is not written."""
    member = _visible(userid, CHANGE_STAFF)
    typed = {
        **{
            name: request.form.get(name, "")
            for name in ("capacity", "daily_quota", "licences", "skills", "availability")
        },
        "on_duty": "on_duty" in request.form,
        "on_leave": "on_leave" in request.form,
        "returns": "returns" in request.form,
    }
    wanted, errors = _read(typed)
    shown = _shown_before(member)
    changed = {
        name: value
        for name, value in wanted.items()
        if value not in (shown[name], getattr(member, name))
    }
    if any(shown[name] != getattr(member, name) for name in changed):
        errors = {"": _("内容刚刚被他人修改。以下是最新内容，请核对后再修改。")}
        return _form(member, _kept(member), errors), 409
    if not errors and _may_come_back(member):
        # Being put on duty takes back whoever was offboarded: that must be meant.
        if typed["returns"] and typed["on_duty"]:
            changed["on_duty"] = True
        elif typed["returns"] or changed.get("on_duty"):
            errors["on_duty"] = _("该成员已办离职。确认继续任职时，请同时勾选“当班”和“继续任职”。")
    elif not errors and changed.get("on_duty") and _line(member).state == members.LEAVING:
        errors["on_duty"] = _("该成员正在办理离职，不能恢复当班。如不再离职，请先取消交接。")
    if errors:
        return _form(member, typed, errors, shown), 422
    if not changed:
        flash(_("没有改动。"), "info")
    else:
        terms.set_terms(userid, gate.who(), kegui(), **changed)
        flash(_("已保存，从下一次分配起生效。"), "good")
    return redirect(url_for("console.staff.show", userid=userid))


@blueprint.post("/members/<userid>/calendar")
@allow(CHANGE_STAFF)
def take_calendar(userid: str) -> ResponseReturnValue:
    """Take leave and duty from a calendar file."""
    member = _visible(userid, CHANGE_STAFF)
    sent = request.files.get("calendar")
    content = b"" if sent is None else sent.read()
    try:
        text = content.decode("utf-8", "replace")
        found = ics.periods(text, kegui().settings.zone, clock.now())
        imports.take_calendar(member, found, gate.who(), kegui())
    except BadCalendar as error:
        why = WRONG[error.code][html_language() == "en"]
        errors = {"calendar": _("第 %(line)s 行：%(why)s", line=error.line, why=why)}
        return _form(member, _kept(member), errors), 422
    flash(_("已导入日历中的 %(number)s 段时间。", number=len(found)), "good")
    return redirect(url_for("console.staff.show", userid=userid))


def _form(
    member: Staff,
    typed: Mapping[str, Any],
    errors: Mapping[str, str],
    shown: Mapping[str, Any] | None = None,
) -> str:
    gate.record_look("staff.look", f"staff {member.userid}")
    return render_template(
        "staff/edit.html",
        line=_line(member),
        states=STATES,
        typed=typed,
        shown=json.dumps(shown or _terms(member)),
        errors=errors,
        may_come_back=_may_come_back(member),
        default_capacity=kegui().settings.default_capacity,
        today=gate.today(),
    )


def _terms(member: Staff) -> dict[str, Any]:
    return {name: getattr(member, name) for name in TERMS}


def _shown_before(member: Staff) -> dict[str, Any]:
    """What the form showed: what nobody touched is not written over what another has changed."""
    try:
        shown = json.loads(request.form.get("shown", ""))
        return {name: shown[name] for name in TERMS}
    except (ValueError, KeyError, TypeError):
        return _terms(member)


def _kept(member: Staff) -> dict[str, Any]:
    """What the form shows before anything was typed."""
    return {
        "capacity": "" if member.capacity is None else member.capacity,
        "daily_quota": "" if member.daily_quota is None else member.daily_quota,
        "licences": _lines(
            (one["kind"], one["number"], one["valid_from"], one["valid_to"])
            for one in member.licences
        ),
        "skills": _("、").join(member.skills),
        "availability": _lines(
            (_by_the_clock(one["from"]), _by_the_clock(one["to"]), KIND_WORDS[one["kind"]][0])
            for one in member.availability
        ),
        "on_duty": member.on_duty,
        "on_leave": member.on_leave,
        "returns": False,
    }


def _read(typed: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, str]]:
    """What was typed as terms, and what is wrong with it by the fields' names."""
    errors: dict[str, str] = {}
    skills = _apart(typed["skills"])
    if len(skills) > limits.MOST_SKILLS or any(len(one) > limits.LONGEST_KIND for one in skills):
        errors["skills"] = _("最多 100 项，每项不超过 64 个字，用逗号分开。")
    wanted = {
        "capacity": _number(typed, "capacity", limits.MOST_CUSTOMERS, errors),
        "daily_quota": _number(typed, "daily_quota", limits.MOST_A_DAY, errors),
        "licences": _of_lines(typed, "licences", _licence, errors),
        "skills": skills,
        "availability": _of_lines(typed, "availability", _period, errors),
        "on_duty": typed["on_duty"],
        "on_leave": typed["on_leave"],
    }
    if len(wanted["licences"]) > limits.MOST_LICENCES:
        errors["licences"] = _("最多 %(most)s 项资质。", most=limits.MOST_LICENCES)
    if "availability" not in errors:
        try:
            limits.check_periods(wanted["availability"], kegui().settings.zone)
        except Wrong as wrong:
            errors["availability"] = _said(wrong)
    return wanted, errors


def _number(typed: Mapping[str, Any], name: str, most: int, errors: dict[str, str]) -> int | None:
    try:
        return limits.number(name, typed[name].strip(), most)
    except Wrong:
        errors[name] = _("请填写 0 到 %(most)s 的整数，或留空。", most=f"{most:,}")
        return None


def _of_lines(
    typed: Mapping[str, Any],
    name: str,
    read: Callable[[list[str]], dict[str, Any]],
    errors: dict[str, str],
) -> list[dict[str, Any]]:
    """What each line says, once; the first line that says nothing is named."""
    found: list[dict[str, Any]] = []
    for number, line in enumerate(typed[name].splitlines(), 1):
        if not line.strip():
            continue
        try:
            made = read([part.strip() for part in re.split("[,，;；\t]", line)])
        except Wrong as wrong:
            errors[name] = _("第 %(line)s 行：%(why)s", line=number, why=_said(wrong))
            break
        if made not in found:
            found.append(made)
    return found


def _licence(parts: list[str]) -> dict[str, Any]:
    if len(parts) > 4:
        raise Wrong("kind", "bad_text")
    return limits.licence(*[*parts, "", "", "", ""][:4])


def _period(parts: list[str]) -> dict[str, Any]:
    begins, ends, said = [*parts, "", "", ""][:3]
    kind = next((kind for kind, words in KIND_WORDS.items() if said.lower() in words), "")
    return limits.period(begins, ends, kind, kegui().settings.zone)


def _said(wrong: Wrong) -> str:
    return WRONG[wrong.code][html_language() == "en"]


def _lines(rows: Iterable[Iterable[Any]]) -> str:
    """Rows as the form shows them, a line each."""
    shown = (", ".join(str(value or "") for value in row).rstrip(", ") for row in rows)
    return "\n".join(shown)


def _by_the_clock(text: str) -> str:
    """A day as it is; a moment by the firm's clock."""
    if "T" not in text:
        return text
    zone = kegui().settings.zone
    return f"{duty.moment_of(text, zone).astimezone(zone):%Y-%m-%d %H:%M}"


def _coming(member: Staff) -> list[tuple[str, str, str]]:
    """The periods that are not over, the next ones first."""
    zone, now = kegui().settings.zone, clock.now()
    kept = sorted(member.availability, key=lambda one: str(one["from"]))
    return [
        (_by_the_clock(one["from"]), _by_the_clock(one["to"]), one["kind"])
        for one in kept
        if duty.moment_of(one["to"], zone, is_end=True) > now
    ][:MOST_COMING]


def _apart(text: str) -> list[str]:
    """What stands apart by commas, each once, in the order in which it was typed."""
    parts = (part.strip() for part in re.split("[,，、;；\n]", text))
    return list(dict.fromkeys(part for part in parts if part))


def _may_come_back(member: Staff) -> bool:
    """Whether the member's offboarding is done and the account lives on; nobody takes themselves
    back."""
    if member.userid == gate.me().actor:
        return False
    is_leaving = _line(member).state == members.LEAVING
    return is_leaving and not any(
        handover.kind == OFFBOARDING for handover in members.open_handovers_of(member.userid)
    )


def _line(member: Staff) -> Line:
    return members.lines([member], kegui().settings.default_capacity)[0]


def _visible(userid: str, right: Right) -> Staff:
    """The member, if the asker's right goes over them."""
    member = Staff.get_or_none(Staff.userid == userid)
    if member is None or not gate.scope(right).has(userid):
        abort(404)
    return member


def _may_over(right: Right, userid: str | None) -> bool:
    return gate.me().may(right) and gate.scope(right).has(userid)


def _shown(known: Mapping[int, Department]) -> list[int]:
    """The departments over which the asker's right goes."""
    goes = gate.me().extent(SEE_STAFF)
    if goes.is_firm:
        return list(known)
    within = members.with_below(goes.departments, known)
    return [number for number in known if number in within]


def _chosen(shown: Collection[int]) -> int | None:
    """The department that is asked for; one that the asker may not see is no such page."""
    asked = request.args.get("department", "")
    if not asked:
        return None
    if not re.fullmatch("[0-9]{1,18}", asked) or int(asked) not in shown:
        abort(404)
    return int(asked)


def _roles(
    userid: str, known: Mapping[int, Department], led: Iterable[Department]
) -> list[tuple[LazyString, str, bool]]:
    """The member's roles, over which department, and whether WeCom gives them."""
    granted = [
        (
            ROLES[Role(row.role)],
            "" if row.department_id is None else name_of(row.department_id, known),
            False,
        )
        for row in members.roles_of(userid)
    ]
    leads = [(ROLES[Role.SALES_MANAGER], name_of(row.id, known), True) for row in led]
    return [*granted, *leads]
