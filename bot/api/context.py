"""What a view needs to know: whom the process serves, and who asks."""

from collections.abc import Mapping, Sequence
from typing import cast

from flask import Flask, current_app, g, request

from bot.audit.log import Who
from bot.audit.search import as_kept
from bot.db import transaction
from bot.identity.access import EVERYBODY, Scope, humans_behind, within_departments
from bot.kegui import Kegui
from bot.models import ApiToken

_NAME = "kegui"


def bind(app: Flask, kegui: Kegui) -> None:
    """Let the views of ``app`` act with ``kegui``."""
    app.extensions[_NAME] = kegui


def kegui() -> Kegui:
    return cast(Kegui, current_app.extensions[_NAME])


def caller() -> ApiToken:
    """The token with which this request came."""
    return cast(ApiToken, g.api_token)


def caller_name() -> str:
    """The caller, as decisions remember who took them."""
    return f"api:{caller().name}"[:128]


def who() -> Who:
    """The caller, as the audit log names who acted, and from where."""
    token = caller()
    humans = humans_behind(token.owner, token.maker)
    return Who(caller_name(), request.remote_addr or "", humans=humans)


def scope() -> Scope:
    """Over which members the caller reads content: those of the token's departments, or all."""
    departments = caller().departments
    return within_departments(departments) if departments else EVERYBODY


def record_look(act: str, subject: str, /, **details: object) -> None:
    """Write down that the caller sees personal data; unwritten, nothing is shown."""
    with transaction():
        kegui().audit.record(who(), act, subject, **details)


def record_page(
    act: str, subject: str, shown: Sequence[str], /, asked: Mapping[str, str | None]
) -> None:
    """Write down whom one page of a list shows: what was asked for, how many, first and last."""
    written = {name: as_kept(value) for name, value in asked.items() if value}
    ends = {"first": shown[0], "last": shown[-1]} if shown else {}
    record_look(act, subject, **written, number=len(shown), **ends)
