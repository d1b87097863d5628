"""The vault: only the same key and purpose open what was sealed, and changes show."""

import base64
import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.vault import Vault, VaultError


def new_vault() -> Vault:
    return Vault(base64.urlsafe_b64encode(os.urandom(32)).decode())


VAULT = new_vault()


@given(st.binary(max_size=500), st.text(max_size=20))
def test_what_is_sealed_opens_again(value: bytes, purpose: str) -> None:
    assert VAULT.open(purpose, VAULT.seal(purpose, value)) == value


def test_the_same_key_opens_in_another_process() -> None:
    key = base64.urlsafe_b64encode(os.urandom(32)).decode()

    assert Vault(key).open("inbox payload", Vault(key).seal("inbox payload", b"event")) == b"event"


def test_what_a_database_gives_back_opens_too() -> None:
    assert VAULT.open("p", memoryview(VAULT.seal("p", b"event"))) == b"event"  # type: ignore[arg-type]


def test_sealing_twice_shows_no_likeness() -> None:
    one, other = VAULT.seal("p", b"13800000000"), VAULT.seal("p", b"13800000000")

    assert one != other
    assert b"13800000000" not in one


def test_another_purpose_or_key_does_not_open() -> None:
    sealed = VAULT.seal("inbox payload", b"event")

    for vault, purpose in ((VAULT, "access token"), (new_vault(), "inbox payload")):
        with pytest.raises(VaultError):
            vault.open(purpose, sealed)


@given(st.data())
def test_a_change_anywhere_shows(data: st.DataObject) -> None:
    sealed = bytearray(VAULT.seal("p", b"event"))
    place = data.draw(st.integers(0, len(sealed) - 1))
    sealed[place] ^= data.draw(st.integers(1, 255))

    with pytest.raises(VaultError):
        VAULT.open("p", bytes(sealed))


@given(st.binary(max_size=60))
def test_garbage_and_what_is_cut_short_fail_in_one_way(garbage: bytes) -> None:
    for value in (garbage, b"\x01" + garbage, VAULT.seal("p", b"event")[: len(garbage) % 34]):
        with pytest.raises(VaultError):
            VAULT.open("p", value)


def test_equal_values_have_equal_fingerprints_that_nobody_else_can_make() -> None:
    print_of = VAULT.fingerprint("welcome code", "CODE-1")

    assert print_of == VAULT.fingerprint("welcome code", "CODE-1")
    assert "CODE-1" not in print_of
    others = {
        VAULT.fingerprint("welcome code", "CODE-2"),
        VAULT.fingerprint("phone", "CODE-1"),
        new_vault().fingerprint("welcome code", "CODE-1"),
    }
    assert print_of not in others
    assert len(others) == 3
