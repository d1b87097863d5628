"""设置."""

from apiflask import APIBlueprint
from flask import render_template

from bot.console.gate import allow
from bot.rules.rights import Right

blueprint = APIBlueprint("settings", __name__, url_prefix="/settings", enable_openapi=False)


@blueprint.get("")
@allow(Right.SEE_SETTINGS)
def index() -> str:
    """To come."""
    return render_template("settings/index.html")
