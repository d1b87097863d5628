"""App messages to staff, in the wording of config/notices.toml."""

import hashlib

from bot.effects import AfterCrash, once
from bot.kegui import Kegui
from bot.models import Effect
from config import table


def tell(
    userid: str,
    template: str,
    *,
    about: str,
    kegui: Kegui,
    event_id: int | None = None,
    **values: str,
) -> Effect:
    """Send one member one message, once for each thing it is about.

    Args:
        userid: who is told.
        template: ``table.key`` of config/notices.toml.
        about: what makes two messages the same (an event, a conflict, ...).
        values: what the template names in braces.

    Raises:
        WeComError: it could not be sent for now; repeating is safe, WeCom drops duplicates.
    """
    section, key = template.split(".")
    text = table("notices")[section][key].format(**values)
    digest = hashlib.sha256(f"{about} {template}".encode()).hexdigest()[:32]
    return once(
        f"message:{userid}:{digest}",
        "app_message",
        lambda: kegui.wecom.send_message([userid], text),
        event_id=event_id,
        after_crash=AfterCrash.REPEAT,
    )
