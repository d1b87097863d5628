"""The conversation archive of the sandbox: what people say, in envelopes as WeCom makes them.

Behind the same interface as WeCom's finance SDK, over HTTP: RSA for the key of each message (path
91774), and an AES envelope of its own, for WeCom's is not public. Rows and files are kept for five
days.
"""

import base64
import binascii
import hashlib
import json
import secrets
from typing import Any

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key
from flask import Blueprint, Response, jsonify, request

from bot.archive.sandbox_source import NONCE_BYTES, seal_message
from bot.sandbox import events, staff
from bot.sandbox.customers import NotPossible
from bot.sandbox.state import ArchivedRow, World

KEPT_SECONDS = 5 * 86_400
MOST_ROWS = 1000
PIECE_BYTES = 524_288
NOTICE_SECONDS = 15
# The archive's own application (path 95039).
AGENT_ID = 2_000_004
BAD_PARAMETER, EXPIRED, NOT_ENABLED = 10000, 10010, 301053
AGREE, DISAGREE = "Agree", "Disagree"


def give_key(world: World, pem: str) -> int:
    """Upload a public key in the console: a new version of it."""
    try:
        key = load_pem_public_key(pem.encode())
    except (ValueError, UnsupportedAlgorithm):
        raise NotPossible("that is no public key in PEM") from None
    if not isinstance(key, RSAPublicKey) or key.key_size != 2048:
        raise NotPossible("an RSA key of 2048 bits is needed")
    world.archive.keys.append(key)
    return len(world.archive.keys)


def say(world: World, message: dict[str, Any], version: int = 0) -> dict[str, Any] | None:
    """Let somebody send a message; None: it is not archived, for nobody set a key or somebody
    refused.

    Args:
        message: as WeCom's archive shows it; without msgid, action and time, which are made.
        version: of the public key, 0: the newest.
    """
    book = world.archive
    if not book.keys or world.switches.archive_service != "on":
        return None
    sender, to = str(message.get("from", "")), [str(one) for one in message.get("tolist", [])]
    room = str(message.get("roomid", ""))
    customer = world.customers.get(sender)
    if customer is not None and message.get("msgtype") not in ("agree", "disagree"):
        spoken_to = [customer.relations.get(staff.key(one)) for one in to]
        refused = [one for one in spoken_to if one and one.consent == DISAGREE]
        if refused and not room and not world.switches.archive_delivers_refused:
            return None
    at = int(world.now() * 1000)
    book.count += 1
    is_external = any(one in world.customers for one in (sender, *to))
    ending = "_external" if is_external else ""
    whole = {
        "msgid": f"{7_000_000_000_000 + book.count}_{at + 2000}{ending}",
        "action": "send",
        "roomid": "",
        "msgtime": at,
        **message,
    }
    key = secrets.token_hex(16)
    chosen = version or len(book.keys)
    sealed = book.keys[chosen - 1].encrypt(key.encode(), padding.PKCS1v15())
    plain = json.dumps(whole, ensure_ascii=False).encode()
    row = {
        "seq": book.count,
        "msgid": whole["msgid"],
        "publickey_ver": chosen,
        "encrypt_random_key": base64.b64encode(sealed).decode(),
        "encrypt_chat_msg": seal_message(key.encode(), secrets.token_bytes(NONCE_BYTES), plain),
    }
    book.rows.append(ArchivedRow(book.count, world.now(), row))
    _notify(world)
    return whole


def put_file(world: World, content: bytes) -> dict[str, Any]:
    """Keep a file; returns what a message says of it."""
    file_id = secrets.token_hex(24)
    world.archive.files[file_id] = world.now(), content
    md5 = hashlib.md5(content, usedforsecurity=False).hexdigest()
    return {"md5sum": md5, "filesize": len(content), "sdkfileid": file_id}


def _notify(world: World) -> None:
    """Tell that there is something new, at most once in fifteen seconds (path 95039)."""
    book = world.archive
    if world.now() - book.noticed_at >= NOTICE_SECONDS:
        book.noticed_at = world.now()
        events.emit(world, events.ARCHIVE, "msgaudit_notify", [("AgentID", AGENT_ID)])


def blueprint(world: World) -> Blueprint:
    """Return the addresses of the archive: what its source is asked, and what stories do."""
    archive = Blueprint("archive", __name__, url_prefix="/sandbox/archive")

    def is_ours(body: dict[str, Any]) -> bool:
        given = str(body.get("secret", ""))
        return any(app.kind == "archive" and app.secret == given for app in world.apps)

    @archive.post("/chatdata")
    def chat_data() -> Response:
        body = request.get_json()
        with world.lock:
            if not is_ours(body):
                return jsonify(errcode=40001, errmsg="invalid secret")
            if world.switches.archive_service != "on":
                return jsonify(errcode=NOT_ENABLED, errmsg="the archive is not enabled")
            seq, limit = int(body.get("seq", 0)), int(body.get("limit", 0))
            if not 1 <= limit <= MOST_ROWS:
                return jsonify(errcode=BAD_PARAMETER, errmsg="limit")
            oldest = world.now() - KEPT_SECONDS
            kept = [one for one in world.archive.rows if one.at > oldest]
            rows = [one.row for one in kept if one.seq > seq][:limit]
        # An empty answer may have no chatdata at all.
        return jsonify(errcode=0, errmsg="ok", **({"chatdata": rows} if rows else {}))

    @archive.post("/media")
    def media() -> Response:
        body = request.get_json()
        with world.lock:
            if not is_ours(body):
                return jsonify(errcode=40001)
            at, content = world.archive.files.get(str(body.get("file_id", "")), (0.0, b""))
            if not at or at <= world.now() - KEPT_SECONDS:
                return jsonify(errcode=EXPIRED)
        start = int(str(body.get("index") or "0"))
        piece = content[start : start + PIECE_BYTES]
        end = start + len(piece)
        return jsonify(
            errcode=0,
            data=base64.b64encode(piece).decode(),
            next_index=str(end),
            is_last=end >= len(content),
        )

    @archive.post("/keys")
    def keys() -> Response:
        with world.lock:
            return jsonify(version=give_key(world, str(request.get_json().get("pem", ""))))

    @archive.post("/messages")
    def messages() -> Response:
        """Let people talk: ``messages`` as the archive shows them; ``version`` of the key."""
        body = request.get_json()
        with world.lock:
            said = [say(world, one, int(body.get("version", 0))) for one in body["messages"]]
        return jsonify(messages=said)

    @archive.post("/files")
    def files() -> Response:
        try:
            content = base64.b64decode(request.get_json()["content"], validate=True)
        except (binascii.Error, KeyError):
            raise NotPossible("content is base64") from None
        with world.lock:
            return jsonify(put_file(world, content))

    @archive.errorhandler(NotPossible)
    @archive.errorhandler(ValueError)
    @archive.errorhandler(KeyError)
    def mistake(error: Exception) -> tuple[Response, int]:
        return jsonify(error=f"{type(error).__name__}: {error}"), 400

    return archive
