"""Chinese or English: what the reader chose, kept in a cookie."""

from urllib.parse import quote, urlencode

from flask import Response, current_app, request
from flask_babel import get_locale
from werkzeug.exceptions import HTTPException, MethodNotAllowed, NotFound

from bot.language import COOKIE, ENGLISH, LANGUAGES, chosen

YEAR_SECONDS = 365 * 24 * 3600


def remember(response: Response) -> Response:
    """Keep a choice that was made with this request."""
    if request.args.get("lang") in LANGUAGES:
        response.set_cookie(
            COOKIE,
            chosen(),
            max_age=YEAR_SECONDS,
            secure=request.is_secure,
            httponly=True,
            samesite="Lax",
        )
    return response


def html_language() -> str:
    """The language of the page, as browsers and screen readers want it."""
    locale = get_locale()
    return "en" if locale is not None and locale.language == ENGLISH else "zh-CN"


def same_page(**changes: str | int) -> str:
    """The address of this very page with some of its arguments changed."""
    return f"{_path()}?{urlencode(request.args.to_dict() | changes)}"


def first_page(**changes: str) -> str:
    """The address of this list from its beginning, with some of its arguments changed."""
    arguments = request.args.to_dict() | {"page": ""} | changes
    query = urlencode({name: value for name, value in arguments.items() if value})
    return f"{_path()}?{query}" if query else _path()


def page_at(path: str) -> str:
    """A path as it is, unless only a form can be sent there: then the page above it."""
    pages, above = current_app.url_map.bind(""), path
    while above not in ("", "/"):
        try:
            pages.match(above, method="GET")
        except MethodNotAllowed:
            above = above.rpartition("/")[0]
            continue
        except NotFound:
            # What is not there at all is left as it is: the reader is told so.
            if above != path:
                above = above.rpartition("/")[0]
                continue
        except HTTPException:
            pass
        return above
    return "/"


def _path() -> str:
    """The path of this page, in which no browser reads a host: some take a backslash for a
    slash."""
    return quote(page_at(request.path))
