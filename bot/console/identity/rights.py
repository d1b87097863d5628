"""角色与权限: who may do what, and who decided so."""

from collections.abc import Iterable, Mapping
from typing import Any

from apiflask import APIBlueprint
from flask import abort, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import LazyString
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from markupsafe import Markup

from bot import clock
from bot.console import gate
from bot.console.audit.words import who
from bot.console.gate import allow
from bot.console.member_input import Unclear, account_of
from bot.console.pages import PAGE_SIZE, choice, kegui, page_number
from bot.console.registered import registered
from bot.console.words import REACHES, ROLES
from bot.identity import logins, roles
from bot.identity.access import LOCAL, humans_behind, meetings_among
from bot.identity.proposals import AlreadyProposed, NotOpen, SamePerson, humans_of
from bot.identity.rights import (
    DECIDE_ROLES,
    END_LOGINS,
    PROPOSE_ROLES,
    SEE_LOGINS,
    SEE_RIGHTS,
    SEE_TOKENS,
)
from bot.identity.role_list import (
    Holder,
    count_open,
    decided_proposals,
    department_paths,
    holders,
    open_proposals,
)
from bot.identity.role_list import proposal as proposal_of
from bot.identity.roles import GRANT, REVOKE, NotPossible, NotTheirs, Obstacle, OwnRole
from bot.identity.token_list import live_tokens_of
from bot.models import Login, Proposal
from bot.models.proposal import OPEN
from bot.paging import page_of_list, page_of_query
from bot.rights import FROM_WECOM, OVER_DEPARTMENTS, Right, Role, Topic
from bot.staff.names import Names, names_of

NUMBER = "int(max=9223372036854775807)"
UNFIT_FOR_THIS = 422
GRANTABLE = tuple(role for role in Role if role not in FROM_WECOM)

TOPICS: Mapping[Topic, LazyString] = {
    Topic.CUSTOMERS: _l("客户与渠道"),
    Topic.PEOPLE: _l("成员与交接"),
    Topic.COMPLIANCE: _l("合规与权限"),
    Topic.OPERATION: _l("系统运维"),
}
MEANINGS: Mapping[Role, LazyString] = {
    Role.ADMINISTRATOR: _l("运维本系统，看不到任何客户"),
    Role.COMPLIANCE_OFFICER: _l("查看全公司的客户与记录，审批交接，不改动客户归属"),
    Role.REVIEWER: _l("查看全公司的客户"),
    Role.SALES_MANAGER: _l("管理所辖部门（含下级部门）的客户与成员"),
    Role.HR: _l("登记离职，调整成员状态，看不到客户"),
    Role.AUDITOR: _l("只读：查看全公司的记录与审计日志"),
    Role.STAFF: _l("有客户联系权限的在职成员，只涉及本人的客户"),
}
OBSTACLES: Mapping[Obstacle, tuple[str, LazyString]] = {
    Obstacle.FROM_WECOM: ("role", _l("这个角色来自企业微信，不能授予或收回。")),
    Obstacle.NEEDS_DEPARTMENT: ("department", _l("销售主管只在部门内有权限，请选择部门。")),
    Obstacle.WHOLE_FIRM: (
        "department",
        _l("这个角色适用于全公司，请把部门改回“不限部门”。"),
    ),
    Obstacle.UNKNOWN_DEPARTMENT: ("department", _l("没有这个部门，请重新选择。")),
    Obstacle.UNKNOWN_PERSON: (
        "person",
        _l("没有找到此人，或此人已离职、已停用。请核对账号。"),
    ),
    Obstacle.APART: ("role", _l("这个角色不能与对方已有的角色由同一人兼任。")),
    Obstacle.HAS_IT: ("role", _l("对方已经有这个角色，无需再授予。")),
    Obstacle.LAST_ADMINISTRATOR: (
        "role",
        _l("这是最后一位能登录的管理员，收回后将无人运维。请先授予另一人管理员角色。"),
    ),
    Obstacle.LACKS_IT: (
        "role",
        _l("对方没有被授予这个角色，无需收回。部门负责人以企业微信为准，请在企业微信中变更。"),
    ),
}

blueprint = APIBlueprint(
    "rights", __name__, template_folder="templates", url_prefix="/rights", enable_openapi=False
)


@blueprint.get("")
@allow(SEE_RIGHTS)
def index() -> str:
    """Everybody with a role, and the local administrators; or those with one role."""
    chosen = choice("role", ("", *GRANTABLE), "")
    everybody = holders(gate.today())
    shown = [one for one in everybody if not chosen or Role(chosen) in one.roles]
    page = page_of_list(shown, page_number(), PAGE_SIZE)
    met = meetings_among(
        (one.userid or one.actor, grant.role) for one in everybody for grant in one.grants
    )
    numbers = {role: sum(role in one.roles for one in everybody) for role in GRANTABLE}
    return render_template(
        "rights/index.html",
        page=page,
        chosen=chosen,
        total=len(everybody),
        numbers=numbers,
        roles=ROLES,
        departments=department_paths(),
        names=_names_of_holders(page.rows, met),
        open_count=count_open(),
        met=met,
    )


@blueprint.get("/table")
@allow(SEE_RIGHTS)
def table() -> str:
    """The whole table of rights, as the gate reads it."""
    return render_template(
        "rights/table.html",
        topics=_topics(),
        roles=ROLES,
        reaches=REACHES,
        meanings=MEANINGS,
        open_count=count_open(),
    )


@blueprint.get("/logins")
@allow(SEE_LOGINS)
def open_logins() -> str:
    """Who is in now, where and since when: everybody, or one person."""
    text = request.args.get("q", "").strip()
    errors: dict[str, str] = {}
    query = logins.everybodys_open_logins(kegui())
    if text:
        actor = _person(text, errors)
        query = query.where(Login.actor.in_((actor, LOCAL + actor)))
    page = page_of_query(query, page_number(), PAGE_SIZE)
    return render_template(
        "rights/logins.html",
        page=page,
        text=text,
        error=errors.get("person", ""),
        me=gate.me().actor,
        mine=gate.my_login().id,
        names=names_of(staff=[login.actor for login in page.rows]),
        open_count=count_open(),
    )


@blueprint.get("/logins/<actor>/end")
@allow(END_LOGINS, step_up=True)
def ending_of_logins(actor: str) -> ResponseReturnValue:
    """What it means to end all logins of somebody."""
    if actor == gate.me().actor:
        return redirect(url_for("console.account.show"))
    found = logins.open_logins(actor, kegui())
    if not found:
        return _logged_in_nowhere()
    return render_template(
        "rights/end_logins.html", actor=actor, logins=found, names=names_of(staff=[actor])
    )


@blueprint.post("/logins/<actor>/end")
@allow(END_LOGINS, step_up=True)
def end_logins(actor: str) -> ResponseReturnValue:
    """End all logins of somebody else; one's own are ended on the page of the account."""
    if actor == gate.me().actor:
        return redirect(url_for("console.account.show"))
    number = logins.end_all_of(actor, gate.who(), kegui())
    if not number:
        return _logged_in_nowhere()
    name = who(actor, names_of(staff=[actor]))
    flash(_("已结束 %(name)s 的 %(number)s 个登录，立即生效。", name=name, number=number), "good")
    return redirect(url_for("console.rights.open_logins"))


@blueprint.get("/proposals")
@allow(SEE_RIGHTS)
def proposals() -> str:
    """What is proposed, and what was decided by whom and why."""
    waiting = open_proposals()
    page = page_of_query(decided_proposals(), page_number(), PAGE_SIZE)
    who = gate.who()
    return render_template(
        "rights/proposals.html",
        waiting=waiting,
        page=page,
        mine={one.id for one in waiting if who.is_person(*humans_of(one))},
        about_me={one.id for one in waiting if who.is_person(*humans_behind(one.terms["actor"]))},
        roles=ROLES,
        departments=department_paths(),
        names=_names_in([*waiting, *page.rows]),
        open_count=len(waiting),
    )


@blueprint.get("/proposals/new")
@allow(PROPOSE_ROLES)
def new() -> str:
    """The form of a proposal, filled in with what the address says."""
    return _form(request.args, {})


@blueprint.post("/proposals")
@allow(PROPOSE_ROLES)
def propose() -> ResponseReturnValue:
    """Propose to give a role or to take it back; another person decides."""
    typed = request.form
    errors: dict[str, str] = {}
    kind, role = typed.get("kind", ""), typed.get("role", "")
    reason = typed.get("reason", "").strip()
    actor = _person(typed.get("person", "").strip(), errors)
    if kind not in (GRANT, REVOKE):
        errors["kind"] = _("请选择授予还是收回。")
    if role not in GRANTABLE:
        errors["role"] = _("请选择角色。")
    if not reason:
        errors["reason"] = _("请写明理由，复核人据此决定。")
    department, is_number = typed.get("department", ""), True
    if department and not (department.isdecimal() and len(department) < 10):
        is_number = False
        errors["department"] = str(OBSTACLES[Obstacle.UNKNOWN_DEPARTMENT][1])
    if not errors and is_number:
        number = int(department) if department else None
        try:
            roles.propose(kind, actor, Role(role), number, gate.who(), kegui(), reason)
        except NotPossible as error:
            place, _text = OBSTACLES[error.why]
            errors[place] = _sentence(error)
        except AlreadyProposed:
            errors["all"] = _("同样的变更已经提出，正在等待复核。")
        else:
            flash(_("已提出，需由另一位有复核权限的人决定。"), "good")
            return redirect(url_for("console.rights.proposals"))
    return _form(typed, errors), UNFIT_FOR_THIS


@blueprint.get(f"/proposals/<{NUMBER}:number>/decision")
@allow(DECIDE_ROLES, step_up=True)
def decision(number: int) -> ResponseReturnValue:
    """What would change, to be approved or rejected with a reason."""
    proposal = _known(number)
    if (refusal := _refusal(proposal)) is not None:
        flash(refusal, "warn")
        return redirect(url_for("console.rights.proposals"))
    return _decision(proposal)


@blueprint.post(f"/proposals/<{NUMBER}:number>/decision")
@allow(DECIDE_ROLES, step_up=True)
def decide(number: int) -> ResponseReturnValue:
    """Approve or reject a proposal of somebody else about somebody else."""
    proposal = _known(number)
    answer = request.form.get("answer", "")
    reason = request.form.get("reason", "").strip()
    if answer not in ("approve", "reject"):
        abort(400)
    if not reason:
        return _decision(proposal, error=_("请写明理由。")), UNFIT_FOR_THIS
    is_approved = answer == "approve"
    try:
        roles.decide(proposal, gate.who(), kegui(), is_approved=is_approved, reason=reason)
    except (SamePerson, OwnRole, NotOpen) as error:
        flash(_why_not(error), "bad")
    except NotPossible as error:
        text = _("对方已离职或已停用，不能再授予角色。请改为驳回。")
        if error.why in (Obstacle.LAST_ADMINISTRATOR, Obstacle.APART):
            text = _sentence(error)
        return _decision(proposal, reason, text), UNFIT_FOR_THIS
    else:
        flash(_("已批准，立即生效。") if is_approved else _("已驳回，没有任何变更。"), "good")
        if is_approved and proposal.kind == REVOKE:
            _tell_of_tokens(proposal.terms["actor"])
    return redirect(url_for("console.rights.proposals"))


@blueprint.post(f"/proposals/<{NUMBER}:number>/withdrawal")
@allow(PROPOSE_ROLES)
def withdraw(number: int) -> ResponseReturnValue:
    """Take one's own proposal back."""
    try:
        roles.withdraw(_known(number), gate.who(), kegui())
    except (NotTheirs, NotOpen) as error:
        flash(_why_not(error), "bad")
    else:
        flash(_("已撤回。"), "good")
    return redirect(url_for("console.rights.proposals"))


def _logged_in_nowhere() -> ResponseReturnValue:
    flash(_("对方目前没有登录，无需结束。"), "warn")
    return redirect(url_for("console.rights.open_logins"))


def _tell_of_tokens(actor: str) -> None:
    """A token's rights are its scopes: say how many still call in the name of this person."""
    number = len(live_tokens_of(actor, clock.now(), gate.today()))
    if not number:
        return
    text = _(
        "对方仍是 %(number)s 个有效接口令牌的负责人。令牌的权限不随角色变化，不再需要的请作废。",
        number=number,
    )
    if gate.me().may(SEE_TOKENS):
        text = Markup('{} <a href="{}">{}</a>').format(
            text, url_for("console.tokens.index"), _("查看接口令牌")
        )
    flash(text, "warn")


def _topics() -> list[tuple[LazyString, list[Right]]]:
    """The rights under their topics."""
    return [
        (title, [right for right in registered().rights.values() if right.topic is topic])
        for topic, title in TOPICS.items()
    ]


def _form(typed: Mapping[str, str], errors: Mapping[str, str]) -> str:
    return render_template(
        "rights/new.html",
        typed=typed,
        errors=errors,
        kinds=(GRANT, REVOKE),
        grantable=GRANTABLE,
        over_departments=OVER_DEPARTMENTS,
        roles=ROLES,
        meanings=MEANINGS,
        departments=department_paths(),
    )


def _decision(proposal: Proposal, reason: str = "", error: str = "") -> str:
    return render_template(
        "rights/decision.html",
        proposal=proposal,
        reason=reason,
        error=error,
        roles=ROLES,
        meanings=MEANINGS,
        departments=department_paths(),
        names=_names_in([proposal]),
    )


def _person(text: str, errors: dict[str, str]) -> str:
    """The account that was meant: a userid, a name that one member has, a local administrator."""
    if not text:
        errors["person"] = _("请填写成员的姓名或账号。")
        return ""
    if text.startswith(LOCAL):
        return text
    try:
        # A person of whom no reading knows may still hold a role that is to be taken back.
        return account_of(text) or text
    except Unclear as unclear:
        errors["person"] = str(unclear)
        return ""


def _known(number: int) -> Proposal:
    found = proposal_of(number)
    if found is None:
        abort(404)
    return found


def _refusal(proposal: Proposal) -> str | None:
    """Why the asker may not decide on it, if so."""
    who = gate.who()
    if proposal.state != OPEN:
        return _why_not(NotOpen())
    if who.is_person(*humans_of(proposal)):
        return _why_not(SamePerson())
    is_own = who.is_person(*humans_behind(proposal.terms["actor"]))
    return _why_not(OwnRole()) if is_own else None


def _sentence(error: NotPossible) -> str:
    """What stands in the way, with the roles that must not meet the one asked for."""
    if error.roles:
        held = _("、").join(str(ROLES[role]) for role in error.roles)
        return _("对方已是%(held)s：这些角色不能由同一人兼任。", held=held)
    return str(OBSTACLES[error.why][1])


def _why_not(error: Exception) -> str:
    if isinstance(error, SamePerson):
        return _("这项变更由您提出，须由另一人复核。")
    if isinstance(error, OwnRole):
        return _("这项变更涉及您本人，须由他人复核。")
    if isinstance(error, NotTheirs):
        return _("只能撤回自己提出的变更。")
    return _("这项变更已办结，不能再修改。")


def _names_of_holders(people: Any, others: Iterable[str]) -> Names:
    shown: list[Holder] = list(people)
    granted_by = [grant.granted_by for one in shown for grant in one.grants]
    named = [name for one in shown for name in (one.actor, one.userid)]
    return names_of(staff=[*named, *granted_by, *others])


def _names_in(shown: list[Proposal]) -> Names:
    return names_of(
        staff=[
            userid
            for one in shown
            for userid in (one.terms["actor"], one.proposed_by, one.decided_by)
        ]
    )
