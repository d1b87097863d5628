"""Rows that grant access: a MAC tells what Kegui wrote from what somebody else wrote."""

import hmac
import json
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from functools import cache
from typing import Any, ClassVar, TypeVar

import peewee
import structlog
from peewee import CharField

from bot.db import Model, locked, transaction

log = structlog.get_logger(__name__)

# What the vault names the key.
PURPOSE = "rows that grant access"
Row = TypeVar("Row", bound="Granting")


class MacKey:
    """The key of the MACs: as the database, one for all models, set where a process begins."""

    def __init__(self) -> None:
        self._read: Callable[[], bytes] | None = None

    def use(self, read: Callable[[], bytes]) -> None:
        """Take this key from now on; it is read when a row needs it, and kept."""
        self._read = cache(read)

    def __call__(self) -> bytes:
        """Return the key.

        Raises:
            RuntimeError: nobody has set it, and without it no row is believed.
        """
        if self._read is None:
            raise RuntimeError("rows that grant access need KEGUI_DATA_KEY")
        return self._read()


mac_key = MacKey()


class Granting(Model):
    """A table whose rows let somebody do something.

    Only ``create`` and ``change`` write them, and write a MAC over all that they say with it. A row
    that was inserted or edited by other means grants nothing, wherever it is read.

    ``UNSIGNED`` are the columns that decide nothing; a number that the database gives is one too.
    """

    UNSIGNED: ClassVar[frozenset[str]] = frozenset()

    mac = CharField(max_length=64, null=True)

    @property
    def is_genuine(self) -> bool:
        """Whether the row is as Kegui wrote it; if not, the log says so."""
        if hmac.compare_digest(self.mac or "", self._right_mac()):
            return True
        log.error("row_not_written_by_kegui", table=self._meta.table_name, row=self.get_id())
        return False

    def save(self, force_insert: bool = False, only: Any = None) -> Any:
        """Insert a new row with its MAC, or write what no MAC covers.

        Raises:
            TypeError: the row is there already, and ``change`` would have to sign it.
        """
        is_new = force_insert or self.get_id() is None
        if is_new:
            self.mac = self._right_mac()
        else:
            _check_unsigned(type(self), only or type(self).signed())
        return super().save(force_insert=force_insert, only=only)

    @classmethod
    def update(cls, *data: Any, **changes: Any) -> Any:
        """Update what no MAC covers.

        Raises:
            TypeError: a MAC covers it: this is for ``change``.
        """
        _check_unsigned(cls, [*changes, *(name for one in data for name in one)])
        return super().update(*data, **changes)

    @classmethod
    def change(cls, *where: Any, **changes: Any) -> int:
        """Change the rows of which ``where`` is true, and sign them anew; returns how many.

        A row that is not genuine is changed too, so that it can be revoked, and stays unsigned.
        """
        key = cls._meta.primary_key
        with transaction():
            rows = list(locked(cls.select().where(*where).order_by(key)))
            for row in rows:
                mac = row._right_mac(changes) if row.is_genuine else row.mac
                super().update(**changes, mac=mac).where(key == row.get_id()).execute()
        return len(rows)

    @classmethod
    def signed(cls) -> list[str]:
        """Name the columns that the MAC covers."""
        meta: Any = cls._meta
        number = {meta.primary_key.name} if meta.auto_increment else set()
        left_out = cls.UNSIGNED | {"mac"} | number
        return [name for name in meta.sorted_field_names if name not in left_out]

    def _right_mac(self, changes: dict[str, Any] | None = None) -> str:
        values = {name: getattr(self, name) for name in self.signed()} | (changes or {})
        # What is empty is left out: a column that a later version adds breaks no MAC of before.
        said = [[name, _plain(values[name])] for name in sorted(values) if _is_said(values[name])]
        text = json.dumps([self._meta.table_name, said])
        return hmac.digest(mac_key(), text.encode(), "sha256").hex()


def genuine(rows: Iterable[Row]) -> list[Row]:
    """Return those of these rows that Kegui wrote as they are."""
    return [row for row in rows if row.is_genuine]


def write(model: type[peewee.Model], *where: Any, **changes: Any) -> int:
    """Change rows of any model, for what goes over many of them; returns how many."""
    if issubclass(model, Granting):
        return model.change(*where, **changes)
    return int(model.update(**changes).where(*where).execute())


def _check_unsigned(model: type[Granting], fields: Iterable[Any]) -> None:
    names = {getattr(one, "name", one) for one in fields}
    if signed := names & {*model.signed(), "mac"}:
        raise TypeError(f"{model.__name__}: only change() writes {', '.join(sorted(signed))}")


def _is_said(value: Any) -> bool:
    return value is not None and value != ""


def _plain(value: Any) -> Any:
    """Return a value as JSON can say it, the same whichever database gave it."""
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat(timespec="microseconds")
    if isinstance(value, bytes | bytearray | memoryview):
        return bytes(value).hex()
    return value
