"""Web login (网页授权、扫码登录) and what a page needs to use the JS-SDK."""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, urlencode

from bot.wecom.errors import Refused, Transient
from bot.wecom.transport import Transport

USERINFO, JSAPI_TICKET, AGENT_TICKET = "auth/getuserinfo", "get_jsapi_ticket", "ticket/get"
BAD_CODE = 40029
CODE_BYTES = 512
# Letters and digits only: a signed text with "." or "-" would not come back (path 91022).
STATE = re.compile(r"[A-Za-z0-9]{1,128}")


@dataclass(frozen=True)
class Identity:
    """Who confirmed a login: a member by ``userid``, anybody else by ``openid``.

    It proves who somebody is and permits nothing: also members outside the app's visible range
    are told. A ``userid`` "CorpId/userid" is a member of another, connected corporation.
    ``external_userid``: the other person is a customer of a member in that range.
    """

    userid: str | None
    external_userid: str | None
    openid: str | None


@dataclass(frozen=True)
class Ticket:
    """A jsapi_ticket and the seconds it still lives; the value never shows in a representation."""

    value: str = field(repr=False)
    expires_in: int


@dataclass
class Logins:
    """Who somebody is, and the tickets with which a page is signed."""

    transport: Transport

    def identity_of(self, code: str) -> Identity:
        """Exchange the code that a login page gave (paths 91023, 98176).

        A code works once. After an answer that was lost we cannot tell whether it still does, so
        the call is not repeated then: the person logs in again, with a new code.

        Raises:
            Refused: 40029: no code, or used, or older than five minutes; 50001: the login did not
                lead to the app's trusted domain. No pause follows: codes come from outside.
        """
        if not 0 < len(code.encode()) <= CODE_BYTES:
            raise Refused(USERINFO, BAD_CODE, "invalid code")
        answer = self.transport.redeem(USERINFO, {"code": code})
        identity = Identity(
            userid=_text(answer, "userid"),
            external_userid=_text(answer, "external_userid"),
            openid=_text(answer, "openid"),
        )
        if not (identity.userid or identity.external_userid or identity.openid):
            raise Transient(USERINFO, None, "nobody in the answer", maybe_executed=True)
        return identity

    def jsapi_ticket(self) -> Ticket:
        """Ask for the corporation's ticket; an app may do so 100 times an hour (path 90506), so
        keep it."""
        return _ticket(JSAPI_TICKET, self.transport.read(JSAPI_TICKET))

    def agent_ticket(self) -> Ticket:
        """Ask for the app's own ticket, for getAgentConfigSignature (path 90506); keep it too."""
        return _ticket(AGENT_TICKET, self.transport.read(AGENT_TICKET, {"type": "agent_config"}))


def _text(answer: Mapping[str, Any], name: str) -> str | None:
    value = answer.get(name)
    return value if isinstance(value, str) and value else None


def _ticket(endpoint: str, answer: Mapping[str, Any]) -> Ticket:
    value, seconds = answer.get("ticket"), answer.get("expires_in")
    if not isinstance(value, str) or not value or type(seconds) is not int:
        raise Transient(endpoint, None, "no ticket in the answer")
    return Ticket(value, seconds)


def oauth_url(base: str, corp_id: str, agent_id: int, redirect_uri: str, state: str) -> str:
    """Return the page that tells silently who opens it inside WeCom's client (path 91022).

    Raises:
        ValueError: a state that WeCom does not give back.
    """
    query = {
        "appid": corp_id,
        "redirect_uri": redirect_uri,
        "response_type": "code",
        "scope": "snsapi_base",
        "state": _checked(state),
        "agentid": agent_id,
    }
    return f"{_address(base, 'connect/oauth2/authorize', query)}#wechat_redirect"


def qr_url(
    base: str, corp_id: str, agent_id: int, redirect_uri: str, state: str, language: str = "zh"
) -> str:
    """Return the login page for a normal browser (path 98152); it knows Chinese and English.

    Raises:
        ValueError: a state that WeCom might not give back.
    """
    query = {
        "login_type": "CorpApp",
        "appid": corp_id,
        "agentid": agent_id,
        "redirect_uri": redirect_uri,
        "state": _checked(state),
        "lang": "en" if language.startswith("en") else "zh",
    }
    return _address(base, "wwlogin/sso/login", query)


def _checked(state: str) -> str:
    if not STATE.fullmatch(state):
        raise ValueError("a state is 1 to 128 letters and digits")
    return state


def _address(base: str, path: str, query: Mapping[str, Any]) -> str:
    return f"{base.rstrip('/')}/{path}?{urlencode(query, quote_via=quote, safe='')}"


def jsapi_signature(ticket: str, nonce: str, timestamp: int, url: str) -> str:
    """Sign a page for the JS-SDK (path 90506).

    Args:
        ticket: the corporation's for getConfigSignature, the app's for getAgentConfigSignature.
        url: exactly as the browser sees it, not encoded anew; what follows "#" does not count.
    """
    page = url.split("#")[0]
    text = f"jsapi_ticket={ticket}&noncestr={nonce}&timestamp={timestamp}&url={page}"
    return hashlib.sha1(text.encode()).hexdigest()  # noqa: S324 - WeCom's algorithm
