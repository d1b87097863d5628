"""Sign pages for WeCom's JS-SDK, with tickets that all processes share."""

import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Literal

from bot import clock
from bot.kegui import Kegui
from bot.wecom import Ticket, Token, jsapi_signature
from bot.wecom.stores import DatabaseTokenStore

Identity = Literal["corp", "agent"]
IDENTITIES: tuple[Identity, ...] = ("corp", "agent")


@dataclass(frozen=True)
class Signature:
    """What ``ww.register`` wants back of its two functions (path 94313)."""

    timestamp: int
    nonce: str
    signature: str


def sign(url: str, identity: Identity, kegui: Kegui) -> Signature:
    """Sign a page, as the corporation or as the app.

    Args:
        url: as the browser sees it, without what follows "#".

    Raises:
        WeComError: WeCom gives no ticket just now.
    """
    nonce, timestamp = secrets.token_hex(8), int(clock.now().timestamp())
    ticket = _ticket(identity, kegui)
    return Signature(timestamp, nonce, jsapi_signature(ticket, nonce, timestamp, url))


def _ticket(identity: Identity, kegui: Kegui) -> str:
    """A ticket holds for two hours and may be asked for 100 times an hour only (path 90506)."""
    ask: Mapping[Identity, Callable[[], Ticket]] = {
        "corp": kegui.wecom.logins.jsapi_ticket,
        "agent": kegui.wecom.logins.agent_ticket,
    }

    def fetch() -> Token:
        ticket = ask[identity]()
        return Token(ticket.value, clock.now() + timedelta(seconds=ticket.expires_in))

    store = DatabaseTokenStore(kegui.vault)
    name = f"{identity} ticket"
    known = store.get(name)
    if known is not None and known.is_fresh(clock.now()):
        return known.value
    return store.refresh(name, known.value if known else None, fetch).value
