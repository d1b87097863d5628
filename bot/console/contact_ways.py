"""渠道活码."""

from apiflask import APIBlueprint
from flask import render_template

from bot.console.gate import allow
from bot.rules.rights import Right

blueprint = APIBlueprint("contact_ways", __name__, url_prefix="/contact-ways", enable_openapi=False)


@blueprint.get("")
@allow(Right.SEE_CONTACT_WAYS)
def index() -> str:
    """To come."""
    return render_template("contact_ways/index.html")
