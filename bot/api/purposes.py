"""Why somebody reads content: no purpose, no text (design.md 3.13)."""

from dataclasses import replace
from urllib.parse import unquote

from flask import request

from bot.api import context
from bot.api.problems import Problem
from bot.audit.log import Who, without_phones

HEADER = "Kegui-Purpose"
LONGEST = 500


def reader() -> Who:
    """Return the caller with the purpose that they give.

    Raises:
        Problem: they give none.
    """
    try:
        purpose = unquote(request.headers.get(HEADER, ""), errors="strict").strip()
    except UnicodeDecodeError:
        purpose = ""
    if not purpose or len(purpose) > LONGEST or not purpose.isprintable():
        raise Problem(
            428,
            "purpose-needed",
            f"查阅会话内容须在 {HEADER} 头中写明事由（百分号编码的 UTF-8，不超过 {LONGEST} 字）",
            f"say in {HEADER} why you read this: percent-encoded UTF-8, {LONGEST} characters"
            " at the most",
        )
    return replace(context.who(), purpose=without_phones(purpose))
