"""The vault: only the same key and purpose open what was sealed, and changes show."""

import base64
import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.vault import (
    Cell,
    Vault,
    VaultError,
    WrappedKey,
    WrongKey,
    new_key,
    raw,
    wrap,
)

CELL = Cell("event", "inbox_event.payload")
OTHER = Cell("event", "inbox_archive.payload")


def master() -> str:
    return base64.urlsafe_b64encode(os.urandom(32)).decode()


def new_vault() -> Vault:
    key = master()
    rows = [WrappedKey(1, wrap(key, 1, raw(key)))]
    return Vault(key, read=lambda: rows)


VAULT = new_vault()


@given(st.binary(max_size=500), st.text(max_size=20))
def test_what_is_sealed_opens_again_in_its_row(value: bytes, row: str) -> None:
    assert VAULT.open(CELL, row, VAULT.seal(CELL, row, value)) == value


def test_the_same_key_opens_in_another_process() -> None:
    key = master()

    assert Vault(key).open(CELL, "1", Vault(key).seal(CELL, "1", b"event")) == b"event"


def test_what_a_database_gives_back_opens_too() -> None:
    assert VAULT.open(CELL, "1", memoryview(VAULT.seal(CELL, "1", b"event"))) == b"event"  # type: ignore[arg-type]


def test_sealing_twice_shows_no_likeness() -> None:
    one, other = VAULT.seal(CELL, "1", b"13800000000"), VAULT.seal(CELL, "1", b"13800000000")

    assert one != other
    assert b"13800000000" not in one


def test_another_row_column_or_key_does_not_open() -> None:
    sealed = VAULT.seal(CELL, "1", b"event")

    for vault, cell, row in ((VAULT, CELL, "2"), (VAULT, OTHER, "1"), (new_vault(), CELL, "1")):
        with pytest.raises(VaultError):
            vault.open(cell, row, sealed)


class Keys:
    """The wrapped keys as a database has them, for processes that read them."""

    def __init__(self, master_key: str) -> None:
        self.master = master_key
        self.rows = [WrappedKey(1, wrap(master_key, 1, raw(master_key)))]

    def read(self) -> list[WrappedKey]:
        return self.rows

    def add(self) -> None:
        number = len(self.rows) + 1
        wrapped = wrap(self.master, number, new_key())
        self.rows.append(WrappedKey(number, wrapped))

    def vault(self, master_key: str | None = None, previous: str | None = None) -> Vault:
        return Vault(master_key or self.master, previous, self.read)


def test_a_key_that_was_added_meanwhile_opens_at_once_in_every_process() -> None:
    keys = Keys(master())
    old = keys.vault()
    before = old.seal(CELL, "1", b"before")
    keys.add()
    new = keys.vault()

    assert old.open(CELL, "1", new.seal(CELL, "1", b"after")) == b"after"
    assert new.open(CELL, "1", before) == b"before"
    assert new.seal(CELL, "1", b"x")[1:3] != before[1:3]


def test_what_must_outlive_the_keys_stays_as_it_was() -> None:
    keys = Keys(master())
    before = Vault(keys.master)
    keys.add()
    after = keys.vault()

    assert after.key("audit entries") == before.key("audit entries")
    assert after.fingerprint("phone", "138") == before.fingerprint("phone", "138")


def test_another_master_key_is_named_as_one_and_the_former_one_still_opens() -> None:
    keys, changed = Keys(master()), master()
    sealed = keys.vault().seal(CELL, "1", b"event")

    with pytest.raises(WrongKey, match="KEGUI_DATA_KEY"):
        keys.vault(changed).open(CELL, "1", sealed)
    between = keys.vault(changed, previous=keys.master)
    assert between.open(CELL, "1", sealed) == b"event"
    assert not between.ring().is_wrapped_by_present


def test_who_puts_a_key_in_the_place_of_another_opens_nothing() -> None:
    keys = Keys(master())
    keys.add()
    keys.rows[1] = WrappedKey(2, keys.rows[0].wrapped)

    with pytest.raises(WrongKey):
        keys.vault().ring()


@given(st.data())
def test_a_change_anywhere_shows(data: st.DataObject) -> None:
    sealed = bytearray(VAULT.seal(CELL, "1", b"event"))
    place = data.draw(st.integers(0, len(sealed) - 1))
    sealed[place] ^= data.draw(st.integers(1, 255))

    with pytest.raises(VaultError):
        VAULT.open(CELL, "1", bytes(sealed))


@given(st.binary(max_size=60))
def test_garbage_and_what_is_cut_short_fail_in_one_way(garbage: bytes) -> None:
    for value in (
        garbage,
        b"\x01" + garbage,
        b"\x02\x00\x01" + garbage,
        VAULT.seal(CELL, "1", b"event")[: len(garbage) % 34],
    ):
        with pytest.raises(VaultError):
            VAULT.open(CELL, "1", value)


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
