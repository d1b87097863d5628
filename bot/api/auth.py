"""Bearer tokens: who may call, and what for."""

from collections.abc import Callable
from datetime import date, datetime, timedelta
from typing import Any, TypeVar

from flask import current_app, g, request

from bot import clock
from bot.api import context
from bot.api.problems import Problem
from bot.identity.access import access_of
from bot.identity.rights import CHANGE_TOKENS
from bot.identity.tokens import ADMIN, READ, SCOPES, TERMINAL, create_token, digest
from bot.models import ApiToken

__all__ = ["ADMIN", "READ", "SCOPES", "check", "create_token", "digest", "needed_scopes", "needs"]

USE_NOTED_EVERY = timedelta(minutes=1)

View = TypeVar("View", bound=Callable[..., Any])


def needs(*scopes: str) -> Callable[[View], View]:
    """Let those call the view whose token has one of these scopes, or admin."""

    def mark(view: View) -> View:
        view.needed_scopes = scopes  # type: ignore[attr-defined]
        return view

    return mark


def needed_scopes(endpoint: str) -> tuple[str, ...]:
    """Return the scopes of a view; one that names none is admin's alone."""
    view = current_app.view_functions[endpoint]
    return tuple(getattr(view, "needed_scopes", ()))


def check() -> None:
    """Find out who calls, and refuse who may not."""
    g.api_token = _token()
    needed = needed_scopes(request.endpoint or "")
    if set(g.api_token.scopes).isdisjoint((*needed, ADMIN)):
        missing = needed[0] if needed else ADMIN
        raise Problem(
            403,
            "missing-scope",
            f"此令牌缺少权限 {missing}，请用带有该权限的令牌调用",
            f"this token lacks the scope {missing}: call with a token that has it",
            headers={
                "WWW-Authenticate": f'Bearer realm="kegui", error="insufficient_scope",'
                f' scope="{missing}"'
            },
            extra={"missing_scope": missing},
        )


def _token() -> ApiToken:
    scheme, _, value = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not value.strip():
        raise _unauthorized(
            "请在 Authorization 头中以 Bearer 方式提供令牌（kegui token create 生成）",
            "send a token (made by kegui token create) as Authorization: Bearer",
            "",
        )
    token: ApiToken | None = ApiToken.get_or_none(
        ApiToken.digest == digest(value.strip()), ApiToken.revoked_at.is_null()
    )
    if token is None or not token.is_genuine:
        raise _unauthorized(
            "令牌无效或已作废，请换用有效的令牌",
            "the token is unknown or revoked: use a valid one",
            ', error="invalid_token"',
        )
    now = clock.now()
    if token.expires_at is not None and token.expires_at <= now:
        raise _unauthorized(
            "令牌已过期，请联系管理员新建",
            "the token has expired: ask an administrator for a new one",
            ', error="invalid_token"',
        )
    if token.consented_at is None:
        raise _unauthorized(
            "令牌的负责人尚未同意，请其登录管理台，在“我的账户”中同意",
            "the token's owner has not consented yet: they do so in the console, under 我的账户",
            ', error="invalid_token"',
        )
    if _is_orphaned(token):
        raise _unauthorized(
            "令牌的负责人已离职，请联系管理员新建",
            "the token's owner has left: ask an administrator for a new one",
            ', error="invalid_token"',
        )
    if _has_lost_its_maker(token):
        raise _unauthorized(
            "令牌的创建人已离职或已不是管理员，请联系管理员新建",
            "who made the token has left or is no administrator: ask one for a new token",
            ', error="invalid_token"',
        )
    _note_use(token, now)
    return token


def _is_orphaned(token: ApiToken) -> bool:
    """Whether a person answered for it who is of the firm no more; a terminal's user is nobody."""
    if not token.owner or token.owner.startswith(TERMINAL):
        return False
    return access_of(token.owner, _today()) is None


def _has_lost_its_maker(token: ApiToken) -> bool:
    """Whether a person made it who is of the firm no more, or may make none any more."""
    if not token.maker or token.maker.startswith(TERMINAL):
        return False
    maker = access_of(token.maker, _today())
    return maker is None or not maker.may(CHANGE_TOKENS)


def _today() -> date:
    return clock.now().astimezone(context.kegui().settings.zone).date()


def _note_use(token: ApiToken, now: datetime) -> None:
    """Keep when it was last used, to the minute: not a write for each call."""
    if token.last_used_at is None or now - token.last_used_at > USE_NOTED_EVERY:
        ApiToken.update(last_used_at=now).where(ApiToken.id == token.id).execute()


def _unauthorized(chinese: str, english: str, error: str) -> Problem:
    challenge = {"WWW-Authenticate": f'Bearer realm="kegui"{error}'}
    return Problem(401, "unauthorized", chinese, english, headers=challenge)
