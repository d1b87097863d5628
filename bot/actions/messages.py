"""App messages to staff, in the wording of config/notices.toml."""

import hashlib

from bot.effects import AfterCrash, once
from bot.kegui import Kegui
from bot.models import Effect
from config import table

PURPOSE = "app message"


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
    digest = hashlib.sha256(f"{about} {template}".encode()).hexdigest()[:32]
    identity = f"message:{userid}:{digest}"
    text = _text_begun(identity, kegui)
    if text is None:
        section, key = template.split(".")
        text = table("notices")[section][key].format(**values)
    said = text
    return once(
        identity,
        "app_message",
        lambda: kegui.wecom.send_message([userid], said),
        event_id=event_id,
        after_crash=AfterCrash.REPEAT,
        sealed_text=kegui.vault.seal(PURPOSE, said.encode()),
    )


def _text_begun(identity: str, kegui: Kegui) -> str | None:
    """Return the text of an earlier try: WeCom drops as a repetition only what is the same."""
    begun = Effect.get_or_none(Effect.identity == identity)
    if begun is None or begun.sealed_text is None:
        return None
    return kegui.vault.open(PURPOSE, begun.sealed_text).decode()
