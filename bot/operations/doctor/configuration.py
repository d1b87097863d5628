"""Checks of the settings alone: complete, well-formed, strong, and fit for production."""

import base64
from collections.abc import Iterable, Mapping
from urllib.parse import urlsplit

from bot.operations.doctor.findings import Finding, failed, ok, warning
from bot.operations.signed_tables import misfits
from config.settings import PREFIX, WECOM_HOST, Settings, SettingsError, load

SECRET_KEY_CHARACTERS = 32
DISTINCT_CHARACTERS, DISTINCT_BYTES = 10, 16


def load_what_is_well_formed(environment: Mapping[str, str]) -> tuple[Settings, tuple[str, ...]]:
    """Return the settings without the malformed ones, and the names of those.

    Raises:
        SettingsError: what is left is still malformed.
    """
    try:
        return load(environment), ()
    except SettingsError as error:
        names = error.variables
    bad = {name.removesuffix("_FILE") for name in names}
    kept = {
        name: value
        for name, value in environment.items()
        if name not in bad and name.removesuffix("_FILE") not in bad
    }
    return load(kept), names


def check_settings(settings: Settings, malformed: Iterable[str]) -> Finding:
    names = list(malformed)
    if names:
        return failed("settings", "malformed", names=", ".join(names))
    if missing := settings.missing():
        return failed("settings", "missing", names=", ".join(missing))
    return ok("settings")


def check_tables() -> Finding:
    """What compliance signs off is what WeCom takes."""
    if found := misfits():
        chinese = "；".join(f"{one.place}：{one.chinese}" for one in found)
        english = "; ".join(map(str, found))
        return failed("signed tables", "table_unfit", chinese=chinese, english=english)
    return ok("signed tables")


def check_keys(settings: Settings) -> Finding:
    """SECRET_KEY and DATA_KEY: neither guessable nor used twice."""
    known = {
        name: secret.get_secret_value()
        for name in ("secret_key", "data_key", "app_secret", "contacts_secret", "archive_secret")
        if (secret := getattr(settings, name)) is not None
    }
    weak = [
        _variable(name)
        for name, is_weak in (("secret_key", is_weak_text), ("data_key", is_weak_data_key))
        if name in known and is_weak(known[name])
    ]
    if weak:
        return failed("keys", "weak_keys", names=", ".join(weak))
    for name in ("secret_key", "data_key"):
        same = [other for other, value in known.items() if value == known.get(name)]
        if len(same) > 1:
            return failed("keys", "equal_keys", names=", ".join(map(_variable, same)))
    return ok("keys")


def is_weak_text(value: str) -> bool:
    return len(value) < SECRET_KEY_CHARACTERS or len(set(value)) < DISTINCT_CHARACTERS


def is_weak_data_key(value: str) -> bool:
    """32 random bytes have fewer than 16 different ones practically never."""
    return len(set(base64.urlsafe_b64decode(value))) < DISTINCT_BYTES


def check_sandbox(settings: Settings, environment: Mapping[str, str]) -> Finding:
    """The console asks for no login beside the sandbox: not in production."""
    host = urlsplit(settings.wecom_api_base).hostname or ""
    in_production = environment.get("KEGUI_ENV", "").lower() == "production"
    if settings.sandbox and (in_production or host == WECOM_HOST):
        return failed("sandbox", "sandbox_in_production")
    if not settings.sandbox and host != WECOM_HOST:
        return warning("sandbox", "another_platform", host=host)
    return ok("sandbox")


def check_proxy(settings: Settings) -> Finding:
    """A reverse proxy takes whole requests from slow clients, and is believed about visitors."""
    if settings.trusted_proxies:
        return ok("reverse proxy")
    if settings.is_reached_from_other_machines:
        return failed("reverse proxy", "no_proxy", bind=settings.bind)
    # Kegui itself speaks no TLS, so somebody does it in front.
    if any(address.startswith("https:") for address in settings.own_addresses):
        return warning("reverse proxy", "proxy_not_believed")
    return ok("reverse proxy")


def _variable(name: str) -> str:
    return PREFIX + name.upper()
