"""The web process without its memory: all of the work on an event, but nothing is stored."""

from datetime import datetime
from unittest import mock

from apiflask import APIFlask

from bot import inbox
from bot.app import create_app as create_whole_app
from bot.events import Event
from bot.vault import Vault


def create_app() -> APIFlask:
    """Make the application with an inbox that drops what it is given."""
    mock.patch.object(inbox, "put", _drop).start()
    return create_whole_app()


def _drop(source: str, event: Event, plaintext: bytes, *, vault: Vault, now: datetime) -> None:
    """Say, as ``put`` does, that the event was there already: nobody is woken."""
