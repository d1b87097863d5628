"""A short way to call the sandbox's control API, or Kegui's REST API, over real HTTP."""

import http.client
import json
import time
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

TIMEOUT_SECONDS = 30


class RemoteError(Exception):
    """The other side refused; ``status`` and ``answer`` say how."""

    def __init__(self, method: str, path: str, status: int, answer: str) -> None:
        super().__init__(f"{method} {path}: {status} {answer}")
        self.status = status
        self.answer = answer


class Remote:
    """JSON over HTTP, with a bearer token where one is needed."""

    def __init__(
        self, url: str, token: str | None = None, headers: Mapping[str, str] | None = None
    ) -> None:
        self.url = url
        self._headers = {"Content-Type": "application/json", **(headers or {})}
        if token:
            self._headers["Authorization"] = f"Bearer {token}"

    def get(self, path: str, **query: Any) -> Any:
        return self.call("GET", f"{path}?{urlencode(query)}" if query else path)

    def post(self, path: str, **body: Any) -> Any:
        return self.call("POST", path, body)

    def patch(self, path: str, **body: Any) -> Any:
        return self.call("PATCH", path, body)

    def put(self, path: str, **body: Any) -> Any:
        return self.call("PUT", path, body)

    def delete(self, path: str) -> Any:
        return self.call("DELETE", path)

    def every(self, path: str, **query: Any) -> list[Any]:
        """Return all items of a list of the REST API, page by page."""
        items: list[Any] = []
        cursor: str | None = ""
        while cursor is not None:
            page = self.get(path, limit=200, **query, **({"cursor": cursor} if cursor else {}))
            items += page["items"]
            cursor = page["next_cursor"]
        return items

    def call(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Any:
        """Send one request.

        Raises:
            RemoteError: the answer is no 2xx.
            OSError, http.client.HTTPException: no answer came.
        """
        address = urlsplit(self.url)
        connection = http.client.HTTPConnection(address.netloc, timeout=TIMEOUT_SECONDS)
        try:
            sent = None if body is None else _written(body)
            target = quote(address.path + path, safe="/?=&%,")
            connection.request(method, target, sent, self._headers)
            response = connection.getresponse()
            answer = response.read().decode()
        finally:
            connection.close()
        if response.status >= 300:
            raise RemoteError(method, path, response.status, answer)
        return json.loads(answer) if answer else None

    def wait_until_it_answers(self, path: str, seconds: float) -> None:
        """Return as soon as ``path`` is answered with 2xx.

        Raises:
            TimeoutError: it was not in time.
        """
        until = time.monotonic() + seconds
        while True:
            try:
                self.get(path)
            except (RemoteError, OSError, http.client.HTTPException):
                if time.monotonic() > until:
                    raise TimeoutError(f"{self.url}{path} does not answer") from None
                time.sleep(0.05)
            else:
                return


def _written(body: Mapping[str, Any]) -> bytes:
    """As WeCom wants it, without escapes; half a character has no other form."""
    try:
        return json.dumps(body, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return json.dumps(body).encode()
