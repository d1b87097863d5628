"""The keys of the vault: begin with one, take a new one, seal anew what older ones sealed."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from peewee import SQL, Value, fn

from bot import clock
from bot import vault as vaults
from bot.audit.log import AuditLog, Who
from bot.db import transaction
from bot.kegui import Kegui
from bot.models import DataKey, InboxHistory, SecondFactor
from bot.models.data_key import ESTABLISHED, PAYLOAD, SEALED, SECOND_FACTOR, SealedColumn
from bot.models.granting import write
from bot.vault import (
    HEAD_BYTES,
    MARK,
    MOST_KEYS,
    ROOT,
    Cell,
    Vault,
    VaultError,
    WrongKey,
)

CLOCK = Who("kegui:clock")
ROWS_AT_ONCE = 500
MOST_BY_CLOCK = 20_000
# By then every process seals with it.
BEFORE_RETIRING = timedelta(minutes=10)


class NotPossible(Exception):
    """The text says why, and what to do."""


@dataclass(frozen=True)
class Resealed:
    """What a round of sealing anew did: ``unreadable`` counts what no key of ours opens."""

    cells: int = 0
    unreadable: int = 0


def unreadable(vault: Vault) -> str | None:
    """Name the first of some sealed values that the vault does not open; None: it opens all.

    Tokens of WeCom are not looked at: what does not open is fetched anew.
    """
    return next((what for what, is_opened in _tried(vault) if not is_opened), None)


def _tried(vault: Vault) -> Iterator[tuple[str, bool]]:
    for what, cell, row, sealed in _samples():
        try:
            vault.open(cell, row, sealed)
        except VaultError:
            yield what, False
        else:
            yield what, True


def _samples() -> Iterator[tuple[str, Cell, str, bytes]]:
    for app in SecondFactor.select().limit(1):
        yield f"second factor of {app.actor}", SECOND_FACTOR, app.actor, app.secret
    for order in (InboxHistory.id, InboxHistory.id.desc()):
        for event in InboxHistory.select().order_by(order).limit(1):
            yield f"inbox event {event.id}", PAYLOAD, event.key, event.payload


def establish(master_key: str, vault: Vault, by: Who, *, is_proved: bool = False) -> bool:
    """Write down which master key this database is under; False when it stands there.

    Args:
        is_proved: it is known that this key is the database's.

    Raises:
        WrongKey: something is sealed already, and not by this key.
    """
    log = AuditLog(vault)
    with transaction():
        if DataKey.select().exists():
            vault.check()
            return False
        tried = [is_opened for _, is_opened in _tried(vault)]
        # One value that does not open is damaged; none that does is another key's.
        is_another = (tried and not any(tried)) or not log.wrote_last_entry()
        if is_another and not is_proved:
            raise WrongKey
        _put(master_key, ROOT, vaults.raw(master_key))
        log.record(by, ESTABLISHED, "data keys")
    return True


def add(master_key: str, vault: Vault, by: Who) -> int:
    """Make a new key, which seals from now on; returns its number.

    Other processes learn of it within seconds, and open at once what it sealed.

    Raises:
        NotPossible: the database says nothing of its keys yet, or has had all that there can be.
    """
    with transaction():
        number = max(_numbers(), default=0) + 1
        if number == ROOT:
            raise NotPossible("please run `kegui migrate` first, with KEGUI_DATA_KEY set")
        if number > MOST_KEYS:
            raise NotPossible(f"there have been {MOST_KEYS} keys: no more can be made")
        _put(master_key, number, vaults.new_key())
        AuditLog(vault).record(by, "keys.add", f"data key {number}")
    return number


def rewrap(master_key: str, vault: Vault, by: Who) -> int:
    """Wrap all data keys under the present master key; returns how many there are.

    From then on the former master key opens nothing here, except in older backups.
    """
    ring = vault.ring()
    with transaction():
        for number, key in ring.keys.items():
            wrapped = vaults.wrap(master_key, number, key)
            DataKey.update(wrapped=wrapped).where(DataKey.id == number).execute()
        AuditLog(vault).record(by, "keys.rotate", "data keys", keys=len(ring.keys))
    return len(ring.keys)


def go_on(kegui: Kegui) -> None:
    """Do the next part of what a new key has begun; most of the time nothing is."""
    ring = kegui.vault.check()
    if not set(ring.keys) - {ROOT, ring.sealing}:
        return
    newest = max(row.created_at for row in DataKey.select())
    if clock.now() - newest < BEFORE_RETIRING:
        return
    if reseal(kegui.vault, MOST_BY_CLOCK).cells < MOST_BY_CLOCK:
        tidy(kegui.vault, CLOCK)


def reseal(vault: Vault, most: int | None = None) -> Resealed:
    """Seal anew, under the newest key, what is sealed under another.

    Each value changes in one conditional write, so that it may be done while everybody works, be
    ended at any moment and begun again.

    Args:
        most: so many values are enough for this time.
    """
    done = unreadable_ones = 0
    head = vault.head()
    for place in SEALED:
        after: Any = None
        while rows := _not_sealed_so(place, head, after):
            for row in rows:
                if most is not None and done >= most:
                    return Resealed(done, unreadable_ones)
                is_opened = _reseal_one(place, row, vault)
                done += is_opened
                unreadable_ones += not is_opened
            after = rows[-1][0]
    return Resealed(done, unreadable_ones)


def _reseal_one(place: SealedColumn, row: tuple[Any, str, bytes], vault: Vault) -> bool:
    primary_key, name, sealed = row[0], row[1], bytes(row[2])
    for cell in place.cells:
        try:
            value = vault.open(cell, name, sealed)
        except VaultError:
            continue
        is_as_read = place.primary_key == primary_key, place.column == sealed
        new = {place.column.name: vault.seal(cell, name, value)}
        write(place.model, *is_as_read, **new)
        return True
    return False


def _not_sealed_so(place: SealedColumn, head: bytes, after: Any) -> list[tuple[Any, str, bytes]]:
    query = place.model.select(place.primary_key, place.row, place.column).where(
        place.column.is_null(False), _head_of(place) != Value(head, converter=False)
    )
    if after is not None:
        query = query.where(place.primary_key > after)
    rows: Any = query.order_by(place.primary_key).limit(ROWS_AT_ONCE).tuples()
    return list(rows)


def _head_of(place: SealedColumn) -> Any:
    return fn.SUBSTR(place.column, 1, HEAD_BYTES).converter(bytes)


def counts(vault: Vault) -> dict[int, int]:
    """Return how many values each key has sealed."""
    found = dict.fromkeys(vault.ring().keys, 0)
    for place in SEALED:
        head = _head_of(place)
        query = place.model.select(head, fn.COUNT(place.primary_key))
        query = query.where(place.column.is_null(False)).group_by(SQL("1"))
        rows: Any = query.tuples()
        for start, number in rows:
            start = bytes(start)
            key = int.from_bytes(start[1:], "big")
            if start[:1] == MARK and key in found:
                found[key] += number
    return found


def tidy(vault: Vault, by: Who) -> list[int]:
    """Forget keys that seal nothing any more; returns which.

    The first key stays: MACs, signatures and look-ups come from it.
    """
    ring, sealed = vault.check(), counts(vault)
    idle = [one for one in ring.keys if one not in (ROOT, ring.sealing) and not sealed[one]]
    with transaction():
        for number in idle:
            DataKey.delete().where(DataKey.id == number).execute()
            AuditLog(vault).record(by, "keys.retire", f"data key {number}")
    return idle


def _put(master_key: str, number: int, key: bytes) -> None:
    wrapped = vaults.wrap(master_key, number, key)
    DataKey.create(id=number, wrapped=wrapped, created_at=clock.now())


def _numbers() -> list[int]:
    return [row.id for row in DataKey.select(DataKey.id)]
