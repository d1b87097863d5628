"""A real browser, and a person before it who notices whatever goes wrong on a page."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

from playwright.sync_api import Browser, BrowserContext, Page, Request, sync_playwright

from tests.conftest import missing_service

PATIENCE_MS = 10_000


@contextmanager
def running_browser() -> Iterator[Browser]:
    """Start Debian's Chromium; skip where it is not."""
    path = shutil.which("chromium")
    if path is None:
        missing_service("Chromium")
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield started
        started.close()


class Reader:
    """A person at a browser, and all that went wrong on their pages."""

    def __init__(self, context: BrowserContext, address: str) -> None:
        context.set_default_timeout(PATIENCE_MS)
        self.context = context
        self.page: Page = context.new_page()
        self.troubles: list[str] = []
        self.address = address
        self.page.on("console", lambda message: self._note(message.type, message.text))
        self.page.on("pageerror", lambda error: self._note("error", str(error)))
        self.page.on("requestfailed", self._check_failure)
        self.page.on("request", lambda request: self._check_host(request.url))
        self.page.on("response", lambda answer: self._check_status(answer.status, answer.url))

    def open(self, path: str) -> Page:
        self.page.goto(self.address + path)
        return self.page

    def _note(self, kind: str, text: str) -> None:
        self.troubles.append(f"{kind}: {text}")

    def _check_failure(self, request: Request) -> None:
        # Going to the next page gives up what the last one was still loading.
        if request.failure != "net::ERR_ABORTED":
            self._note("failed", request.url)

    def _check_host(self, url: str) -> None:
        if urlsplit(url).hostname not in ("127.0.0.1", None):
            self._note("leaves this host", url)

    def _check_status(self, status: int, url: str) -> None:
        if status >= 400:
            self._note(str(status), url)
