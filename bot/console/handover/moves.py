"""转接: a manager moves customers of members in service to another member."""

from collections.abc import Collection, Iterable, Sequence
from datetime import timedelta
from itertools import islice

from apiflask import APIBlueprint
from flask import abort, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from bot import alarms, clock
from bot.audit.search import as_kept
from bot.console import gate, sent_forms
from bot.console.gate import allow
from bot.console.handover.offboardings import MOST_LISTED
from bot.console.member_input import Unclear, account_of
from bot.console.pages import kegui
from bot.console.reasons import reason
from bot.handover import handovers
from bot.handover.progress import said_full, under_way
from bot.handover.rights import MOVE_CUSTOMERS
from bot.identity.moved import NeedsProof
from bot.identity.people import listed, serving_members
from bot.models import Handover, Ownership, Staff
from bot.staff.names import Names, names_of
from bot.staff.staff import candidates
from bot.wecom import WeComError

BY_RULE = "by rule"
# What one form can name; whoever moves more moves all of a member's.
SHOWN = 20
# How long what WeCom said of a successor is worth telling.
FULL_LASTS = timedelta(days=1)
# What WeCom takes (path 92125).
LONGEST_MESSAGE = 200

blueprint = APIBlueprint(
    "moves", __name__, template_folder="templates", url_prefix="/moves", enable_openapi=False
)


@blueprint.route("/new", methods=["GET", "POST"])
@allow(MOVE_CUSTOMERS, shows_customers=True)
def new() -> ResponseReturnValue:
    """Choose who takes over the customers that the address names, or all of one owner's."""
    asked = list(dict.fromkeys(request.values.getlist("external_userid")))
    owner = request.values.get("owner", "")
    if not asked and not owner:
        flash(_("请先选择要转接的客户。"), "info")
        return redirect(url_for("console.customers.index"))
    key = request.form.get("key", "") or sent_forms.new_key()
    opened = list(Handover.select().where(Handover.request_key == _request_key(key)))
    done = {one for handover in opened for one in handover.scope or ()}
    asked = [one for one in asked if one not in done]
    if opened and not asked:
        # The form was sent twice.
        return redirect(url_for("console.offboardings.show", handover_id=opened[0].id))
    by_owner, moving = _without_moving(_by_owner(asked, owner))
    number = sum(len(customers) for customers in by_owner.values())
    if gate.needs_proof(number):
        return gate.to_step_up()
    takeover, error = request.form.get("takeover_userid", ""), ""
    if len(request.form.get("transfer_success_msg", "")) > LONGEST_MESSAGE:
        error = _("不超过 %(most)s 个字。", most=LONGEST_MESSAGE)
    elif request.method == "POST" and number:
        opened, error = _move(by_owner, takeover, _request_key(key))
        if opened and not error:
            flash(
                _("转接已受理，结果显示在本页。企业微信接受后会通知客户，24 小时内客户可以拒绝。"),
                "good",
            )
            return redirect(url_for("console.offboardings.show", handover_id=opened[0].id))
    gate.record_look(
        "customer.list",
        "customers",
        to_move=number,
        owner=as_kept(owner) or None,
        external_userids=None if owner else ",".join(asked),
    )
    page = render_template(
        "moves/new.html",
        by_owner=by_owner,
        moving=moving,
        number=number,
        asked=asked,
        owner=owner,
        shown=SHOWN,
        heirs=_heirs(by_owner),
        by_rule=BY_RULE,
        takeover=takeover,
        error=error,
        message=request.form.get("transfer_success_msg", ""),
        key=key,
        names=_names(by_owner, moving),
    )
    return page, 422 if error else 200


def _by_owner(asked: Sequence[str], owner: str) -> dict[str, list[str]]:
    """The customers to move, by whose they are; 404 for any outside the asker's reach."""
    within = gate.scope(MOVE_CUSTOMERS)
    owned = Ownership.select(Ownership.external_userid, Ownership.userid).where(
        Ownership.until.is_null()
    )
    owned = within.of_members(owned, Ownership.userid)
    if owner:
        if not within.has(owner):
            abort(404)
        owned = owned.where(Ownership.userid == owner)
    else:
        owned = owned.where(Ownership.external_userid.in_(asked))
    found: dict[str, list[str]] = {}
    for row in owned.order_by(Ownership.userid, Ownership.id):
        found.setdefault(row.userid, []).append(row.external_userid)
    if not owner and sum(map(len, found.values())) != len(asked):
        abort(404)
    return found


def _without_moving(
    by_owner: dict[str, list[str]],
) -> tuple[dict[str, list[str]], dict[str, Handover]]:
    """Leave out who is being moved already: WeCom moves a customer once at a time, and two
    successors would wait for the same one."""
    moving = under_way(by_owner)
    left = {
        owner: [one for one in customers if one not in moving]
        for owner, customers in by_owner.items()
    }
    asked = {one for customers in by_owner.values() for one in customers}
    return (
        {owner: customers for owner, customers in left.items() if customers},
        {customer: handover for customer, handover in moving.items() if customer in asked},
    )


def _request_key(key: str) -> str:
    return f"form {key[:32]}"


def _move(
    by_owner: dict[str, list[str]], takeover: str, request_key: str
) -> tuple[list[Handover], str]:
    """Open one handover for each owner; the sentence says what was not accepted."""
    try:
        chosen = None if takeover == BY_RULE else _chosen(takeover)
    except Unclear as unclear:
        return [], str(unclear)
    if chosen is None and takeover != BY_RULE:
        return [], _("请选择您所辖部门中的一位接替成员。")
    opened: list[Handover] = []
    for owner, customers in by_owner.items():
        try:
            opened.append(
                handovers.open_handover(
                    owner,
                    customers,
                    takeover_userid=chosen,
                    source="console",
                    request_key=request_key,
                    by=gate.who(),
                    kegui=kegui(),
                    transfer_success_msg=request.form.get("transfer_success_msg", "").strip(),
                )
            )
        except NeedsProof:
            # Another browser of the same person was quicker.
            return opened, _("一小时内转接的客户超过 20 位，请再次提交并完成二次验证。")
        except handovers.UnfitSuccessor as unfit:
            names = names_of(staff=[unfit.userid])
            why = reason(unfit.reason, names)
            member = names.member(unfit.userid)
            return opened, _("%(member)s 不能接替：%(why)s。请另选他人。", member=member, why=why)
        except (handovers.NotPossible, handovers.UnknownStaff):
            return opened, _("原归属成员已离职，请改用离职继承。")
        except WeComError as error:
            alarms.raise_alarm_for(error, kegui())
            return opened, _("企业微信暂时无法确认成员，请稍后重试。")
    return opened, ""


def _heirs(by_owner: Collection[str]) -> list[tuple[str, str]]:
    """Who may be chosen from a list: members within the asker's reach who can take over, with how
    many customers they have; nobody where they are too many, then one types a name."""
    members = listed(serving_members(gate.scope(MOVE_CUSTOMERS)), MOST_LISTED)
    known = {one.userid: one for one in candidates(kegui(), [one.userid for one in members])}
    full = said_full(clock.now() - FULL_LASTS)
    only_owner = set(by_owner) if len(by_owner) == 1 else set()
    return [
        (
            one.userid,
            _(
                "%(name)s（名下客户 %(number)s 位，企业微信今天提示已满）",
                name=one.name or one.userid,
                number=known[one.userid].customers,
            )
            if one.userid in full
            else _(
                "%(name)s（名下客户 %(number)s 位）",
                name=one.name or one.userid,
                number=known[one.userid].customers,
            ),
        )
        for one in members
        if one.userid not in only_owner and not known[one.userid].exclusion
    ]


def _chosen(takeover: str) -> str | None:
    """The member who was chosen or typed, if the asker may.

    Raises:
        Unclear: several members are called so.
    """
    userid = account_of(takeover) if takeover else None
    members = serving_members(gate.scope(MOVE_CUSTOMERS)).where(Staff.userid == userid)
    return userid if userid and members.exists() else None


def _names(by_owner: dict[str, list[str]], moving: Iterable[str]) -> Names:
    first = [one for customers in by_owner.values() for one in customers[:SHOWN]]
    first += islice(moving, SHOWN)
    return names_of(staff=by_owner, customers=first)
