"""One GET without a token: what answers at an address, how fast, and at what time."""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import requests
from urllib3.exceptions import HTTPError

TIMEOUT_SECONDS = 5.0
MAX_BYTES = 64 * 1024
REFUSED, TIMED_OUT, TLS, UNREADABLE = "refused", "timed out", "TLS", "unreadable"


@dataclass(frozen=True)
class Probe:
    """``trouble`` is one word when no whole answer came; ``status`` is 0 then.

    ``clock_offset`` is how many seconds the other side's Date is ahead of our clock.
    """

    status: int = 0
    body: bytes = b""
    seconds: float = 0.0
    trouble: str = ""
    clock_offset: float | None = None


def probe(
    url: str, query: Mapping[str, str] | None = None, *, timeout: float = TIMEOUT_SECONDS
) -> Probe:
    """GET an address once; follows no redirect and knows no proxy of the environment."""
    began = time.monotonic()
    try:
        with requests.Session() as session:
            session.trust_env = False
            with session.get(
                url,
                params=dict(query or {}),
                timeout=timeout,
                allow_redirects=False,
                stream=True,
            ) as answer:
                body = answer.raw.read(MAX_BYTES, decode_content=True)
                seconds = time.monotonic() - began
                offset = _offset(answer.headers.get("Date", ""), datetime.now(UTC))
                return Probe(answer.status_code, body, seconds, clock_offset=offset)
    except requests.exceptions.SSLError:
        trouble = TLS
    except requests.Timeout:
        trouble = TIMED_OUT
    except requests.ConnectionError:
        trouble = REFUSED
    except (requests.RequestException, HTTPError, ValueError):
        trouble = UNREADABLE
    return Probe(seconds=time.monotonic() - began, trouble=trouble)


def _offset(date: str, now: datetime) -> float | None:
    try:
        sent_at = parsedate_to_datetime(date)
    except ValueError:
        return None
    if sent_at.tzinfo is None:
        return None
    return (sent_at - now).total_seconds()
