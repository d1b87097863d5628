"""WeCom as one object of a test: ``groups.get`` of Kegui's is its method ``groups_get``."""

from typing import Any

FAMILIES = (
    *("contacts", "customers", "transfers", "resigned", "groups", "messages", "contact_ways"),
    *("agents", "archive", "logins"),
)


class OneForAll:
    """Fakes inherit from it and say only what their test needs."""

    def __getattr__(self, name: str) -> Any:
        if name not in FAMILIES:
            raise AttributeError(name)
        return _Family(self, name)


class _Family:
    def __init__(self, fake: OneForAll, name: str) -> None:
        self._fake, self._name = fake, name

    def __getattr__(self, call: str) -> Any:
        return getattr(self._fake, f"{self._name}_{call}")
