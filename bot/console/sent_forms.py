"""Take a form once: a second press of its button finds that it was sent."""

import secrets

from bot import clock
from bot.models import IdempotencyKey

LONGEST_KEY = 64


def new_key() -> str:
    """Return what a page gives to a form that it shows."""
    return secrets.token_urlsafe(16)


def is_first(key: str) -> bool:
    """Note that the form was sent; False when it was before, or has no key."""
    if not 0 < len(key) <= LONGEST_KEY:
        return False
    noted = IdempotencyKey.insert(
        caller="form", path="", key=key, body_sha256="", request_key="", created_at=clock.now()
    )
    return bool(list(noted.on_conflict_ignore().returning(IdempotencyKey.id).execute()))
