"""查阅目的: why somebody who serves no customer looks at customers; the audit log keeps it."""

from apiflask import APIBlueprint
from flask import redirect, render_template, request, session
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l

from bot.console import gate
from bot.console.gate import PURPOSE, SIGNED_IN, allow

# What is written into the log, and what the person reads.
PURPOSES = {
    "routine check": _l("日常合规检查"),
    "complaint": _l("处理客户投诉"),
    "regulator's request": _l("回应监管问询"),
    "internal audit": _l("内部审计"),
    "handover": _l("核对客户交接"),
}

blueprint = APIBlueprint(
    "purpose", __name__, template_folder="templates", url_prefix="/purpose", enable_openapi=False
)


@blueprint.get("")
@allow(SIGNED_IN)
def show() -> str:
    """The purposes to choose from."""
    return _page(gate.local_path(request.args.get("next", "")))


@blueprint.post("")
@allow(SIGNED_IN)
def choose() -> ResponseReturnValue:
    """Keep the purpose for the rest of this login."""
    purpose = request.form.get("purpose", "")
    text = request.form.get("other", "").strip()
    target = gate.local_path(request.form.get("next", ""))
    if purpose not in PURPOSES and not text:
        return _page(target, error=_("请选择或填写一个目的。")), 422
    session[PURPOSE] = text or purpose
    return redirect(target)


def _page(target: str, error: str = "") -> str:
    return render_template(
        "login/purpose.html",
        target=target,
        purposes=PURPOSES,
        chosen=session.get(PURPOSE, ""),
        error=error,
    )
