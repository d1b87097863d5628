"""Light, dark, or as the reader's machine is: a choice kept in a cookie."""

from apiflask import APIBlueprint
from flask import redirect, request
from flask.typing import ResponseReturnValue

from bot.console import gate
from bot.console.gate import PUBLIC, allow
from bot.console.language import YEAR_SECONDS

COOKIE = "theme"
AUTO = "auto"
THEMES = ("light", "dark", AUTO)

blueprint = APIBlueprint("theme", __name__, url_prefix="/theme", enable_openapi=False)


def chosen() -> str:
    """The theme of this reader."""
    theme = request.cookies.get(COOKIE)
    return theme if theme in THEMES else AUTO


@blueprint.post("")
@allow(PUBLIC)
def choose() -> ResponseReturnValue:
    """Keep a choice and go back to the page."""
    response = redirect(gate.local_path(gate.here()))
    theme = request.form.get("theme", AUTO)
    response.set_cookie(
        COOKIE,
        theme if theme in THEMES else AUTO,
        max_age=YEAR_SECONDS,
        secure=request.is_secure,
        httponly=True,
        samesite="Lax",
    )
    return response
