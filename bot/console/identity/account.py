"""我的账户: who I am here, where I am logged in, and my second factor."""

from collections.abc import Mapping

import segno
from apiflask import APIBlueprint
from flask import abort, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import LazyString
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l

from bot.console import gate
from bot.console.gate import SIGNED_IN, allow
from bot.console.identity.tokens import NUMBER, SCOPES
from bot.console.pages import kegui
from bot.console.words import ROLES
from bot.identity import local_users, logins, second_factors, tokens
from bot.identity.access import LOCAL
from bot.identity.passwords import SHORTEST, Weakness
from bot.identity.role_list import department_paths
from bot.models import ApiToken, Login
from bot.staff.names import names_of

WEAKNESSES: Mapping[Weakness, LazyString] = {
    Weakness.SHORT: _l("密码至少 12 个字符。"),
    Weakness.COMMON: _l("这个密码过于常见或容易猜到，请换一个。"),
    Weakness.NAME: _l("密码不能包含您的姓名或账号，请换一个。"),
}

blueprint = APIBlueprint(
    "account", __name__, template_folder="templates", url_prefix="/account", enable_openapi=False
)


@blueprint.get("")
@allow(SIGNED_IN)
def show() -> str:
    """My roles, my logins, my second factor."""
    me = gate.me()
    waiting = tokens.waiting_for(me.actor)
    return render_template(
        "account/show.html",
        me=me,
        grants=[(ROLES[grant.role], grant.department_id) for grant in me.grants],
        departments=department_paths(),
        logins=logins.open_logins(me.actor, kegui()),
        mine=gate.my_login(),
        has_app=second_factors.has_one(me.actor),
        waiting=waiting,
        names=names_of(staff=[me.userid, *(token.maker for token in waiting)]),
    )


@blueprint.post("/logins/<int(max=9223372036854775807):login_id>/end")
@allow(SIGNED_IN)
def end_login(login_id: int) -> ResponseReturnValue:
    """End one of my logins, as after a lost phone."""
    login = Login.get_or_none(Login.id == login_id, Login.actor == gate.me().actor)
    if login is None:
        abort(404)
    logins.end([login], gate.who(), kegui(), "by_its_owner")
    flash(_("该登录已结束。"), "good")
    return redirect(url_for("console.account.show"))


@blueprint.post("/logins/end-others")
@allow(SIGNED_IN)
def end_others() -> ResponseReturnValue:
    """End all my logins but this one."""
    mine = gate.my_login()
    others = [one for one in logins.open_logins(gate.me().actor, kegui()) if one.id != mine.id]
    number = logins.end(others, gate.who(), kegui(), "by_its_owner")
    flash(_("已退出其他 %(number)s 处登录。", number=number), "good")
    return redirect(url_for("console.account.show"))


@blueprint.route("/password", methods=["GET", "POST"])
@allow(SIGNED_IN)
def password() -> ResponseReturnValue:
    """Change my password: only local administrators have one, and the old one is asked for."""
    me = gate.me()
    if me.userid is not None:
        abort(404)
    if request.method == "GET":
        return render_template("account/password.html", errors={}, shortest=SHORTEST)
    key = logins.code_key(me.actor)
    try:
        logins.begin_try(key)
    except logins.TooManyTries as many:
        seconds = max(1, round(many.wait.total_seconds()))
        errors = {"old": _("尝试次数过多，请在 %(seconds)s 秒后再试。", seconds=seconds)}
        page = render_template("account/password.html", errors=errors, shortest=SHORTEST)
        return page, 429, {"Retry-After": str(seconds)}
    name = me.actor.removeprefix(LOCAL)
    if not local_users.has_password(name, request.form.get("old", "")):
        logins.failed(me.actor, request.remote_addr or "", me.actor, kegui())
        errors = {"old": _("原密码不正确。")}
    else:
        logins.forget_failures(key)
        errors = _set_password(name)
    if errors:
        return render_template("account/password.html", errors=errors, shortest=SHORTEST), 422
    flash(_("密码已更改，您的其他登录已结束。"), "good")
    return redirect(url_for("console.account.show"))


def _set_password(name: str) -> dict[str, str]:
    """Take the new password, or say what is wrong with it."""
    typed = request.form.get("new", "")
    if typed != request.form.get("again", ""):
        return {"again": _("两次输入的新密码不同。")}
    try:
        local_users.set_password(name, typed, gate.who(), kegui(), keep=gate.my_login())
    except local_users.WeakPassword as weak:
        return {"new": str(WEAKNESSES[weak.why])}
    return {}


@blueprint.get(f"/tokens/<{NUMBER}:token_id>")
@allow(SIGNED_IN, step_up=True)
def token(token_id: int) -> str:
    """What a token may that names me as its owner: it calls once I have consented."""
    found = _waiting(token_id)
    return render_template(
        "account/token.html", token=found, scopes=SCOPES, names=names_of(staff=[found.maker])
    )


@blueprint.post(f"/tokens/<{NUMBER}:token_id>")
@allow(SIGNED_IN, step_up=True)
def answer_for_token(token_id: int) -> ResponseReturnValue:
    """Consent to answer for a token, or end it."""
    found = _waiting(token_id)
    if request.form.get("answer") == "consent":
        tokens.consent(found, gate.who(), kegui())
        flash(_("您已同意担任令牌“%(name)s”的负责人，立即生效。", name=found.name), "good")
    else:
        tokens.revoke(found, gate.who(), kegui(), "owner_declined")
        flash(_("您没有同意，令牌“%(name)s”已作废。", name=found.name), "good")
    return redirect(url_for("console.account.show"))


@blueprint.get("/second-factor")
@allow(SIGNED_IN, step_up=True)
def second_factor() -> str:
    """A QR code for the person's app; it counts once its first code came back."""
    actor = gate.me().actor
    if second_factors.has_one(actor):
        return render_template("account/second_factor.html", has_app=True, image="", secret="")
    secret = second_factors.pending_secret(actor, kegui().vault)
    secret = secret or second_factors.prepare(actor, kegui().vault)
    return _second_factor(secret)


@blueprint.post("/second-factor")
@allow(SIGNED_IN, step_up=True)
def confirm() -> ResponseReturnValue:
    """Take the first code of the app."""
    actor = gate.me().actor
    if second_factors.confirm(actor, request.form.get("code", ""), gate.who(), kegui()):
        flash(_("动态码已启用，今后的敏感操作可用它确认。"), "good")
        return redirect(url_for("console.account.show"))
    flash(_("动态码不正确，请核对手机时间后重试。"), "bad")
    secret = second_factors.pending_secret(actor, kegui().vault)
    if secret is None:
        return redirect(url_for("console.account.second_factor"))
    return _second_factor(secret), 403


@blueprint.post("/second-factor/remove")
@allow(SIGNED_IN, step_up=True)
def remove() -> ResponseReturnValue:
    """Forget the app, to set up another; a local administrator could not come in without one."""
    if gate.me().userid is None:
        abort(403)
    second_factors.remove(gate.me().actor, gate.who(), kegui())
    flash(_("动态码已停用。"), "good")
    return redirect(url_for("console.account.second_factor"))


def _waiting(token_id: int) -> ApiToken:
    waiting = {token.id: token for token in tokens.waiting_for(gate.me().actor)}
    if token_id not in waiting:
        abort(404)
    return waiting[token_id]


def _second_factor(secret: str) -> str:
    return render_template(
        "account/second_factor.html",
        has_app=False,
        image=_qr(second_factors.address(gate.me().actor, secret)),
        secret=" ".join(secret[start : start + 4] for start in range(0, len(secret), 4)),
    )


def _qr(text: str) -> str:
    """A QR code as the address of an image."""
    return str(segno.make(text, error="m").png_data_uri(scale=5))
