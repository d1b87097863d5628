"""The web login: the page inside WeCom's client (path 91022) and the one with a QR code (98152).

Nobody has a client here. So both pages ask who opens them: a person presses a button, a machine
adds ``sandbox_userid`` or ``sandbox_external_userid`` to the address.
"""

import hashlib
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode, urlsplit

from flask import Blueprint, Response, redirect, render_template, request
from flask.typing import ResponseReturnValue

from bot.sandbox import customers, staff
from bot.sandbox.errors import Refusal
from bot.sandbox.state import App, Login, Member, World

CODE_SECONDS = 300
SHOWN = 50
STATE = re.compile(r"[A-Za-z0-9]{0,128}")
BASE, PRIVATE = "snsapi_base", "snsapi_privateinfo"
BAD_CODE, UNTRUSTED = 40029, 50001
# Of the QR page (path 98152); its numbers are shown to people and never to a program.
OTHER_DOMAIN, BAD_APPID, BAD_AGENTID, NO_PROVIDER = -31020, -31027, -31028, -31034
NO_REDIRECT, BAD_LOGIN_TYPE = -31035, -31040
CANNOT_SCAN = (
    "没有这个成员，或该成员已停用、已离职",
    "No such member, or one who is barred or left",
)
NOT_VISIBLE = ("成员不在应用可见范围内，无权限", "The member is outside the app's visible range")
WORDS = {
    40013: ("appid 不是本企业的 CorpID", "appid is not the corporation's CorpID"),
    40056: ("agentid 不正确", "agentid is wrong"),
    40058: ("参数不正确", "A parameter is wrong"),
    UNTRUSTED: (
        "redirect_uri 的域名与应用的可信域名不一致",
        "redirect_uri is not in the trusted domain",
    ),
    OTHER_DOMAIN: (
        "redirect_uri 与配置的登录授权域名不一致",
        "redirect_uri is not in the domain set for logins",
    ),
    BAD_APPID: ("appid 参数错误", "appid is wrong"),
    BAD_AGENTID: ("agentid 参数错误", "agentid is wrong"),
    NO_PROVIDER: ("该企业不是服务商", "The corporation is no service provider"),
    NO_REDIRECT: ("redirect_uri 不能为空", "redirect_uri is missing"),
    BAD_LOGIN_TYPE: ("login_type 参数错误", "login_type is wrong"),
}


class PageRefusal(Exception):
    """What the page shows instead of going on; ``number`` None: the docs give it none."""

    def __init__(self, number: int | None, words: tuple[str, str], note: str = "") -> None:
        super().__init__(f"{number} {words[0]} {note}")
        self.number = number
        self.words = words
        self.note = note


@dataclass(frozen=True)
class Page:
    """A login page as it was opened, its parameters found right; ``state`` None: not given."""

    is_qr: bool
    agent_id: int
    redirect_uri: str
    state: str | None
    is_private: bool = False

    @property
    def host(self) -> str:
        return urlsplit(self.redirect_uri).netloc.lower()

    @property
    def needs_visible(self) -> bool:
        """Whether only members in the app's visible range pass (paths 91022, 98152)."""
        return self.is_qr or self.is_private

    def destination(self, code: str | None) -> str:
        """Return where the browser goes on; None: the person did not want to."""
        added = {"code": code, "state": self.state}
        given = {name: value for name, value in added.items() if value is not None}
        parts = urlsplit(self.redirect_uri)
        query = "&".join(filter(None, [parts.query, urlencode(given)]))
        return parts._replace(query=query).geturl()


def oauth_page(world: World, values: Mapping[str, str]) -> Page:
    """Check the parameters of the page inside the client.

    Raises:
        PageRefusal: 50001 for the domain; the page gives no other number, so those of the API.
    """
    if values.get("appid") != world.corp_id:
        raise _refusal(40013)
    redirect_uri, state = values.get("redirect_uri", ""), values.get("state")
    if not _is_web_address(redirect_uri):
        raise _refusal(40058, "redirect_uri")
    if values.get("response_type") != "code":
        raise _refusal(40058, "response_type")
    if values.get("scope") not in (BASE, PRIVATE):
        raise _refusal(40058, "scope")
    if not STATE.fullmatch(state or ""):
        raise _refusal(40058, "state")
    agent_id = values.get("agentid", "")
    apps = [one for one in world.apps if one.kind == "app"]
    if agent_id:
        apps = [one for one in apps if str(one.agent_id) == agent_id]
        if not apps:
            raise _refusal(40056)
    # Without an agentid a wish for more than the userid is passed over (path 91022).
    is_private = values["scope"] == PRIVATE and bool(agent_id)
    page = Page(False, int(agent_id or 0), redirect_uri, state, is_private)
    if not any(_is_trusted(world, app, page.host) for app in apps):
        raise _refusal(UNTRUSTED)
    return page


def qr_page(world: World, values: Mapping[str, str]) -> Page:
    """Check the parameters of the page with the QR code.

    Raises:
        PageRefusal: with the numbers of path 98152.
    """
    login_type = values.get("login_type")
    if login_type == "ServiceApp":
        raise _refusal(NO_PROVIDER)
    if login_type != "CorpApp":
        raise _refusal(BAD_LOGIN_TYPE)
    if values.get("appid") != world.corp_id:
        raise _refusal(BAD_APPID)
    agent_id = values.get("agentid", "")
    app = next((one for one in world.apps if one.agent_id and str(one.agent_id) == agent_id), None)
    if app is None:
        raise _refusal(BAD_AGENTID)
    redirect_uri = values.get("redirect_uri", "")
    if not redirect_uri:
        raise _refusal(NO_REDIRECT)
    page = Page(True, app.agent_id, redirect_uri, values.get("state"))
    if not _is_web_address(redirect_uri) or not _is_trusted(world, app, page.host):
        raise _refusal(OTHER_DOMAIN)
    return page


def _refusal(number: int, note: str = "") -> PageRefusal:
    return PageRefusal(number, WORDS[number], note)


def _is_web_address(address: str) -> bool:
    parts = urlsplit(address)
    return parts.scheme in ("http", "https") and bool(parts.netloc)


def _is_trusted(world: World, app: App, host: str) -> bool:
    """Compare host and port to the letter, as path 98151 shows."""
    if not app.trusted_domain:
        return not world.switches.domain_needed
    return host == app.trusted_domain.lower()


def admit_member(world: World, page: Page, userid: str) -> str:
    """Return the code for a member who confirms the login.

    Raises:
        PageRefusal: nobody who could, or outside the visible range where that counts.
    """
    member = staff.find(world, userid)
    if member is None or not _can_scan(member):
        raise PageRefusal(None, CANNOT_SCAN)
    if page.needs_visible and not member.visible:
        raise PageRefusal(None, NOT_VISIBLE)
    return _make_code(world, page, userid=member.userid)


def admit_outsider(world: World, page: Page, external_userid: str) -> str:
    """Return the code for a person of WeChat, who need not be a customer.

    Raises:
        PageRefusal: the QR code is for members.
    """
    if page.is_qr:
        raise PageRefusal(None, CANNOT_SCAN)
    return _make_code(world, page, external_userid=external_userid)


def _can_scan(member: Member) -> bool:
    return member.in_service and member.status == staff.ACTIVE


def _make_code(world: World, page: Page, userid: str = "", external_userid: str = "") -> str:
    code = secrets.token_urlsafe(32)
    world.logins[code] = Login(
        page.agent_id, page.host, userid, external_userid, page.is_private, world.now()
    )
    world.record(
        "login_confirmed",
        page="qr" if page.is_qr else "oauth",
        agent_id=page.agent_id,
        userid=userid,
        external_userid=external_userid,
    )
    return code


def identity(world: World, app: App, code: str) -> dict[str, Any]:
    """Spend a code and tell who confirmed the login (path 91023).

    Raises:
        Refusal: 40029 unknown, used, expired or another app's; 50001 the login did not lead to
            the trusted domain of the app that asks.
    """
    login = world.logins.get(code)
    if login is None or login.is_spent or world.now() - login.born_at > CODE_SECONDS:
        raise Refusal(BAD_CODE)
    if not _is_trusted(world, app, login.host):
        raise Refusal(UNTRUSTED)
    if login.agent_id not in (0, app.agent_id):
        raise Refusal(BAD_CODE)
    login.is_spent = True
    world.record("login_told", userid=login.userid, external_userid=login.external_userid)
    return _member_row(world, login) if login.userid else _outsider_row(world, login)


def _member_row(world: World, login: Login) -> dict[str, Any]:
    """Return a member, in the visible range or not."""
    if world.switches.partner_corp_id:
        return {"userid": f"{world.switches.partner_corp_id}/{login.userid}"}
    row = {"userid": login.userid}
    return row | ({"user_ticket": secrets.token_urlsafe(64)} if login.is_private else {})


def _outsider_row(world: World, login: Login) -> dict[str, Any]:
    """Return somebody else; as a customer only of members whom the app may see."""
    digest = hashlib.sha256(f"{world.corp_id}:{login.external_userid}".encode()).hexdigest()
    row = {"openid": f"o{digest[:27]}"}
    customer = world.customers.get(login.external_userid)
    if customer is None or not customers.followers(world, customer):
        return row
    return row | {"external_userid": customer.external_userid}


def blueprint(world: World) -> Blueprint:
    """Return the two pages; their buttons post to the same paths below /sandbox."""
    pages = Blueprint("login", __name__)

    @pages.get("/connect/oauth2/authorize")
    @pages.post("/sandbox/connect/oauth2/authorize")
    def oauth() -> ResponseReturnValue:
        with world.lock:
            return _show_or_go_on(world, oauth_page(world, request.args))

    @pages.get("/wwlogin/sso/login")
    @pages.post("/sandbox/wwlogin/sso/login")
    def qr() -> ResponseReturnValue:
        with world.lock:
            return _show_or_go_on(world, qr_page(world, request.args))

    @pages.errorhandler(PageRefusal)
    def refused(error: PageRefusal) -> tuple[str, int]:
        said = error.words[1 if _language() == "en" else 0]
        shown = {"number": error.number, "said": said, "note": error.note}
        return render_template("refused.html", lang=_language(), **shown), 400

    @pages.after_request
    def never_kept(response: Response) -> Response:
        response.headers["Cache-Control"] = "no-store"
        return response

    return pages


def _language() -> str:
    return "en" if request.args.get("lang") == "en" else "zh"


def _show_or_go_on(world: World, page: Page) -> ResponseReturnValue:
    """Show who could confirm the login; where somebody does, or cancels, go on."""
    values = request.values
    if "sandbox_cancel" in values:
        return redirect(page.destination(None))
    if userid := values.get("sandbox_userid"):
        return redirect(page.destination(admit_member(world, page, userid)))
    if external_userid := values.get("sandbox_external_userid"):
        return redirect(page.destination(admit_outsider(world, page, external_userid)))
    path = request.path.removeprefix("/sandbox")
    members = [one for one in world.members.values() if _can_scan(one)]
    return render_template(
        "login.html",
        lang=_language(),
        page=page,
        action=f"/sandbox{path}?{request.query_string.decode()}",
        members=members[:SHOWN],
        customers=[] if page.is_qr else list(world.customers.values())[:SHOWN],
    )
