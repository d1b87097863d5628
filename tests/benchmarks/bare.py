"""The web process without its memory: all of the work on an event, but nothing is stored."""

from typing import Any
from unittest import mock

from apiflask import APIFlask

from bot.app import create_app as create_whole_app
from bot.inbox.intake import Intake


def create_app() -> APIFlask:
    """Make the application with an intake that drops what it is given."""
    mock.patch.object(Intake, "put", _drop).start()
    return create_whole_app()


def _drop(_intake: Intake, _row: dict[str, Any]) -> None:
    """Say, as ``put`` does, that the event was there already: nobody is woken."""
