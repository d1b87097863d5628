"""角色与权限."""

from apiflask import APIBlueprint
from flask import render_template

from bot.console.gate import allow
from bot.rules.rights import Right

blueprint = APIBlueprint("rights", __name__, url_prefix="/rights", enable_openapi=False)


@blueprint.get("")
@allow(Right.SEE_RIGHTS)
def index() -> str:
    """To come."""
    return render_template("rights/index.html")
