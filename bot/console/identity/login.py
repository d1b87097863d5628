"""登录: through WeCom, by a local administrator's password, in the sandbox by choosing somebody."""

from dataclasses import asdict
from datetime import timedelta
from typing import Any

import structlog
from apiflask import APIBlueprint
from flask import abort, flash, redirect, render_template, request, session, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l

from bot import alarms
from bot.console import gate
from bot.console.gate import PUBLIC, allow
from bot.console.pages import kegui
from bot.console.words import ROLES
from bot.identity import local_users, logins, second_factors
from bot.identity.access import LOCAL, access_of
from bot.identity.people import story_people
from bot.language import chosen
from bot.models import Staff
from bot.wecom import Refused, WeComError
from bot.wecom.logins import oauth_url, qr_url

STATE = "state"
INVALID_CODE = 40029
METHODS = (logins.OAUTH, logins.QR)

log = structlog.get_logger(__name__)
blueprint = APIBlueprint(
    "login", __name__, template_folder="templates", url_prefix="/login", enable_openapi=False
)

REFUSALS = {
    "state": _l("这次登录已失效或不是从本页面发起的，请重新登录。"),
    "code": _l("企业微信的登录凭证无效或已使用过，请重新登录。"),
    "cancelled": _l("登录未完成：企业微信没有返回登录凭证，请重试。"),
    "outsider": _l("客规只对本企业成员开放；您的企业微信身份不是本企业成员。"),
    "unknown": _l(
        "系统中无此成员（%(userid)s），或该成员已离职、已停用。请联系管理员确认您在应用的可见范围内。"
    ),
    "wecom": _l("企业微信暂时无法确认您的身份，请稍后重试；紧急情况可使用本地管理员登录。"),
}


@blueprint.get("")
@allow(PUBLIC)
def show() -> ResponseReturnValue:
    """The ways in; whoever is in goes on, and inside WeCom nobody is asked."""
    target = gate.local_path(request.args.get("next", ""))
    if gate.is_signed_in():
        return redirect(target)
    if _is_in_wecom() and not request.args.get("again"):
        return redirect(url_for("console.login.wecom", next=target))
    return _page(target)


@blueprint.get("/wecom")
@allow(PUBLIC)
def wecom() -> ResponseReturnValue:
    """Send the browser to WeCom: silently inside its client, to the QR code elsewhere."""
    target = gate.local_path(request.args.get("next", ""))
    method = logins.OAUTH if _is_in_wecom() else logins.QR
    return send_to_wecom(target, method, is_step_up=False)


def send_to_wecom(target: str, method: str, *, is_step_up: bool) -> ResponseReturnValue:
    """Redirect to WeCom with a state that must come back, and to this browser."""
    state, sent = logins.send_away(target, method, is_step_up=is_step_up)
    session[STATE] = asdict(sent)
    settings = kegui().settings
    back = _own_address() + url_for("console.login.done")
    if settings.agent_id is None:
        abort(404)
    if method == logins.OAUTH:
        address = oauth_url(
            settings.wecom_oauth_base, settings.corp_id, settings.agent_id, back, state
        )
    else:
        address = qr_url(
            settings.wecom_login_base,
            settings.corp_id,
            settings.agent_id,
            back,
            state,
            chosen(),
        )
    return redirect(address)


@blueprint.get("/wecom/done")
@allow(PUBLIC)
def done() -> ResponseReturnValue:
    """Somebody comes back from WeCom: with the state of this browser, and a code."""
    kept = session.pop(STATE, None)
    state = logins.SentAway(**kept) if isinstance(kept, dict) else None
    if state is None or not logins.is_back(state, request.args.get("state", "")):
        return _refuse("state")
    code = request.args.get("code", "")
    if not code and state.is_step_up and gate.is_signed_in():
        flash(_("没有完成扫码确认，请重试。"), "warn")
        return redirect(url_for("console.step_up.show", next=state.target))
    if not code:
        return _refuse("cancelled", state.target)
    try:
        identity = kegui().wecom.logins.identity_of(code)
    except Refused as refused:
        log.warning("login_refused", errcode=refused.errcode)
        return _refuse("code" if refused.errcode == INVALID_CODE else "wecom", state.target)
    except WeComError as error:
        alarms.raise_alarm_for(error, kegui())
        log.warning("login_not_possible", error=type(error).__name__)
        return _refuse("wecom", state.target)
    userid = identity.userid or ""
    if not userid or "/" in userid:
        # A customer, or a member of another corporation that shares with ours (path 91023).
        named = userid or identity.external_userid
        if named:
            logins.refused(named, request.remote_addr or "", "not_of_the_firm", kegui())
        return _refuse("outsider", state.target)
    userid = Staff.spelled(userid)
    if state.is_step_up:
        return _stepped_up(userid, state.method, state.target)
    return _let_in(userid, state.method, state.target)


@blueprint.get("/local")
@allow(PUBLIC)
def local() -> ResponseReturnValue:
    """The form for local administrators."""
    return render_template("login/local.html", target=_target(), name="")


@blueprint.post("/local")
@allow(PUBLIC)
def local_enter() -> ResponseReturnValue:
    """Name, password and the app's code, all at once: nobody learns which of them was wrong."""
    name = request.form.get("name", "").strip()
    keys = (logins.name_key(name), logins.address_key(request.remote_addr or ""))
    try:
        logins.begin_try(*keys)
    except logins.TooManyTries as many:
        return _too_many(many.wait, name)
    actor, address = LOCAL + name, request.remote_addr or ""
    is_password = local_users.has_password(name, request.form.get("password", ""))
    # Only with the right password is a code used up.
    if not is_password or not second_factors.proves(
        actor, request.form.get("code", ""), kegui().vault
    ):
        # Under a name that nobody has, anything may have been typed: also a password.
        tried = actor if local_users.exists(name) else f"{LOCAL}?"
        logins.failed(tried, address, tried, kegui())
        flash(_("姓名、密码或动态码不正确。"), "bad")
        return render_template("login/local.html", target=_target(), name=name), 403
    logins.forget_failures(*keys)
    gate.enter(actor, logins.LOCAL)
    return redirect(_target())


@blueprint.post("/sandbox")
@allow(PUBLIC)
def sandbox() -> ResponseReturnValue:
    """Be one of the story's people; this door is there only where the sandbox plays WeCom."""
    if not kegui().settings.lets_anybody_in:
        abort(404)
    actor = request.form.get("userid", "")
    if access_of(actor, gate.today()) is None:
        abort(404)
    gate.enter(actor, logins.SANDBOX)
    return redirect(_target())


@blueprint.post("/out")
@allow(PUBLIC)
def out() -> ResponseReturnValue:
    """End this browser's login."""
    gate.leave()
    flash(_("您已退出登录。"), "good")
    return redirect(url_for("console.login.show", again=1))


def _let_in(userid: str, method: str, target: str) -> ResponseReturnValue:
    # WeCom speaks of members alone, whatever one is called.
    if userid.startswith(LOCAL) or access_of(userid, gate.today()) is None:
        logins.refused(userid, request.remote_addr or "", "unknown_or_has_left", kegui())
        return _refuse("unknown", target, userid=userid)
    gate.enter(userid, method)
    return redirect(target or "/")


def _stepped_up(userid: str, method: str, target: str) -> ResponseReturnValue:
    if not gate.is_signed_in():
        return _refuse("state", target)
    if userid != gate.me().actor:
        address = request.remote_addr or ""
        logins.refused(userid, address, f"step-up of {gate.me().actor}", kegui())
        flash(_("扫码的成员与当前登录的成员不是同一人，未通过确认。"), "bad")
        return redirect(url_for("console.step_up.show", next=target))
    logins.step_up(gate.my_login(), gate.who(), method, kegui())
    return redirect(target or "/")


def _refuse(why: str, target: str = "", **named: str) -> ResponseReturnValue:
    flash(str(REFUSALS[why]) % named if named else str(REFUSALS[why]), "bad")
    return _page(gate.local_path(target)), 403


def _page(target: str) -> str:
    people: list[Any] = []
    if kegui().settings.lets_anybody_in:
        people = [
            (person, [ROLES[role] for role in person.roles])
            for person in story_people(gate.today())
        ]
    return render_template("login/show.html", target=target, people=people)


def _too_many(wait: timedelta, name: str) -> ResponseReturnValue:
    seconds = max(1, round(wait.total_seconds()))
    flash(_("尝试次数过多，请在 %(seconds)s 秒后再试。", seconds=seconds), "bad")
    page = render_template(
        "login/local.html", target=_target(), name=name, slowed_down=request.remote_addr
    )
    return page, 429, {"Retry-After": str(seconds)}


def _own_address() -> str:
    """Where this browser reached us, if it is one of our addresses: its cookie holds there only."""
    own = kegui().settings.own_addresses
    asked = request.host_url.rstrip("/")
    return asked if asked in own else own[0]


def _target() -> str:
    return gate.local_path(request.values.get("next", ""))


def _is_in_wecom() -> bool:
    """WeCom's own browser says so; the pages read do not promise it (neighbours: UNCONFIRMED)."""
    return "wxwork" in request.user_agent.string.lower()
