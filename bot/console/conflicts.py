"""撞单: customers whom two members are after."""

from apiflask import APIBlueprint
from flask import render_template

from bot.console import gate
from bot.console.gate import allow
from bot.console.pages import PAGE_SIZE, choice, page_number
from bot.models import Conflict
from bot.models.conflict import OPEN, RESOLVED
from bot.reports.names import names_of
from bot.reports.paging import page_of_query
from bot.rules.rights import Right

blueprint = APIBlueprint("conflicts", __name__, url_prefix="/conflicts", enable_openapi=False)


@blueprint.get("")
@allow(Right.SEE_CONFLICTS)
def index() -> str:
    """The open conflicts, or the settled ones with how they were settled."""
    state = choice("state", (OPEN, RESOLVED), OPEN)
    query = gate.scope(Right.SEE_CONFLICTS).of_customers(
        Conflict.select().where(Conflict.state == state), Conflict.external_userid
    )
    page = page_of_query(query.order_by(Conflict.id.desc()), page_number(), PAGE_SIZE)
    conflicts: list[Conflict] = list(page.rows)
    members = [
        userid
        for conflict in conflicts
        for userid in (conflict.owner, *conflict.contenders, settled_by(conflict))
    ]
    return render_template(
        "conflicts/index.html",
        conflicts=conflicts,
        page=page,
        state=state,
        names=names_of(
            staff=members, customers=[conflict.external_userid for conflict in conflicts]
        ),
    )


def settled_by(conflict: Conflict) -> str | None:
    """Who settled the conflict, by the name they gave."""
    by: str | None = (conflict.resolution or {}).get("by")
    return by
