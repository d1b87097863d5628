"""A corporation whose archive is a folder: what the stand-in for the finance SDK gives."""

import base64
import json
import secrets
import struct
import subprocess
from collections.abc import Iterable
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
)

ROW = struct.Struct("<QI")
SOURCE = Path(__file__).with_name("stand_in_sdk.c")
PAYLOADS = Path(__file__).resolve().parent.parent / "data" / "archive"
CUSTOMER = "wmFAKECust01AAAAAAAAAAAAAAAAAAAA"
ROOM = "wrFAKECustRoom01AAAAAAAAAAAAAAAA"
NOON = datetime(2026, 11, 23, 4, 0, tzinfo=UTC)


def build_library(folder: Path) -> Path:
    """Compile the stand-in."""
    library = folder / "libStandIn.so"
    subprocess.run(
        ["cc", "-O2", "-shared", "-fPIC", "-o", str(library), str(SOURCE)], check=True, timeout=60
    )
    return library


@cache
def private_key(version: int) -> rsa.RSAPrivateKey:
    """The firm's key of a version: making one takes a while."""
    assert version
    return rsa.generate_private_key(65537, 2048)


def message(number: int, text: str = "", **more: Any) -> dict[str, Any]:
    """A text message from zhangsan to the customer, one each second."""
    at = int(NOON.timestamp() * 1000) + number * 1000
    return {
        "msgid": f"{7_000_000_000 + number}_{at + 4000}_external",
        "action": "send",
        "from": "zhangsan",
        "tolist": [CUSTOMER],
        "roomid": "",
        "msgtime": at,
        "msgtype": "text",
        "text": {"content": text or f"第{number}条消息"},
    } | more


class Corporation:
    """The folder, which is also the archive's secret."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "corporation"
        self.folder.mkdir()
        self.keys = folder / "private-keys"
        self.keys.mkdir()
        self.give_key(1)
        self._seq = 0

    def give_key(self, version: int) -> None:
        """Put a private key where Kegui looks for it."""
        (self.keys / f"{version}.pem").write_bytes(
            private_key(version).private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        )

    def send(self, *messages: dict[str, Any] | bytes, version: int = 1, skip: int = 0) -> None:
        """Let messages be archived, under the firm's key of a version."""
        self._seq += skip
        with (self.folder / "rows.bin").open("ab") as file:
            for one in messages:
                self._seq += 1
                row = json.dumps(self._row(one, version), ensure_ascii=False).encode()
                file.write(ROW.pack(self._seq, len(row)) + row)

    def _row(self, one: dict[str, Any] | bytes, version: int) -> dict[str, Any]:
        if isinstance(one, bytes):
            plain, msgid = one, str(json.loads(one, strict=False)["msgid"])
        else:
            plain, msgid = json.dumps(one, ensure_ascii=False).encode(), str(one["msgid"])
        key = secrets.token_hex(16)
        public = private_key(version).public_key()
        sealed = public.encrypt(key.encode(), padding.PKCS1v15())
        return {
            "seq": self._seq,
            "msgid": msgid,
            "publickey_ver": version,
            "encrypt_random_key": base64.b64encode(sealed).decode(),
            "encrypt_chat_msg": f"{key}:{plain.hex()}",
        }

    def forget(self) -> None:
        """Let WeCom forget what it had."""
        (self.folder / "rows.bin").unlink()

    def faults(self, *lines: str) -> None:
        """Let calls go wrong: "GetChatData 3 crash", "poison 0 hang"."""
        (self.folder / "faults").write_text("\n".join(lines))

    def put_media(self, file_id: str, content: bytes) -> None:
        (self.folder / f"media.{file_id}").write_bytes(content)

    def environment(self, library: Path) -> dict[str, str]:
        """Return the settings of a Kegui that pulls from here."""
        return {
            "KEGUI_CORP_ID": "ww1",
            "KEGUI_ARCHIVE_SECRET": str(self.folder),
            "KEGUI_ARCHIVE_SDK": str(library),
            "KEGUI_ARCHIVE_PRIVATE_KEYS": str(self.keys),
            "KEGUI_ARCHIVE_SDK_TIMEOUT": "1",
        }


def many(count: int) -> Iterable[dict[str, Any]]:
    return (message(number) for number in range(1, count + 1))
