"""Reading a request the way WeCom does: strict about types, with its codes."""

import json
import re
from collections.abc import Mapping
from typing import Any, TypeVar

from bot.sandbox.errors import Refusal

T = TypeVar("T")

MISSING = {
    "userid": 41009,
    "external_userid": 41035,
    "welcome_code": 41049,
    "config_id": 41043,
    "agentid": 41011,
    "corpid": 41002,
    "corpsecret": 41004,
}
# An odd number of backslashes before the u: an escape, not a written backslash.
UNICODE_ESCAPE = re.compile(rb"(?<!\\)(?:\\\\)*\\u[0-9a-fA-F]{4}")


def parse(raw: bytes) -> dict[str, Any] | None:
    """Return the JSON object of a body, or None when it is none."""
    try:
        value = json.loads(raw.decode())
    except ValueError:
        return None
    return value if isinstance(value, dict) else None


class Parameters:
    """The fields of one request; numbers may be texts only in a query."""

    def __init__(self, values: Mapping[str, Any], is_query: bool = False) -> None:
        self.values = values
        self._is_query = is_query

    def text(self, name: str, *, required: bool = True, most: int | None = None) -> str:
        """Return a text of at most ``most`` characters; absent and not required: empty.

        Raises:
            Refusal: the missing-code of the name, or 40058.
        """
        value = self.values.get(name)
        if value is None or value == "":
            return self._absent(name, required, "")
        if not isinstance(value, str) or (most is not None and len(value) > most):
            raise Refusal(40058, name)
        return value

    def number(
        self, name: str, *, required: bool = False, default: int = 0, most: int | None = None
    ) -> int:
        """Return a number from 0 to ``most``."""
        value = self.values.get(name)
        if value is None or (self._is_query and value == ""):
            return self._absent(name, required, default)
        if self._is_query and isinstance(value, str) and value.isdigit():
            value = int(value)
        if not isinstance(value, int) or isinstance(value, bool):
            raise Refusal(40058, name)
        if value < 0 or (most is not None and value > most):
            raise Refusal(40058, name)
        return value

    def flag(self, name: str, *, default: bool = False) -> bool:
        """Return a JSON boolean."""
        value = self.values.get(name, default)
        if not isinstance(value, bool):
            raise Refusal(40058, name)
        return value

    def texts(self, name: str, *, most: int, required: bool = True) -> list[str]:
        """Return a list of 1 to ``most`` texts.

        Raises:
            Refusal: 40063 missing, 40035 empty or no list, 40058 too long.
        """
        value = self.values.get(name)
        if value is None:
            return self._absent(name, required, [])
        if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
            raise Refusal(40035, name)
        if required and not value:
            raise Refusal(40035, name)
        if len(value) > most:
            raise Refusal(40058, f"{name} has more than {most}")
        return value

    def numbers(self, name: str) -> list[int]:
        """Return an optional list of numbers."""
        value = self.values.get(name) or []
        if not isinstance(value, list):
            raise Refusal(40035, name)
        if not all(isinstance(one, int) and not isinstance(one, bool) for one in value):
            raise Refusal(40058, name)
        return value

    def part(self, name: str, *, required: bool = False) -> "Parameters":
        """Return an object inside; absent and not required: an empty one."""
        value = self.values.get(name)
        if value is None:
            return self._absent(name, required, Parameters({}))
        if not isinstance(value, dict):
            raise Refusal(40058, name)
        return Parameters(value)

    def items(self, name: str) -> list[Any] | None:
        """Return an optional list of anything."""
        value = self.values.get(name)
        if value is not None and not isinstance(value, list):
            raise Refusal(40035, name)
        return value

    def _absent(self, name: str, required: bool, default: T) -> T:
        if required:
            raise Refusal(MISSING.get(name, 40063), name)
        return default
