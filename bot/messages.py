"""App messages to staff, in the wording of config/notices.toml."""

import hashlib
from collections.abc import Mapping, Sequence
from datetime import datetime
from types import MappingProxyType

import structlog
from peewee import fn

from bot.effects import AfterCrash, once
from bot.kegui import Kegui
from bot.models import Effect, FormerUserid
from bot.models.data_key import MESSAGE
from bot.models.effect import FAILED, REFUSED
from bot.wecom import NOBODY_REACHED, as_data
from config import table

log = structlog.get_logger(__name__)

APP_MESSAGE = "app_message"
# So many names of a list fit into one message together.
LISTED_CHARACTERS = 30
NOTHING: Mapping[str, str] = MappingProxyType({})


def identity_of(userid: str, template: str, about: str) -> str:
    """Under which identity ``tell`` records this message."""
    digest = hashlib.sha256(f"{about} {template}".encode()).hexdigest()[:32]
    return f"message:{userid}:{digest}"


def tell(
    userid: str,
    template: str,
    *,
    about: str,
    kegui: Kegui,
    event_id: int | None = None,
    ours: Mapping[str, str] = NOTHING,
    **values: str | Sequence[str],
) -> Effect:
    """Send one member one message, once for each thing it is about.

    Args:
        userid: who is told.
        template: ``table.key`` of config/notices.toml.
        about: what makes two messages the same (an event, a conflict, ...).
        ours: what the template names in braces and nobody but us wrote: it stays as it is.
        values: the rest of what it names; a sequence becomes a list. Whatever people wrote in it
            is shown as data, a tag or an address is no link.

    Raises:
        WeComError: it could not be sent for now; repeating is safe, WeCom drops duplicates.
    """
    userid = _present(userid)
    identity = identity_of(userid, template, about)
    begun: Effect | None = Effect.get_or_none(Effect.identity == identity)
    if begun is not None and begun.is_settled:
        return begun
    if begun is not None and begun.sealed_text is not None:
        # WeCom drops as a repetition only what is the same to the letter.
        text = kegui.vault.open(MESSAGE, identity, begun.sealed_text).decode()
    else:
        section, key = template.split(".")
        shown = {name: _as_data(value) for name, value in values.items()}
        text = table("notices")[section][key].format(**shown, **ours)
    told = _send(userid, identity, text, kegui, event_id)
    if told.state == REFUSED:
        log.warning("message_refused", template=template, errcode=told.errcode)
    if told.state == REFUSED and _present(userid) != userid:
        # The member was renamed in the meantime.
        send_anew(_present(userid), kegui)
    return told


def send_anew(userid: str, kegui: Kegui) -> None:
    """Send what reached nobody, because the member had another userid by then.

    Raises:
        WeComError, Busy: one could not be sent for now; repeating is safe.
    """
    prefix = f"message:{userid}:"
    mine = fn.SUBSTR(Effect.identity, 1, len(prefix)) == prefix
    for effect in list(Effect.select().where(mine, Effect.sealed_text.is_null(False))):
        text = kegui.vault.open(MESSAGE, effect.identity, bytes(effect.sealed_text or b"")).decode()
        Effect.update(state=FAILED).where(Effect.id == effect.id, Effect.state == REFUSED).execute()
        _send(userid, effect.identity, text, kegui, effect.event_id)


def forget_texts(before: datetime) -> None:
    """Drop the texts that were kept for a member's new userid, and of which none came."""
    Effect.update(sealed_text=None).where(
        Effect.kind == APP_MESSAGE, Effect.state == REFUSED, Effect.finished_at < before
    ).execute()


def _send(userid: str, identity: str, text: str, kegui: Kegui, event_id: int | None) -> Effect:
    return once(
        identity,
        APP_MESSAGE,
        lambda: kegui.wecom.messages.send_text([userid], text),
        event_id=event_id,
        after_crash=AfterCrash.REPEAT,
        sealed_text=kegui.vault.seal(MESSAGE, identity, text.encode()),
        keeps_text_when=(NOBODY_REACHED,),
    )


def _present(userid: str) -> str:
    return FormerUserid.now_called([userid]).get(userid.lower(), userid)


def _as_data(value: str | Sequence[str]) -> str:
    if isinstance(value, str):
        return as_data(value)
    return "\n".join(f"· {as_data(one, LISTED_CHARACTERS)}" for one in value)
