"""The sandbox's own cryptography against all published and derived vectors."""

import json
from pathlib import Path
from typing import Any

import pytest
from defusedxml import ElementTree

from bot.sandbox.crypto import CryptoError, Seal, sign

DATA = Path(__file__).parents[1] / "data" / "wecom"
VECTORS: list[dict[str, Any]] = json.loads((DATA / "vectors.json").read_text())["vectors"]


def of_kind(*kinds: str) -> list[Any]:
    return [pytest.param(one, id=one["name"]) for one in VECTORS if one["kind"] in kinds]


def open_vector(vector: dict[str, Any], encrypted: str) -> bytes:
    seal = Seal(vector["token"], vector["encoding_aes_key"], vector["receive_id"])
    query = vector["query"]
    return seal.open(query["msg_signature"], query["timestamp"], query["nonce"], encrypted)


def test_there_are_thirteen_vectors_and_each_kind_is_tried() -> None:
    tried = {"verify_url", "verify_url_fail", "decrypt", "decrypt_fail", "encrypt", "signature"}

    assert len(VECTORS) == 13
    assert {one["kind"] for one in VECTORS} == tried


@pytest.mark.parametrize("vector", of_kind("verify_url"))
def test_an_echo_opens(vector: dict[str, Any]) -> None:
    body = open_vector(vector, vector["query"]["echostr"])

    assert body.decode() == vector["expect"]["http_body"]


@pytest.mark.parametrize("vector", of_kind("decrypt"))
def test_a_posted_message_opens(vector: dict[str, Any]) -> None:
    encrypted = ElementTree.fromstring(vector["post_body"]).findtext("Encrypt")

    assert open_vector(vector, encrypted).decode() == vector["expect"]["plaintext"]


@pytest.mark.parametrize("vector", of_kind("verify_url_fail", "decrypt_fail"))
def test_what_does_not_fit_is_refused_with_its_code(vector: dict[str, Any]) -> None:
    encrypted = vector.get("encrypt") or vector["query"]["echostr"]
    code = int(vector["expect"]["error"].split()[0])

    with pytest.raises(CryptoError) as caught:
        open_vector(vector, encrypted)

    assert caught.value.code == code


@pytest.mark.parametrize("vector", of_kind("encrypt"))
def test_sealing_with_the_same_random_gives_the_published_bytes(vector: dict[str, Any]) -> None:
    seal = Seal(vector["token"], vector["encoding_aes_key"], vector["receive_id"])
    encrypted = seal.encrypt(vector["plaintext"].encode(), vector["random_ascii"].encode())
    signature = sign(vector["token"], vector["timestamp"], vector["nonce"], encrypted)

    assert encrypted == vector["expect"]["encrypt"]
    assert signature == vector["expect"].get("msg_signature", signature)


@pytest.mark.parametrize("vector", of_kind("signature"))
def test_a_signature_is_reproduced(vector: dict[str, Any]) -> None:
    query = vector["query"]
    made = sign(vector["token"], query["timestamp"], query["nonce"], vector["encrypt"])

    assert made == query["msg_signature"]


@pytest.mark.parametrize("key", ["short", "x" * 42, "x" * 44, "*" * 43])
def test_a_key_of_another_form_is_refused(key: str) -> None:
    with pytest.raises(CryptoError) as caught:
        Seal("token", key, "corp")

    assert caught.value.code == -40004
