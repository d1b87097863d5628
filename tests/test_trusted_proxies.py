"""Who is believed about where a visitor comes from: the reverse proxy, and nobody else."""

from typing import Any

import pytest

from bot.app import BehindProxies
from config.settings import SettingsError, load

CLAIM = {
    "HTTP_X_FORWARDED_FOR": "203.0.113.9",
    "HTTP_X_FORWARDED_PROTO": "https",
    "HTTP_X_FORWARDED_HOST": "kegui.example.com:8443",
}


def seen_from(peer: str, *trusted: str) -> tuple[str, str, str]:
    """What the application sees of a visitor whose request this peer passes on."""
    seen: dict[str, Any] = {}

    def app(environ: Any, _start: Any) -> list[bytes]:
        seen.update(environ)
        return []

    environ = {"REMOTE_ADDR": peer, "wsgi.url_scheme": "http", "HTTP_HOST": "127.0.0.1:8000"}
    BehindProxies(app, trusted)(environ | CLAIM, lambda *_: lambda _: None)
    return seen["REMOTE_ADDR"], seen["wsgi.url_scheme"], seen["HTTP_HOST"]


@pytest.mark.parametrize(
    ("peer", "trusted"),
    [
        ("127.0.0.1", "127.0.0.1"),
        ("::ffff:127.0.0.1", "127.0.0.1"),
        ("::1", "::1"),
        ("172.18.0.5", "172.16.0.0/12"),
    ],
)
def test_a_trusted_proxy_is_believed(peer: str, trusted: str) -> None:
    assert seen_from(peer, "192.0.2.1", trusted) == (
        "203.0.113.9",
        "https",
        "kegui.example.com:8443",
    )


@pytest.mark.parametrize("peer", ["10.0.0.7", "::1", "", "unix:"])
def test_nobody_else_is(peer: str) -> None:
    assert seen_from(peer, "127.0.0.1", "172.16.0.0/12") == (peer, "http", "127.0.0.1:8000")


@pytest.mark.parametrize("value", ["nginx", "10.0.0.1/8", "127.0.0.1 10.0.0.1"])
def test_what_is_no_address_is_named(value: str) -> None:
    with pytest.raises(SettingsError, match=r"KEGUI_TRUSTED_PROXIES.*10\.0\.0\.0/8"):
        load({"KEGUI_TRUSTED_PROXIES": value})
