"""Faults on demand: wrong answers, slow answers, lost answers."""

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from random import Random
from typing import Any

EVERY_ENDPOINT = "*"


@dataclass
class Fault:
    """What goes wrong, where, how often; see docs/sandbox.md."""

    endpoint: str = EVERY_ENDPOINT
    errcode: int | None = None
    http_status: int | None = None
    body: str | None = None
    latency_seconds: float = 0.0
    hang: bool = False
    hang_seconds: float = 30.0
    drop: bool = False
    after_execute: bool = False
    times: int | None = None
    probability: float = 1.0
    seed: int = 0
    match: dict[str, Any] = field(default_factory=dict)
    without: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.random = Random(self.seed)  # noqa: S311 - repeatable faults, not secrets

    @property
    def spoils_the_answer(self) -> bool:
        """Tell a fault from mere slowness; an executed call without more loses its answer."""
        changes = (self.errcode, self.http_status, self.body)
        wanted = any(one is not None for one in changes) or self.hang or self.drop
        return wanted or (self.after_execute and not self.latency_seconds)

    def leave_out(self, answer: dict[str, Any]) -> None:
        """Take out of a right answer what this fault leaves out: ``group_chat.owner``."""
        for path in self.without:
            _leave_out(answer, path.split("."))

    def meets(self, endpoint: str, parameters: Mapping[str, Any]) -> bool:
        """Tell whether this call is meant, chance included."""
        if self.endpoint not in (EVERY_ENDPOINT, endpoint) or self.times == 0:
            return False
        if any(parameters.get(name) != value for name, value in self.match.items()):
            return False
        return self.probability >= 1 or self.random.random() < self.probability


def _leave_out(inner: Any, path: list[str]) -> None:
    for row in inner if isinstance(inner, list) else [inner]:
        if isinstance(row, dict) and len(path) == 1:
            row.pop(path[0], None)
        elif isinstance(row, dict):
            _leave_out(row.get(path[0]), path[1:])


class Faults:
    """The faults that are set, first match wins."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._faults: list[Fault] = []

    def add(self, row: Mapping[str, Any]) -> None:
        """Set a fault.

        Raises:
            ValueError: for a field that no fault has.
        """
        known = {one.name for one in fields(Fault)}
        if unknown := sorted(set(row) - known):
            raise ValueError(f"no such field: {', '.join(unknown)}")
        with self._lock:
            self._faults.append(Fault(**row))

    def clear(self, endpoint: str = "") -> None:
        """Remove the faults of an endpoint, or all."""
        with self._lock:
            self._faults = [one for one in self._faults if endpoint and one.endpoint != endpoint]

    def take(self, endpoint: str, parameters: Mapping[str, Any]) -> Fault | None:
        """Return the fault that this call meets, and use one of its times up."""
        with self._lock:
            for fault in self._faults:
                if fault.meets(endpoint, parameters):
                    if fault.times is not None:
                        fault.times -= 1
                    return fault
        return None
