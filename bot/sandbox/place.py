"""A corporation in the sandbox and the environment of a Kegui that serves it."""

import base64
import secrets
import string
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

AGENT_ID = 1000002
CALLBACKS = {
    "customer": ("CALLBACK", "/wecom/callback"),
    "contacts": ("CONTACTS_CALLBACK", "/wecom/callback/contacts"),
    "archive": ("ARCHIVE_CALLBACK", "/wecom/callback/archive"),
}
APPS = {"app": "APP_SECRET", "contacts": "CONTACTS_SECRET", "archive": "ARCHIVE_SECRET"}
ALPHABET = string.ascii_letters + string.digits


@dataclass(frozen=True)
class Place:
    """Addresses, and secrets made for this one time: ``environment`` has them for Kegui,
    ``corporation`` for the sandbox."""

    sandbox_url: str
    web_url: str
    environment: Mapping[str, str]

    def corporation(self, **switches: Any) -> dict[str, Any]:
        """Return the body of the sandbox's reset for this corporation."""
        return {
            "corp_id": self.environment["KEGUI_CORP_ID"],
            "apps": [
                {"kind": kind, "secret": self.environment[f"KEGUI_{name}"]}
                | (self._own_app() if kind == "app" else {})
                for kind, name in APPS.items()
            ],
            "callbacks": {
                door: {
                    "url": self.web_url + path,
                    "token": self.environment[f"KEGUI_{prefix}_TOKEN"],
                    "aes_key": self.environment[f"KEGUI_{prefix}_AES_KEY"],
                }
                for door, (prefix, path) in CALLBACKS.items()
            },
            "switches": switches,
        }

    def _own_app(self) -> dict[str, Any]:
        public_url = self.environment["KEGUI_PUBLIC_URL"]
        return {"agent_id": AGENT_ID, "trusted_domain": urlsplit(public_url).netloc}


def make_place(
    folder: Path, *, sandbox_port: int = 8900, web_port: int = 8000, **settings: str
) -> Place:
    """Invent a corporation and the settings of a Kegui for it.

    Args:
        folder: where the embedded database stands.
        settings: more settings, or others, by their names without the prefix.
    """
    sandbox_url = f"http://127.0.0.1:{sandbox_port}"
    web_url = f"http://127.0.0.1:{web_port}"
    made = {
        "CORP_ID": f"ww{secrets.token_hex(8)}",
        "AGENT_ID": str(AGENT_ID),
        "WECOM_API_BASE": sandbox_url,
        "WECOM_OAUTH_BASE": sandbox_url,
        "WECOM_LOGIN_BASE": sandbox_url,
        "WECOM_JSSDK_URL": f"{sandbox_url}/jssdk.js",
        "PUBLIC_URL": web_url,
        "BIND": f"127.0.0.1:{web_port}",
        # Several places on one machine would ask for the same port.
        "METRICS_BIND": "",
        "DATABASE_URL": f"sqlite:///{folder}/kegui.db",
        "DATA_KEY": base64.urlsafe_b64encode(secrets.token_bytes(32)).decode(),
        "SECRET_KEY": secrets.token_urlsafe(32),
        "SANDBOX": "1",
        "TRANSFER_POLL_SECONDS": "2",
    }
    for name in APPS.values():
        made[name] = secrets.token_urlsafe(32)
    for prefix, _ in CALLBACKS.values():
        made[f"{prefix}_TOKEN"] = secrets.token_hex(8)
        made[f"{prefix}_AES_KEY"] = "".join(secrets.choice(ALPHABET) for _ in range(42)) + "A"
    made |= settings
    return Place(sandbox_url, web_url, {f"KEGUI_{name}": value for name, value in made.items()})
