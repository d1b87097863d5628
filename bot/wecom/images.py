"""Images that WeCom keeps and links to, fetched here: a page of ours loads nothing from outside."""

import threading
import time
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import SplitResult, urlsplit

import requests
import structlog
from urllib3.exceptions import HTTPError

log = structlog.get_logger(__name__)

# Where the samples of path 92228 link to (p.qpic.cn), and WeCom's own hosts. UNCONFIRMED: the page
# names no host; an image elsewhere is not fetched, and its link is shown.
HOSTS = ("qpic.cn", "weixin.qq.com")
# What a browser shows and never runs.
TYPES = ("image/png", "image/jpeg", "image/gif", "image/webp")
MOST_BYTES = 1024 * 1024
CHUNK_BYTES = 64 * 1024
CONNECT_SECONDS, READ_SECONDS, WHOLE_SECONDS = 3.05, 5.0, 10.0
KEPT = 64
FAILURE_SECONDS = 60.0


@dataclass(frozen=True)
class Image:
    content: bytes
    type: str


class Images:
    """Fetches an image once and keeps the latest; safe to share between threads.

    Args:
        api_base: WeCom's API, whose own host may serve images as well: that of the sandbox does.
    """

    def __init__(self, api_base: str, hosts: Sequence[str] = HOSTS) -> None:
        self._own = _origin(urlsplit(api_base))
        self._hosts = tuple(hosts)
        self._lock = threading.Lock()
        self._kept: OrderedDict[str, Image] = OrderedDict()
        self._failed: OrderedDict[str, float] = OrderedDict()

    def get(self, url: str) -> Image | None:
        """Return the image at an address that WeCom gave; None when it cannot be had now.

        A failure is remembered for a minute, so that no page waits for it again and again.
        """
        with self._lock:
            known = self._kept.get(url)
            failed_at = self._failed.get(url)
        if known is not None:
            return known
        if failed_at is not None and time.monotonic() - failed_at < FAILURE_SECONDS:
            return None
        image = self._fetch(url) if self._may_fetch(url) else None
        with self._lock:
            if image is None:
                self._failed[url] = time.monotonic()
            else:
                self._kept[url] = image
            for memory in (self._kept, self._failed):
                while len(memory) > KEPT:
                    memory.popitem(last=False)
        return image

    def _may_fetch(self, url: str) -> bool:
        """Whether the address is one of WeCom's: no other place is ever asked."""
        try:
            parts = urlsplit(url)
            if parts.username is not None or parts.password is not None:
                return False
            if _origin(parts) == self._own:
                return True
            port = parts.port or 443
        except ValueError:
            return False
        host = parts.hostname or ""
        is_theirs = any(host == one or host.endswith(f".{one}") for one in self._hosts)
        return parts.scheme == "https" and port == 443 and is_theirs

    def _fetch(self, url: str) -> Image | None:
        try:
            with requests.Session() as session:
                session.trust_env = False
                return _read(session, url)
        except (requests.RequestException, HTTPError, ValueError) as error:
            log.warning("image_not_fetched", host=urlsplit(url).hostname, why=type(error).__name__)
            return None


def _read(session: requests.Session, url: str) -> Image:
    """Read the image.

    Raises:
        ValueError: it is none that a browser may show, too large, or too slow.
    """
    ends_at = time.monotonic() + WHOLE_SECONDS
    with session.get(
        url, timeout=(CONNECT_SECONDS, READ_SECONDS), allow_redirects=False, stream=True
    ) as response:
        kind = response.headers.get("Content-Type", "").partition(";")[0].strip().lower()
        if response.status_code != 200 or kind not in TYPES:
            raise ValueError("not an image")
        content = bytearray()
        for chunk in response.iter_content(CHUNK_BYTES):
            content += chunk
            if len(content) > MOST_BYTES or time.monotonic() > ends_at:
                raise ValueError("too large or too slow")
    return Image(bytes(content), kind)


def _origin(parts: SplitResult) -> tuple[str, str, int | None]:
    return parts.scheme, parts.hostname or "", parts.port
