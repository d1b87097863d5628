"""The doors' cryptography: WeCom's own vectors hold, and everything else fails in one way."""

import base64
import hashlib
import hmac
import json
import os
import struct
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import parse_qs

import pytest
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CBC
from defusedxml.ElementTree import fromstring
from hypothesis import given
from hypothesis import strategies as st

from bot.wecom import crypto
from bot.wecom.crypto import MAX_ENVELOPE_BYTES, CallbackCrypto, CallbackRejected

VECTORS: list[dict[str, Any]] = json.loads(
    (Path(__file__).parent.parent / "data" / "wecom" / "vectors.json").read_text(encoding="utf-8")
)["vectors"]
TOKEN, AES_KEY, CORP_ID = "QDG6eK", "jWmYm7qr5nMoAUwZRjGtBxmz3KA1tkAj3ykkR6q2B2C", "ww5823bf96"
KEY = base64.b64decode(AES_KEY + "=")
AT, NONCE = "1795397400", "263014780"
DOOR = CallbackCrypto(TOKEN, AES_KEY, CORP_ID)


def of(*kinds: str) -> pytest.MarkDecorator:
    chosen = [one for one in VECTORS if one["kind"] in kinds]
    return pytest.mark.parametrize("vector", chosen, ids=lambda one: one["name"])


def door(vector: dict[str, Any]) -> CallbackCrypto:
    return CallbackCrypto(vector["token"], vector["encoding_aes_key"], vector["receive_id"])


def signature(query: dict[str, str]) -> tuple[str, str, str]:
    return query["msg_signature"], query["timestamp"], query["nonce"]


def test_every_kind_of_vector_has_its_test() -> None:
    tested = {"verify_url", "verify_url_fail", "decrypt", "decrypt_fail", "encrypt", "signature"}
    assert {one["kind"] for one in VECTORS} == tested


@of("verify_url")
def test_the_url_is_verified_with_the_bare_echo(vector: dict[str, Any]) -> None:
    query = vector["query"]
    if raw := vector.get("raw_query_string"):
        assert {name: values[0] for name, values in parse_qs(raw).items()} == query

    echo = door(vector).verify_url(*signature(query), query["echostr"])

    assert echo == vector["expect"]["http_body"].encode()


@of("verify_url_fail")
def test_a_verification_with_a_wrong_signature_is_rejected(vector: dict[str, Any]) -> None:
    query = vector["query"]
    with pytest.raises(CallbackRejected, match="signature"):
        door(vector).verify_url(*signature(query), query["echostr"])


@of("decrypt")
def test_an_event_is_decrypted(vector: dict[str, Any]) -> None:
    body = vector["post_body"].encode()

    plaintext = door(vector).decrypt(*signature(vector["query"]), body)

    assert plaintext == vector["expect"]["plaintext"].encode()


@of("decrypt_fail")
def test_an_event_for_another_receiver_is_rejected(vector: dict[str, Any]) -> None:
    with pytest.raises(CallbackRejected, match="receiver"):
        door(vector).decrypt(*signature(vector["query"]), vector["post_body"].encode())


@of("encrypt")
def test_a_passive_reply_is_sealed_as_wecom_seals_it(vector: dict[str, Any]) -> None:
    random, plaintext = vector["random_ascii"].encode(), vector["plaintext"].encode()

    reply = door(vector).encrypt(plaintext, vector["timestamp"], vector["nonce"], random)

    root = fromstring(reply)
    assert root.findtext("Encrypt") == vector["expect"]["encrypt"]
    assert root.findtext("MsgSignature") == vector["expect"]["msg_signature"]
    assert root.findtext("TimeStamp") == vector["timestamp"]
    assert root.findtext("Nonce") == vector["nonce"]


@of("signature")
def test_a_genuine_signature_is_recognised_without_its_key(vector: dict[str, Any]) -> None:
    other = CallbackCrypto(vector["token"], AES_KEY, CORP_ID)

    with pytest.raises(CallbackRejected) as rejected:
        other.verify_url(*signature(vector["query"]), vector["encrypt"])

    assert rejected.value.reason != "signature"


def sign(encrypted: str, token: str = TOKEN, at: str = AT, nonce: str = NONCE) -> str:
    return hashlib.sha1("".join(sorted([token, at, nonce, encrypted])).encode()).hexdigest()  # noqa: S324


def seal(padded: bytes) -> str:
    encryptor = Cipher(AES(KEY), CBC(KEY[:16])).encryptor()
    return base64.b64encode(encryptor.update(padded) + encryptor.finalize()).decode()


def frame(message: bytes, receiver: bytes = CORP_ID.encode(), length: int | None = None) -> bytes:
    stated = len(message) if length is None else length
    return b"r" * 16 + struct.pack("!I", stated) + message + receiver


def pad(data: bytes) -> bytes:
    size = 32 - len(data) % 32
    return data + bytes([size]) * size


def envelope(encrypted: str) -> bytes:
    return f"<xml><Encrypt><![CDATA[{encrypted}]]></Encrypt></xml>".encode()


def opened(encrypted: str, door: CallbackCrypto = DOOR) -> bytes:
    """What comes of a ciphertext that is signed as WeCom signs."""
    return door.decrypt(sign(encrypted), AT, NONCE, envelope(encrypted))


@given(st.binary(max_size=200))
def test_what_is_sealed_is_opened_whatever_its_length(message: bytes) -> None:
    assert opened(seal(pad(frame(message)))) == message
    reply = fromstring(DOOR.encrypt(message, AT, NONCE))
    assert opened(reply.findtext("Encrypt")) == message


GENUINE = seal(pad(frame(b"<xml><Event>e</Event></xml>")))


@pytest.mark.parametrize(
    ("padded", "reason"),
    [
        (pad(frame(b"message"))[:-1] + b"\x00", "padding"),
        (pad(frame(b"message"))[:-1] + b"\x21", "padding"),
        (pad(frame(b"message"))[:-2] + b"\x07" + pad(frame(b"message"))[-1:], "padding"),
        (frame(b"message") + bytes([59]) * 59, "padding"),
        (pad(frame(b"message", length=8)), "receiver"),
        (pad(frame(b"message", length=6)), "receiver"),
        (pad(frame(b"message", length=1000)), "frame"),
        (pad(frame(b"message", length=2**32 - 1)), "frame"),
        (pad(b"short"), "frame"),
        (bytes([32]) * 32, "frame"),
        (pad(frame(b"message", receiver=b"ww_other")), "receiver"),
        (pad(frame(b"message", receiver=b"")), "receiver"),
        (pad(frame(b"message", receiver=CORP_ID.encode() + b"x")), "receiver"),
        (pad(frame(b"message"))[:-16], "length"),
        (b"", "length"),
    ],
)
def test_a_signed_frame_that_is_not_right_is_rejected(padded: bytes, reason: str) -> None:
    encrypted = seal(padded)

    with pytest.raises(CallbackRejected) as rejected:
        DOOR.verify_url(sign(encrypted), AT, NONCE, encrypted)

    assert rejected.value.reason == reason


@pytest.mark.parametrize("change", ["{}!", "{}\n====", "!{}", "{}=", "{}客"])
def test_a_signed_text_that_is_not_quite_base64_is_rejected(change: str) -> None:
    encrypted = change.format(GENUINE)

    with pytest.raises(CallbackRejected, match="base64"):
        DOOR.verify_url(sign(encrypted), AT, NONCE, encrypted)


def one_bit_other(text: str, place: int) -> str:
    return text[:place] + ("A" if text[place] != "A" else "B") + text[place + 1 :]


@pytest.mark.parametrize("part", ["signature", "timestamp", "nonce", "encrypted", "token"])
def test_a_change_of_any_signed_part_is_rejected(part: str) -> None:
    token = one_bit_other(TOKEN, 0) if part == "token" else TOKEN
    given = {
        "signature": sign(GENUINE),
        "timestamp": AT,
        "nonce": NONCE,
        "encrypted": GENUINE,
    }
    assert DOOR.decrypt(given["signature"], AT, NONCE, envelope(GENUINE))
    if part in given:
        given[part] = one_bit_other(given[part], len(given[part]) // 2)

    with pytest.raises(CallbackRejected, match="signature"):
        CallbackCrypto(token, AES_KEY, CORP_ID).decrypt(
            given["signature"], given["timestamp"], given["nonce"], envelope(given["encrypted"])
        )


@pytest.mark.parametrize("length", range(0, 40, 13))
def test_a_signature_that_is_only_partly_right_is_rejected(length: int) -> None:
    with pytest.raises(CallbackRejected, match="signature"):
        DOOR.decrypt(sign(GENUINE)[:length], AT, NONCE, envelope(GENUINE))


def test_signature_receiver_and_padding_are_compared_in_constant_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    compared: list[bytes] = []

    def compare(one: bytes, other: bytes) -> bool:
        compared.append(other)
        return hmac.compare_digest(one, other)

    monkeypatch.setattr(crypto, "hmac", SimpleNamespace(compare_digest=compare))
    opened(GENUINE)

    assert sign(GENUINE).encode() in compared
    assert CORP_ID.encode() in compared
    assert len(compared) == 3


def test_another_key_is_rejected() -> None:
    other = CallbackCrypto(TOKEN, base64.b64encode(os.urandom(32)).decode()[:43], CORP_ID)
    with pytest.raises(CallbackRejected):
        opened(GENUINE, other)


BODIES = {
    "empty": b"",
    "not XML": b"garbage",
    "no Encrypt": b"<xml><Other>1</Other></xml>",
    "an empty Encrypt": b"<xml><Encrypt></Encrypt></xml>",
    "Encrypt too deep": b"<xml><a><Encrypt>x</Encrypt></a></xml>",
    "a bare DTD": b"<!DOCTYPE xml><xml><Encrypt>x</Encrypt></xml>",
    "a DTD": b'<!DOCTYPE xml [<!ENTITY e "x">]><xml><Encrypt>&e;</Encrypt></xml>',
    "an outer file": (
        b'<!DOCTYPE xml [<!ENTITY e SYSTEM "file:///etc/hostname">]>'
        b"<xml><Encrypt>&e;</Encrypt></xml>"
    ),
    "an unknown encoding": b'<?xml version="1.0" encoding="klingon"?><xml><Encrypt/></xml>',
    "not UTF-8": b"<xml><Encrypt>\xff\xfe</Encrypt></xml>",
    "too large": b"<xml><Encrypt>" + b"A" * MAX_ENVELOPE_BYTES + b"</Encrypt></xml>",
}


@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES.keys())
def test_a_body_that_is_no_envelope_is_rejected(body: bytes) -> None:
    with pytest.raises(CallbackRejected, match="body"):
        DOOR.decrypt("0" * 40, AT, NONCE, body)


GARBAGE = st.text(max_size=60) | st.text(alphabet="ABCabc019+/=", max_size=60)


@given(GARBAGE, GARBAGE, GARBAGE, st.binary(max_size=200) | GARBAGE.map(lambda t: t.encode()))
def test_garbage_at_the_door_fails_in_one_way(
    given_signature: str, at: str, nonce: str, body: bytes
) -> None:
    with pytest.raises(CallbackRejected):
        DOOR.decrypt(given_signature, at, nonce, body)
    with pytest.raises(CallbackRejected):
        DOOR.verify_url(given_signature, at, nonce, body.decode(errors="surrogateescape"))


@given(
    st.binary(max_size=160).map(lambda data: base64.b64encode(data).decode())
    | st.text(st.characters(blacklist_categories=["Cs"]), max_size=60)
    | st.binary(max_size=160).map(lambda data: seal(data.ljust(len(data) + -len(data) % 16)))
)
def test_signed_garbage_fails_in_one_way(encrypted: str) -> None:
    with pytest.raises(CallbackRejected):
        DOOR.verify_url(sign(encrypted), AT, NONCE, encrypted)


@given(st.data())
def test_a_signed_ciphertext_with_one_changed_byte_never_opens_as_another_firms(
    data: st.DataObject,
) -> None:
    sealed = bytearray(base64.b64decode(GENUINE))
    sealed[data.draw(st.integers(16, len(sealed) - 1))] ^= data.draw(st.integers(1, 255))
    encrypted = base64.b64encode(bytes(sealed)).decode()

    try:
        message = opened(encrypted)
    except CallbackRejected:
        return
    assert len(message) == len(b"<xml><Event>e</Event></xml>")


@pytest.mark.parametrize("key", ["", "short", "A" * 44])
def test_a_key_of_another_length_is_no_key(key: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        CallbackCrypto(TOKEN, key, CORP_ID)


def test_what_was_rejected_never_shows() -> None:
    with pytest.raises(CallbackRejected) as rejected:
        DOOR.decrypt("0" * 40, AT, NONCE, envelope("secret-content"))

    assert (str(rejected.value), rejected.value.args) == ("signature", ("signature",))
