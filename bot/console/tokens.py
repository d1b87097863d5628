"""接口令牌."""

from apiflask import APIBlueprint
from flask import render_template

from bot.console.gate import allow
from bot.rules.rights import Right

blueprint = APIBlueprint("tokens", __name__, url_prefix="/tokens", enable_openapi=False)


@blueprint.get("")
@allow(Right.SEE_TOKENS)
def index() -> str:
    """To come."""
    return render_template("tokens/index.html")
