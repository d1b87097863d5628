"""Checks of the doors as WeCom would knock at them, and of the domain verification file."""

import secrets
import time
from collections.abc import Callable, Mapping
from urllib.parse import urlsplit

from bot.inbox.callback import PATHS
from bot.operations.doctor.findings import Finding, failed, not_checked, ok, warning
from bot.wecom.crypto import CallbackCrypto
from bot.wecom.probe import TLS, Probe, probe
from config.settings import PREFIX, Door, Settings

# WeCom waits so long when it verifies a URL (path 90930).
VERIFICATION_SECONDS = 1.0
LOCAL_HOSTS = ("127.0.0.1", "localhost", "::1", "0.0.0.0")  # noqa: S104 - to be refused
NOT_BASE64 = "doctor"
BOM = b"\xef\xbb\xbf"


def check_public_url(settings: Settings) -> Finding:
    address = urlsplit(settings.public_url)
    if settings.sandbox:
        return ok("public address")
    if (address.hostname or "") in LOCAL_HOSTS:
        return failed("public address", "public_url_local")
    if address.scheme != "https":
        return warning("public address", "public_url_plain")
    return ok("public address")


def check_door(settings: Settings, door: Door) -> Finding:
    """Send the verification that WeCom sends, and compare the answer byte by byte."""
    check, keys = f"{door} door", settings.callback_keys(door)
    if keys is None:
        return not_checked(check, "KEGUI_CALLBACK_TOKEN, KEGUI_CALLBACK_AES_KEY")
    if not settings.corp_id:
        return not_checked(check, "KEGUI_CORP_ID")
    crypto = CallbackCrypto(*keys, settings.corp_id)
    url = settings.public_url.rstrip("/") + PATHS[door]
    echo = secrets.token_hex(10).encode()

    def knock() -> Probe:
        return probe(url, crypto.echo_query(echo, *_now()))

    answer = knock()
    if answer.seconds > VERIFICATION_SECONDS and not answer.trouble:
        # Once may be a cold start; WeCom's administrator presses the button again as well.
        answer = knock()

    def is_ours_if_signed() -> Probe:
        return probe(url, crypto.signed_query(NOT_BASE64, *_now()))

    names = {name: _variable(settings, door, name) for name in ("token", "aes_key")}
    return judge_door(door, answer, echo, is_ours_if_signed, names)


def judge_door(
    door: Door,
    answer: Probe,
    echo: bytes,
    knock_signed_only: Callable[[], Probe],
    variables: Mapping[str, str],
) -> Finding:
    """Say what is wrong with an answer.

    Args:
        knock_signed_only: sends what only the token signs: a door with the same token then answers
            400 to the content, one with another 403 to the signature.
        variables: which hold the door's ``token`` and ``aes_key``.
    """
    check, facts = f"{door} door", {"path": PATHS[door]}
    if answer.trouble:
        problem = "door_tls" if answer.trouble == TLS else "door_unreachable"
        return failed(check, problem, **facts, trouble=answer.trouble)
    if answer.status >= 500:
        return failed(check, "door_unreachable", **facts, trouble=f"HTTP {answer.status}")
    if answer.status in (404, 405):
        return failed(check, "door_not_found", **facts, status=answer.status)
    if answer.status != 200 and (answer.status not in (400, 403) or answer.body):
        # Our own refusals have no body.
        return failed(check, "door_blocked", **facts, status=answer.status)
    if answer.status == 400:
        return failed(check, "door_wrong_key", **facts, aes_key=variables["aes_key"])
    if answer.status == 403:
        if knock_signed_only().status == 400:
            return failed(check, "door_wrong_corp_id", **facts)
        return failed(check, "door_wrong_token", **facts, token=variables["token"])
    if answer.body != echo:
        if what := decoration(answer.body, echo):
            return failed(check, "door_decorated", **facts, what=what)
        return failed(check, "door_wrong_answer", **facts)
    if answer.seconds > VERIFICATION_SECONDS:
        return failed(check, "door_slow", **facts, seconds=round(answer.seconds, 1))
    return ok(check)


def decoration(body: bytes, echo: bytes) -> str:
    """Name what an answer has around the echo; empty: it is not the echo at all."""
    parts = []
    if body.startswith(BOM):
        parts.append("BOM")
        body = body.removeprefix(BOM)
    if body.strip() != body:
        parts.append("换行或空格 (newline or space)")
        body = body.strip()
    for quote in (b'"', b"'"):
        if len(body) > 1 and body.startswith(quote) and body.endswith(quote):
            parts.append("引号 (quotes)")
            body = body[1:-1]
            break
    return "、".join(parts) if body == echo else ""


def check_domain_file(settings: Settings) -> Finding:
    """What WeCom reads at the root of the domain is the file that was downloaded."""
    check, path = "domain file", settings.domain_verify_file
    if path is None:
        return not_checked(check, "KEGUI_DOMAIN_VERIFY_FILE")
    try:
        content = path.read_bytes()
    except OSError:
        return failed(check, "domain_file_unreadable")
    answer = probe(f"{settings.public_url.rstrip('/')}/{path.name}")
    if answer.trouble or answer.status != 200:
        status = answer.trouble or answer.status
        return failed(check, "domain_file_not_served", path=f"/{path.name}", status=status)
    if answer.body.strip() != content.strip():
        return failed(check, "domain_file_differs", path=f"/{path.name}")
    return ok(check)


def _now() -> tuple[str, str]:
    return str(int(time.time())), secrets.token_hex(8)


def _variable(settings: Settings, door: Door, name: str) -> str:
    """Name the variable that counts: a door without a key of its own has the customer door's."""
    own = f"{door}_callback_{name}"
    is_set = getattr(settings, own, None) is not None
    return PREFIX + (own if is_set else f"callback_{name}").upper()
