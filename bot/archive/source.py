"""Where the archive comes from: WeCom's finance SDK, or the sandbox behind the same interface."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

# What GetChatData gives at most (path 91774).
MOST_ROWS = 1000
NETWORK, UNPARSED, SYSTEM = 10001, 10002, 10003
EXPIRED = 10010
TOO_LARGE = 301058
MEDIA_GONE = 301048
# Of both layers: the same call may go well later (sdk.md 7).
PASSES = frozenset({NETWORK, UNPARSED, SYSTEM, -1, 45009, 45033, 301058, 6000})
LOST_MEDIA = frozenset({EXPIRED, MEDIA_GONE})


class SourceError(Exception):
    """The source did not give what was asked; ``code`` is the library's or WeCom's."""

    def __init__(self, what: str, code: int) -> None:
        super().__init__(f"{what}: {code}")
        self.what = what
        self.code = code

    @property
    def passes(self) -> bool:
        """Whether nobody has to do anything about it."""
        return self.code in PASSES


class SourceUnusable(Exception):
    """There is no source to ask: the text says why, and names no secret."""


class SourceDied(Exception):
    """The process of the SDK died or hung at a call, and was ended."""


@dataclass(frozen=True)
class Locked:
    """A message as it was delivered, with the key that opens it."""

    key: bytes
    message: str


@dataclass(frozen=True)
class NotOpened:
    """A message that the source did not decrypt; ``code`` None: it died at it."""

    code: int | None


@dataclass(frozen=True)
class Piece:
    """A part of a file, and the index with which the next one is asked for."""

    data: bytes
    next_index: str
    is_last: bool


class Source(Protocol):
    """What an archive can be asked; one thread asks."""

    def chat_data(self, seq: int, limit: int) -> bytes:
        """Return the answer of GetChatData: rows after ``seq``, as JSON.

        Raises:
            SourceError, SourceDied, SourceUnusable
        """

    def decrypt(self, messages: Sequence[Locked]) -> Iterator[bytes | NotOpened]:
        """Yield each message opened, in order.

        Raises:
            SourceUnusable
        """

    def media(self, file_id: str, index: str) -> Piece:
        """Return the next part of a file; ``index`` "" for the first.

        Raises:
            SourceError, SourceDied, SourceUnusable
        """

    def close(self) -> None:
        """Let go of what it holds."""
