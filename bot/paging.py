"""A list cut into pages."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from peewee import ModelSelect

Row = TypeVar("Row")


@dataclass(frozen=True)
class Page(Generic[Row]):
    """One page of a list, and where it stands; the first page is 1.

    ``is_cut``: there is more behind the last page, which is neither counted nor shown.
    """

    rows: Sequence[Row]
    number: int
    size: int
    total: int
    is_cut: bool = False

    @property
    def last(self) -> int:
        return max(1, -(-self.total // self.size))

    @property
    def first_row(self) -> int:
        return (self.number - 1) * self.size + 1 if self.total else 0

    @property
    def last_row(self) -> int:
        return min(self.number * self.size, self.total)


def page_of_query(
    query: "ModelSelect[Any]", number: int, size: int, most: int | None = None
) -> Page[Any]:
    """Read one page of a query; a number beyond the end gives the last page.

    Args:
        most: of a list that grows for years, so many rows are enough to turn pages in.
    """
    first: Sequence[Any] | None = None
    if number <= 1 and most is not None:
        # One query is enough for a list that ends on its first page.
        first = list(query.limit(size + 1))
        if len(first) <= size:
            return Page(first, 1, size, len(first))
    total = query.count() if most is None else query.limit(most + 1).count()
    is_cut = most is not None and total > most
    if is_cut:
        total -= 1
    number = _within(number, total, size)
    rows = list(query.paginate(number, size)) if first is None else first[:size]
    return Page(rows[: max(0, total - (number - 1) * size)], number, size, total, is_cut)


def page_of_list(rows: Sequence[Row], number: int, size: int) -> Page[Row]:
    """Cut one page out of a list; a number beyond the end gives the last page."""
    number = _within(number, len(rows), size)
    return Page(rows[(number - 1) * size : number * size], number, size, len(rows))


def _within(number: int, total: int, size: int) -> int:
    return min(max(number, 1), max(1, -(-total // size)))
