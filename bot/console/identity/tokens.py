"""接口令牌: which programs may call the REST API, and who answers for them."""

from collections.abc import Mapping

from apiflask import APIBlueprint
from flask import abort, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import LazyString
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l

from bot import clock
from bot.console import gate, sent_forms
from bot.console.gate import allow
from bot.console.member_input import Unclear, account_of
from bot.console.pages import PAGE_SIZE, choice, kegui, page_number
from bot.db import transaction
from bot.identity import tokens
from bot.identity.access import LOCAL
from bot.identity.rights import CHANGE_TOKENS, SEE_TOKENS
from bot.identity.token_list import EXPIRES_SOON
from bot.identity.token_list import LIVE as STATES_OF_THE_LIVE
from bot.identity.token_list import tokens as all_tokens
from bot.identity.tokens import TERMINAL, NotPossible, Obstacle
from bot.models import ApiToken
from bot.paging import page_of_list
from bot.staff.names import names_of

NUMBER = "int(max=9223372036854775807)"
UNFIT = 422
DAYS = 365
LIVE, ENDED = "live", "ended"

SCOPES: Mapping[str, LazyString] = {
    "read": _l("读取客户、联系、交接、归属冲突、未告知客户、告警、成员与事件"),
    "offboarding": _l("发起、修改、审批与取消离职继承"),
    "handover": _l("发起与取消在职继承"),
    "allocation": _l("裁定归属冲突，设置成员容量与资质，管理渠道活码"),
    "rules": _l("起草、试算、提交、复核与发布规则"),
    "hr": _l("导入成员的资质、排班与休假"),
    "events": _l("查看与重新处理事件，解除接口暂停"),
    "audit": _l("读取审计日志"),
    "archive": _l("检索与读取会话存档的内容"),
    "admin": _l("以上全部，请尽量不用"),
}
OBSTACLES: Mapping[Obstacle, tuple[str, LazyString]] = {
    Obstacle.NAME: ("name", _l("请填写名称，最多 124 个字。")),
    Obstacle.NAME_TAKEN: (
        "name",
        _l("已有一个同名的有效令牌。请换一个名称，或先作废原来的令牌。"),
    ),
    Obstacle.SCOPES: ("scopes", _l("请至少勾选一项权限。")),
    Obstacle.DAYS: ("days", _l("请填写 1 到 3650 之间的天数。")),
    Obstacle.OWNER: ("owner", _l("没有找到此人，或此人已离职、已停用。请核对账号。")),
}

blueprint = APIBlueprint(
    "tokens", __name__, template_folder="templates", url_prefix="/tokens", enable_openapi=False
)


@blueprint.get("")
@allow(SEE_TOKENS)
def index() -> str:
    """The tokens that may call, the first to expire before the others; or those that ended."""
    state = choice("state", (LIVE, ENDED), LIVE)
    everything = all_tokens(clock.now(), gate.today())
    live = [one for one in everything if one.state in STATES_OF_THE_LIVE]
    ended = [one for one in everything if one.state not in STATES_OF_THE_LIVE]
    page = page_of_list(live if state == LIVE else ended, page_number(), PAGE_SIZE)
    return render_template(
        "tokens/index.html",
        page=page,
        state=state,
        numbers={LIVE: len(live), ENDED: len(ended)},
        soon=[one for one in live if one.state == EXPIRES_SOON],
        scopes=SCOPES,
        names=names_of(
            staff=[actor for one in page.rows for actor in (one.row.owner, one.row.maker)]
        ),
    )


@blueprint.get("/new")
@allow(CHANGE_TOKENS, step_up=True)
def new() -> str:
    """The form of a new token."""
    return _form({"days": str(DAYS), "owner": gate.me().actor}, [], {})


@blueprint.post("/new")
@allow(CHANGE_TOKENS, step_up=True)
def make() -> ResponseReturnValue:
    """Make a token and show it, the only time; the same form makes no second."""
    typed, scopes = request.form, request.form.getlist("scopes")
    errors: dict[str, str] = {}
    name = typed.get("name", "").strip()
    days = typed.get("days", "").strip()
    owner = _owner(typed.get("owner", "").strip(), errors)
    try:
        if errors:
            return _form(typed, scopes, errors), UNFIT
        with transaction():
            if not sent_forms.is_first(typed.get("key", "")):
                used = _("这张表单已经提交过，没有再次新建。请在列表中核对。")
                return _form(typed, scopes, {"all": used}), UNFIT
            secret = tokens.make(
                name,
                scopes,
                gate.who(),
                kegui(),
                owner=owner,
                days=int(days) if days.isdecimal() and len(days) < 6 else 0,
            )
    except NotPossible as error:
        place, text = OBSTACLES[error.why]
        return _form(typed, scopes, {place: str(text)}), UNFIT
    token = ApiToken.get(ApiToken.digest == tokens.digest(secret))
    waits = token.owner if token.consented_at is None else None
    return render_template(
        "tokens/made.html",
        name=name,
        secret=secret,
        waits_for=waits,
        names=names_of(staff=[waits]),
    )


@blueprint.get(f"/<{NUMBER}:number>/revocation")
@allow(CHANGE_TOKENS, step_up=True)
def revocation(number: int) -> ResponseReturnValue:
    """What it means to let a token call no more."""
    token = _known(number)
    if token.revoked_at is not None:
        return _revoked_already()
    return render_template(
        "tokens/revocation.html", token=token, names=names_of(staff=[token.owner, token.maker])
    )


@blueprint.post(f"/<{NUMBER}:number>/revocation")
@allow(CHANGE_TOKENS, step_up=True)
def revoke(number: int) -> ResponseReturnValue:
    """Let a token call no more."""
    token = _known(number)
    if not tokens.revoke(token, gate.who(), kegui(), request.form.get("reason", "").strip()):
        return _revoked_already()
    flash(_("令牌“%(name)s”已作废，立即生效。", name=token.name), "good")
    return redirect(url_for("console.tokens.index"))


def _form(typed: Mapping[str, str], scopes: list[str], errors: Mapping[str, str]) -> str:
    return render_template(
        "tokens/new.html",
        typed=typed,
        chosen=scopes,
        errors=errors,
        scopes=SCOPES,
        key=sent_forms.new_key(),
        most_days=tokens.MOST_DAYS,
    )


def _owner(text: str, errors: dict[str, str]) -> str:
    """The account of whoever answers for the token."""
    if not text or text == gate.me().actor or text.startswith(LOCAL):
        return text
    try:
        account = account_of(text)
    except Unclear as unclear:
        errors["owner"] = str(unclear)
        return ""
    if account is None or text.startswith(TERMINAL):
        errors["owner"] = str(OBSTACLES[Obstacle.OWNER][1])
        return ""
    return account


def _known(number: int) -> ApiToken:
    token: ApiToken | None = ApiToken.get_or_none(ApiToken.id == number)
    if token is None:
        abort(404)
    return token


def _revoked_already() -> ResponseReturnValue:
    flash(_("这个令牌之前已经作废。"), "warn")
    return redirect(url_for("console.tokens.index", state=ENDED))
