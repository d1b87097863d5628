"""A list cut into pages."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from peewee import ModelSelect

Row = TypeVar("Row")


@dataclass(frozen=True)
class Page(Generic[Row]):
    """One page of a list, and where it stands; the first page is 1."""

    rows: Sequence[Row]
    number: int
    size: int
    total: int

    @property
    def last(self) -> int:
        return max(1, -(-self.total // self.size))

    @property
    def first_row(self) -> int:
        return (self.number - 1) * self.size + 1 if self.total else 0

    @property
    def last_row(self) -> int:
        return min(self.number * self.size, self.total)


def page_of_query(query: "ModelSelect[Any]", number: int, size: int) -> Page[Any]:
    """Read one page of a query; a number beyond the end gives the last page."""
    total = query.count()
    number = _within(number, total, size)
    return Page(list(query.paginate(number, size)), number, size, total)


def page_of_list(rows: Sequence[Row], number: int, size: int) -> Page[Row]:
    """Cut one page out of a list; a number beyond the end gives the last page."""
    number = _within(number, len(rows), size)
    return Page(rows[(number - 1) * size : number * size], number, size, len(rows))


def _within(number: int, total: int, size: int) -> int:
    return min(max(number, 1), max(1, -(-total // size)))
