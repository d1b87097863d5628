"""Stored answers to repeated calls, and keys of forms that were sent, are kept for seven days."""

from datetime import timedelta

from bot import clock
from bot.kegui import Kegui
from bot.models import IdempotencyKey

KEPT = timedelta(days=7)


def forget_old_answers(kegui: Kegui) -> None:
    IdempotencyKey.delete().where(IdempotencyKey.created_at < clock.now() - KEPT).execute()
