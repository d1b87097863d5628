"""审计日志."""

from apiflask import APIBlueprint
from flask import render_template

from bot.console.gate import allow
from bot.rules.rights import Right

blueprint = APIBlueprint("audit", __name__, url_prefix="/audit", enable_openapi=False)


@blueprint.get("")
@allow(Right.READ_AUDIT)
def index() -> str:
    """To come."""
    return render_template("audit/index.html")
