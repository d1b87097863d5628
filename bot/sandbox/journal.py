"""What happened in the sandbox, in order: calls, effects, events, deliveries."""

import threading
import time
from collections import Counter, deque
from typing import Any

ROWS_KEPT = 500_000
LONGEST_TEXT = 400


class Journal:
    """Append-only lists; each row has ``seq`` and ``at`` (sandbox time), safe between threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.clear()

    def clear(self) -> None:
        """Forget everything."""
        with self._lock:
            self._seq = 0
            self._rows: dict[str, deque[dict[str, Any]]] = {
                name: deque(maxlen=ROWS_KEPT)
                for name in ("calls", "executed", "events", "deliveries")
            }
            self.counts: Counter[tuple[str, int]] = Counter()

    def write(self, book: str, at: float, **row: Any) -> int:
        """Add a row and return its number, which is shared by all books and shows the order."""
        with self._lock:
            self._seq += 1
            entry = {"seq": self._seq, "at": round(at, 3), "wall": round(time.time(), 3), **row}
            self._rows[book].append(entry)
            if book == "calls":
                self.counts[row["endpoint"], row["errcode"]] += 1
            return self._seq

    def read(self, book: str, after: int = 0, **equal: str) -> list[dict[str, Any]]:
        """Return the rows above ``after`` whose fields equal those given."""
        with self._lock:
            rows = list(self._rows[book])
        wanted = {name: value for name, value in equal.items() if value}
        return [
            row
            for row in rows
            if row["seq"] > after
            and all(str(row.get(name)) == value for name, value in wanted.items())
        ]

    def count(self) -> dict[str, dict[str, int]]:
        """Return how often each endpoint answered each code."""
        with self._lock:
            counted = dict(self.counts)
        table: dict[str, dict[str, int]] = {}
        for (endpoint, errcode), times in sorted(counted.items()):
            table.setdefault(endpoint, {})[str(errcode)] = times
        return table


def compact(value: Any) -> Any:
    """Shorten long texts, so that a log of many calls stays readable."""
    if isinstance(value, str) and len(value) > LONGEST_TEXT:
        return value[:LONGEST_TEXT] + "…"
    if isinstance(value, dict):
        return {key: compact(one) for key, one in value.items()}
    if isinstance(value, list):
        return [compact(one) for one in value]
    return value
