"""撞单: customers whom two members are after."""

from collections.abc import Iterable

from apiflask import APIBlueprint
from flask import abort, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from bot.console import gate
from bot.console.gate import allow
from bot.console.pages import PAGE_SIZE, choice, kegui, page_number
from bot.customers import conflicts
from bot.customers.by_consent import contacts_of
from bot.customers.rights import RESOLVE_CONFLICTS, SEE_CONFLICTS
from bot.identity.moved import NeedsProof
from bot.models import Conflict
from bot.models.conflict import OPEN, RESOLVED
from bot.paging import page_of_query
from bot.staff.names import names_of
from bot.staff.staff import customers_owned

blueprint = APIBlueprint(
    "conflicts",
    __name__,
    template_folder="templates",
    url_prefix="/conflicts",
    enable_openapi=False,
)


@blueprint.get("")
@allow(SEE_CONFLICTS, shows_customers=True)
def index() -> str:
    """The open conflicts, or the settled ones with how they were settled."""
    state = choice("state", (OPEN, RESOLVED), OPEN)
    query = gate.scope(SEE_CONFLICTS).of_customers(
        Conflict.select().where(Conflict.state == state), Conflict.external_userid
    )
    page = page_of_query(query.order_by(Conflict.id.desc()), page_number(), PAGE_SIZE)
    shown: list[Conflict] = list(page.rows)
    if shown:
        gate.record_look("conflict.list", "conflicts", state=state, page=page.number)
    members = [
        userid
        for conflict in shown
        for userid in (conflict.owner, *conflict.contenders, settled_by(conflict))
    ]
    return render_template(
        "conflicts/index.html",
        conflicts=shown,
        mine_to_resolve=resolvable(shown),
        page=page,
        state=state,
        names=names_of(staff=members, customers=[conflict.external_userid for conflict in shown]),
    )


def resolvable(shown: Iterable[Conflict]) -> set[int]:
    """The numbers of those of these conflicts that the asker may settle."""
    if not gate.me().may(RESOLVE_CONFLICTS):
        return set()
    shown = list(shown)
    within = gate.scope(RESOLVE_CONFLICTS).within(one.owner for one in shown if one.owner)
    return {one.id for one in shown if one.owner is None or one.owner in within}


def settled_by(conflict: Conflict) -> str | None:
    """Who settled the conflict, by the name they gave."""
    by: str | None = (conflict.resolution or {}).get("by")
    return by


@blueprint.route("/<int(max=9223372036854775807):conflict_id>/resolve", methods=["GET", "POST"])
@allow(RESOLVE_CONFLICTS, shows_customers=True)
def resolve(conflict_id: int) -> ResponseReturnValue:
    """Choose whose customer it is, of those in contact; all concerned are told."""
    within = gate.scope(RESOLVE_CONFLICTS)
    found = Conflict.select().where(Conflict.id == conflict_id)
    conflict = within.of_customers(found, Conflict.external_userid).first()
    # Whoever is after another department's customer asks the owner's manager.
    if conflict is None or (conflict.owner and not within.has(conflict.owner)):
        abort(404)
    if gate.needs_proof(1):
        return gate.to_step_up()
    owner, reason, error = request.form.get("owner", ""), request.form.get("reason", ""), ""
    contacts = contacts_of(conflict.external_userid)
    choices = [contact.userid for contact in contacts]
    if request.method == "POST":
        if owner not in choices:
            error = _("请选择一位与客户有联系的成员。")
        elif gate.who().is_person(owner) and owner != conflict.owner:
            error = _("不能裁定归属本人，请由上级主管裁定。")
        elif not reason.strip():
            error = _("请写明理由，相关成员会看到处理结果。")
        else:
            try:
                conflicts.resolve(conflict.id, owner, reason.strip(), gate.who(), kegui())
                name = names_of(staff=[owner]).member(owner)
                flash(_("客户归 %(name)s，相关成员会收到通知。", name=name), "good")
            except NeedsProof:
                # Another browser of the same person was quicker.
                return gate.to_step_up()
            except conflicts.NotOpen:
                flash(_("该归属冲突已由他人处理。"), "info")
            return redirect(url_for("console.conflicts.index"))
    gate.record_look("conflict.look", f"conflict {conflict.id}")
    return render_template(
        "conflicts/resolve.html",
        conflict=conflict,
        contacts=contacts,
        loads=customers_owned(choices),
        owner=owner,
        reason=reason,
        error=error,
        names=names_of(staff=choices, customers=[conflict.external_userid]),
    ), 422 if error else 200
