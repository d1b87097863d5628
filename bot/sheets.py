"""Rows of a spreadsheet that somebody sends: CSV, or the first sheet of an Excel file."""

import csv
import io
import re
import zipfile
from collections.abc import Iterator
from typing import Any
from xml.etree.ElementTree import Element, ParseError

from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import fromstring

MOST_ROWS, MOST_COLUMNS, LONGEST_CELL = 20_000, 100, 2_000
# What an Excel file of 1 MiB may unpack to.
MOST_BYTES = 64 * 1024 * 1024
_MAIN = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"
_COLUMN = re.compile("[A-Z]{1,3}")


class NoSheet(Exception):
    """The file is none that can be read; the text is a code."""


def rows_of(content: bytes) -> list[tuple[int, list[str]]]:
    """Return the rows that are not empty, each with its number in the file, from 1 on.

    A date or a number in a cell of Excel's is given as the number that Excel keeps.

    Raises:
        NoSheet: it is neither CSV in UTF-8 or GB18030 nor Excel, or too large.
    """
    found = _excel(content) if content[:4] == b"PK\x03\x04" else _csv(content)
    rows = []
    for number, cells in found:
        if len(cells) > MOST_COLUMNS or any(len(cell) > LONGEST_CELL for cell in cells):
            raise NoSheet("too_large")
        if any(cells):
            rows.append((number, cells))
        if len(rows) > MOST_ROWS:
            raise NoSheet("too_large")
    return rows


def _csv(content: bytes) -> Iterator[tuple[int, list[str]]]:
    text = _decoded(content)
    if "\x00" in text:
        raise NoSheet("not_a_table")
    first = text.partition("\n")[0]
    delimiter = max(",;\t", key=first.count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    try:
        for cells in reader:
            yield reader.line_num, [cell.strip() for cell in cells]
    except csv.Error:
        raise NoSheet("not_a_table") from None


def _decoded(content: bytes) -> str:
    # Excel in Chinese writes CSV in GB18030.
    for encoding in ("utf-8-sig", "gb18030"):
        try:
            return content.decode(encoding)
        except UnicodeDecodeError:
            continue
    raise NoSheet("not_a_table")


def _excel(content: bytes) -> Iterator[tuple[int, list[str]]]:
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as book:
            if sum(one.file_size for one in book.infolist()) > MOST_BYTES:
                raise NoSheet("too_large")
            names = set(book.namelist())
            shared: list[str] = []
            if "xl/sharedStrings.xml" in names:
                strings = fromstring(book.read("xl/sharedStrings.xml"))
                shared = [_text(one) for one in strings.iter(f"{_MAIN}si")]
            sheet = fromstring(book.read(_first_sheet(names)))
    except (
        zipfile.BadZipFile, KeyError, ParseError, DefusedXmlException, ValueError, EOFError,
        NotImplementedError, RuntimeError,
    ):  # fmt: skip
        raise NoSheet("not_a_table") from None
    for place, row in enumerate(sheet.iter(f"{_MAIN}row"), 1):
        number = row.get("r", "")
        yield int(number) if number.isdecimal() else place, _cells(row, shared)


def _first_sheet(names: set[str]) -> str:
    sheets = [name for name in names if re.fullmatch(r"xl/worksheets/sheet\d+\.xml", name)]
    if not sheets:
        raise NoSheet("not_a_table")
    return min(sheets, key=lambda name: int(re.findall(r"\d+", name)[-1]))


def _cells(row: Element, shared: list[str]) -> list[str]:
    cells: dict[int, str] = {}
    for place, cell in enumerate(row.iter(f"{_MAIN}c")):
        letters = _COLUMN.match(cell.get("r", ""))
        column = _number(letters[0]) if letters else place
        if column >= MOST_COLUMNS:
            raise NoSheet("too_large")
        cells[column] = _value(cell, shared).strip()
    return [cells.get(column, "") for column in range(max(cells, default=-1) + 1)]


def _value(cell: Any, shared: list[str]) -> str:
    kind = cell.get("t", "n")
    if kind == "inlineStr":
        return _text(cell)
    value = cell.findtext(f"{_MAIN}v") or ""
    if kind == "s":
        place = int(value) if value.isdecimal() else -1
        return shared[place] if 0 <= place < len(shared) else ""
    return value.removesuffix(".0") if kind == "n" else value


def _text(element: Element) -> str:
    """All the text of a cell but how it is pronounced."""
    phonetic = {id(one) for part in element.iter(f"{_MAIN}rPh") for one in part.iter(f"{_MAIN}t")}
    parts = (one for one in element.iter(f"{_MAIN}t") if id(one) not in phonetic)
    return "".join(one.text or "" for one in parts)


def _number(letters: str) -> int:
    column = 0
    for letter in letters:
        column = column * 26 + ord(letter) - ord("A") + 1
    return column - 1
