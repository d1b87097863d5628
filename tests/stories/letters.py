"""Callbacks posted by hand: the same envelope again, or the same event sealed anew."""

import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from bot.sandbox.callbacks import request, signed_query
from bot.sandbox.crypto import Seal
from bot.sandbox.events import xml
from bot.sandbox.state import Door, Fields
from tests.stack import Stack


@dataclass(frozen=True)
class Letter:
    """One sealed envelope and the query that signs it."""

    url: str
    query: Mapping[str, str]
    body: bytes

    def post(self) -> int:
        """Post it and return the status.

        Raises:
            OSError, http.client.HTTPException: no answer came.
        """
        return request(self.url, "POST", dict(self.query), self.body, 5)[0]


def add_event(stack: Stack, userid: str, external_userid: str = "", **more: Any) -> Fields:
    """Let a customer add a member, keep the callback back, and return its nodes."""
    external_userid = external_userid or f"wm_{uuid4().hex}"
    made = stack.meet(userid, external_userid, deliver={"drop": True}, **more)
    return [
        ("ToUserName", stack.place.environment["KEGUI_CORP_ID"]),
        ("FromUserName", "sys"),
        ("CreateTime", int(time.time())),
        ("MsgType", "event"),
        ("Event", "change_external_contact"),
        ("ChangeType", "add_external_contact"),
        ("UserID", userid),
        ("ExternalUserID", external_userid),
        ("WelcomeCode", made["welcome_code"]),
    ]


def sealed(stack: Stack, fields: Fields) -> Letter:
    """Seal an event for the customer door, each time with other random bytes."""
    settings = stack.place.environment
    door = Door(
        f"{stack.place.web_url}/wecom/callback",
        settings["KEGUI_CALLBACK_TOKEN"],
        settings["KEGUI_CALLBACK_AES_KEY"],
    )
    corp_id = settings["KEGUI_CORP_ID"]
    encrypted = Seal(door.token, door.aes_key, corp_id).encrypt(xml(fields).encode())
    body = xml([("ToUserName", corp_id), ("Encrypt", encrypted)]).encode()
    return Letter(door.url, signed_query(door, encrypted, time.time()), body)


def post_at_once(letters: list[Letter]) -> list[int]:
    """Post all letters in parallel and return their statuses."""
    with ThreadPoolExecutor(len(letters)) as pool:
        return list(pool.map(Letter.post, letters))
