"""二次验证: a fresh proof of who sits there, before a dangerous act."""

from collections.abc import Mapping
from urllib.parse import urlsplit

from apiflask import APIBlueprint
from flask import current_app, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import LazyString
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from werkzeug.exceptions import HTTPException

from bot.console import gate
from bot.console.gate import SIGNED_IN, allow
from bot.console.identity.login import send_to_wecom
from bot.console.pages import kegui
from bot.identity import logins, second_factors

# What one came to do, by the page to which one goes back.
ACTS: Mapping[str, LazyString] = {
    "console.account.show": _l("停用动态码"),
    "console.account.second_factor": _l("设置动态码"),
    "console.account.token": _l("决定是否担任接口令牌的负责人"),
    "console.audit.index": _l("导出审计日志"),
    "console.conflicts.resolve": _l("裁定归属冲突，一小时内共超过 20 位客户"),
    "console.moves.new": _l("转接客户，一小时内共超过 20 位"),
    "console.offboardings.approve": _l("审批交接，一小时内共超过 20 位客户"),
    "console.offboardings.change": _l("修改交接，一小时内共超过 20 位客户"),
    "console.rights.decision": _l("复核角色变更"),
    "console.rights.ending_of_logins": _l("结束他人的登录"),
    "console.rule_sets.decision": _l("复核分配规则"),
    "console.rule_sets.confirm_release": _l("发布分配规则"),
    "console.rule_sets.confirm_rollback": _l("回退分配规则"),
    "console.tokens.new": _l("新建接口令牌"),
    "console.tokens.revocation": _l("作废接口令牌"),
}

blueprint = APIBlueprint(
    "step_up", __name__, template_folder="templates", url_prefix="/step-up", enable_openapi=False
)


@blueprint.get("")
@allow(SIGNED_IN)
def show() -> str:
    """What can prove it: the app's code, or the phone that scans."""
    return _page()


@blueprint.post("")
@allow(SIGNED_IN)
def enter() -> ResponseReturnValue:
    """Take a code of the person's app."""
    actor = gate.me().actor
    key = logins.code_key(actor)
    try:
        logins.begin_try(key)
    except logins.TooManyTries as many:
        seconds = max(1, round(many.wait.total_seconds()))
        flash(_("尝试次数过多，请在 %(seconds)s 秒后再试。", seconds=seconds), "bad")
        return _page(), 429, {"Retry-After": str(seconds)}
    if not second_factors.proves(actor, request.form.get("code", ""), kegui().vault):
        logins.failed(actor, request.remote_addr or "", f"step-up of {actor}"[:160], kegui())
        flash(_("动态码不正确或已使用过，请等下一个动态码。"), "bad")
        return _page(), 403
    logins.forget_failures(key)
    logins.step_up(gate.my_login(), gate.who(), "code", kegui())
    return redirect(_target())


@blueprint.get("/scan")
@allow(SIGNED_IN)
def scan() -> ResponseReturnValue:
    """Let the person scan WeCom's code again; silent authorisation would prove nothing."""
    if gate.me().userid is None:
        return redirect(url_for("console.step_up.show", next=_target()))
    return send_to_wecom(_target(), logins.QR, is_step_up=True)


def _page() -> str:
    return render_template(
        "login/step_up.html",
        target=_target(),
        act=ACTS.get(_endpoint_of(_target())),
        has_app=second_factors.has_one(gate.me().actor),
        can_scan=gate.me().userid is not None,
    )


def _endpoint_of(target: str) -> str:
    """The view that shows a page of ours; "" where there is none."""
    try:
        view, _given = current_app.url_map.bind("").match(urlsplit(target).path, method="GET")
    except HTTPException:
        return ""
    return str(view)


def _target() -> str:
    return gate.local_path(request.values.get("next", ""))
