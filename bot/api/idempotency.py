"""A POST with an Idempotency-Key is done once: a repetition gets the stored answer."""

import hashlib
from collections.abc import Callable
from datetime import timedelta
from typing import Any, TypeVar
from uuid import uuid4

from flask import Response, current_app, g, request

from bot import clock
from bot.api import context, problems
from bot.api.problems import Problem, in_language
from bot.db import database
from bot.models import IdempotencyKey

HEADER = "Idempotency-Key"
KEPT = timedelta(days=7)
# A row that runs for longer belongs to a process that is gone.
CRASHED_AFTER = timedelta(seconds=60)
LONGEST = 255

View = TypeVar("View", bound=Callable[..., Any])


def question(view: View) -> View:
    """Let a POST be answered anew each time: it asks only, and its answer is kept nowhere."""
    view.is_question = True  # type: ignore[attr-defined]
    return view


def begin() -> Response | None:
    """Claim the key of this request; gives the stored answer of an earlier one."""
    key = request.headers.get(HEADER)
    view = current_app.view_functions.get(request.endpoint or "")
    if request.method != "POST" or key is None or getattr(view, "is_question", False):
        return None
    if not 0 < len(key) <= LONGEST or len(request.path) > LONGEST:
        message = in_language(f"须为 1 至 {LONGEST} 个字符", f"1 to {LONGEST} characters")
        raise Problem(
            422,
            "invalid-idempotency-key",
            f"Idempotency-Key 须为 1 至 {LONGEST} 个字符",
            f"an Idempotency-Key has 1 to {LONGEST} characters",
            extra={"errors": [{"in": "headers", "field": HEADER, "message": message}]},
        )
    body = hashlib.sha256(request.get_data()).hexdigest()
    row = _claim(key, body)
    if row is None:
        earlier = _of(key)
        return _answer_again(earlier, body) if earlier else None
    g.idempotency_row = row
    return None


def request_key() -> str | None:
    """Name this request for what it opens, the same when it is made again; None without a key."""
    row: IdempotencyKey | None = g.get("idempotency_row")
    return row.request_key if row else None


def remember(response: Response) -> Response:
    """Store the answer of a request that claimed a key; one of ours that failed is forgotten."""
    row: IdempotencyKey | None = g.pop("idempotency_row", None)
    if row is None:
        return response
    database.connect(reuse_if_open=True)
    mine = (IdempotencyKey.id == row.id) & (IdempotencyKey.created_at == row.created_at)
    if response.status_code >= 500:
        IdempotencyKey.delete().where(mine).execute()
    else:
        IdempotencyKey.update(
            status=response.status_code, answer=response.get_data(as_text=True)
        ).where(mine).execute()
    return response


def _claim(key: str, body: str) -> IdempotencyKey | None:
    """Insert the row of this request, or take over that of a process that is gone."""
    now = clock.now()
    IdempotencyKey.delete().where(_same(key), IdempotencyKey.created_at < now - KEPT).execute()
    inserted = list(
        IdempotencyKey.insert(
            caller=_caller(),
            path=request.path,
            key=key,
            body_sha256=body,
            request_key=f"call {uuid4().hex}",
            created_at=now,
        )
        .on_conflict_ignore()
        .returning(IdempotencyKey.id)
        .execute()
    )
    if not inserted:
        taken = (
            IdempotencyKey.update(created_at=now)
            .where(
                _same(key),
                IdempotencyKey.body_sha256 == body,
                IdempotencyKey.status.is_null(),
                IdempotencyKey.created_at < now - CRASHED_AFTER,
            )
            .execute()
        )
        if not taken:
            return None
    return _of(key)


def _of(key: str) -> IdempotencyKey | None:
    row: IdempotencyKey | None = IdempotencyKey.get_or_none(_same(key))
    return row


def _caller() -> str:
    return f"token {context.caller().id}"


def _same(key: str) -> object:
    return (
        (IdempotencyKey.caller == _caller())
        & (IdempotencyKey.path == request.path)
        & (IdempotencyKey.key == key)
    )


def _answer_again(row: IdempotencyKey, body: str) -> Response:
    if row.body_sha256 != body:
        raise Problem(
            422,
            "idempotency-key-reused",
            "此 Idempotency-Key 已用于另一请求，请换用新的键",
            "this Idempotency-Key was used with another body: take a new one",
        )
    if row.status is None:
        raise Problem(
            409,
            "still-running",
            "同一请求仍在处理中，请稍后重试",
            "the same request is still running: try again soon",
            headers={"Retry-After": "1"},
        )
    mimetype = problems.MIMETYPE if row.status >= 400 else "application/json"
    response = Response(row.answer, row.status, mimetype=mimetype)
    response.headers["Idempotency-Replayed"] = "true"
    return response
