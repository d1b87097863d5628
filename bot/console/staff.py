"""成员与部门."""

from apiflask import APIBlueprint
from flask import render_template

from bot.console.gate import allow
from bot.rules.rights import Right

blueprint = APIBlueprint("staff", __name__, url_prefix="/staff", enable_openapi=False)


@blueprint.get("")
@allow(Right.SEE_STAFF)
def index() -> str:
    """To come."""
    return render_template("staff/index.html")
