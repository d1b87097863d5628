"""Images that WeCom keeps and links to, fetched here: a page of ours loads nothing from outside."""

import threading
import time
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass

import requests
import structlog
from urllib3.exceptions import HTTPError, LocationParseError
from urllib3.util import Url, parse_url

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
        self._own = _origin(parse_url(api_base))
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
        address = self._address(url)
        image = None if address is None else self._fetch(address)
        with self._lock:
            if image is None:
                self._failed[url] = time.monotonic()
            else:
                self._kept[url] = image
            for memory in (self._kept, self._failed):
                while len(memory) > KEPT:
                    memory.popitem(last=False)
        return image

    def _address(self, url: str) -> Url | None:
        """Return the address if it is one of WeCom's: no other place is ever asked.

        Read by the parser that fetches it: another might find another host in it.
        """
        try:
            address = parse_url(url)
        except LocationParseError:
            return None
        if address.auth is not None:
            return None
        host = address.host or ""
        is_theirs = any(host == one or host.endswith(f".{one}") for one in self._hosts)
        is_usual = address.scheme == "https" and address.port in (None, 443)
        return address if _origin(address) == self._own or (is_theirs and is_usual) else None

    def _fetch(self, address: Url) -> Image | None:
        try:
            with requests.Session() as session:
                session.trust_env = False
                return _read(session, address.url)
        except (requests.RequestException, HTTPError, ValueError) as error:
            log.warning("image_not_fetched", host=address.host, why=type(error).__name__)
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


def _origin(address: Url) -> tuple[str | None, str | None, int | None]:
    return address.scheme, address.host, address.port
