"""Lists as CSV files for a spreadsheet, in which no cell is a formula."""

import csv
import io
import re
from collections.abc import Iterable, Sequence

from flask import Response

# What a spreadsheet takes for the beginning of a formula, in full width as well; what cannot be
# seen may stand before it.
FORMULA = re.compile(r"[\s\x00-\x1f\ufeff\u200b-\u200f\u2060]*[=+\-@＝＋－＠]|[\t\r\n]")


def answer(name: str, lines: Iterable[Sequence[str]]) -> Response:
    """Answer with a file of this name; every cell goes through ``cell``."""
    file = io.StringIO()
    csv.writer(file).writerows([cell(text) for text in line] for line in lines)
    # Excel reads UTF-8 only behind this mark.
    made = Response("\ufeff" + file.getvalue(), mimetype="text/csv")
    made.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    made.headers["Cache-Control"] = "no-store"
    return made


def cell(text: str) -> str:
    """Return a cell that no spreadsheet takes for a formula."""
    return f"'{text}" if FORMULA.match(text) else text
