"""The finance SDK in its child process, from the side of Kegui."""

import json
import os
import select
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit

import structlog

from bot.archive.sdk_child import (
    ANSWER,
    CANNOT_LOAD,
    GOOD,
    LACKS_SYMBOLS,
    LENGTH,
)
from bot.archive.source import (
    Locked,
    NotOpened,
    Piece,
    SourceDied,
    SourceError,
    SourceUnusable,
)

log = structlog.get_logger(__name__)

# How much longer than its own time-out a call may take before the process is ended.
GRACE_SECONDS = 10.0
START_SECONDS = 30.0
DECRYPT_SECONDS = 10.0
# A message at which the process died is tried once more at once: not each death is the message's.
TRIES = 2
BACK_OFF_SECONDS = (0.0, 0.1, 1.0, 5.0, 30.0, 60.0)
# A process that has grown so large is begun anew when it is idle.
MOST_MEMORY_BYTES = 512 << 20
READ_AT_ONCE = 1 << 20


@dataclass(frozen=True)
class SdkSettings:
    """What the library needs; ``timeout`` in seconds, ``proxy`` as http://user:password@host."""

    library: Path
    corp_id: str
    secret: str
    proxy: str = ""
    timeout: int = 30

    def order(self) -> bytes:
        parts = urlsplit(self.proxy)
        password = ""
        proxy = self.proxy
        if parts.username is not None:
            password = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
            proxy = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"
        return json.dumps(
            {
                "library": str(self.library.absolute()),
                "corp_id": self.corp_id,
                "secret": self.secret,
                "proxy": proxy,
                "password": password,
                "timeout": self.timeout,
            }
        ).encode()


class SdkSource:
    """Asks the library; where its process dies, a new one is begun, each time after a longer wait.

    Args:
        grace_seconds: how long after its time-out a call is ended.
    """

    def __init__(
        self,
        settings: SdkSettings,
        *,
        grace_seconds: float = GRACE_SECONDS,
        decrypt_seconds: float = DECRYPT_SECONDS,
        back_off_seconds: Sequence[float] = BACK_OFF_SECONDS,
    ) -> None:
        self._settings = settings
        self._call_seconds = settings.timeout + grace_seconds
        self._decrypt_seconds = decrypt_seconds
        self._back_off = back_off_seconds
        self._deaths = 0
        self._child: _Child | None = None

    def chat_data(self, seq: int, limit: int) -> bytes:
        return self._ask("GetChatData", {"act": "chat_data", "seq": seq, "limit": limit})

    def media(self, file_id: str, index: str) -> Piece:
        answer = self._ask("GetMediaData", {"act": "media", "file_id": file_id, "index": index})
        start = 1 + LENGTH.size
        (length,) = LENGTH.unpack(answer[1:start])
        following = answer[start : start + length].decode("utf-8", "replace")
        return Piece(answer[start + length :], following, answer[0] == 1)

    def decrypt(self, messages: Sequence[Locked]) -> Iterator[bytes | NotOpened]:
        done, tried = 0, 0
        while done < len(messages):
            rest = messages[done:]
            child = self._living()
            try:
                child.order({"act": "decrypt", "messages": [_pair(one) for one in rest]})
                for _ in rest:
                    opened = _opened(*child.answer(self._decrypt_seconds))
                    self._deaths = tried = 0
                    done += 1
                    yield opened
            except SourceDied:
                self._bury()
                tried += 1
                if tried == TRIES:
                    log.warning("archive_message_kills_the_sdk")
                    done, tried = done + 1, 0
                    yield NotOpened(None)

    def close(self) -> None:
        child, self._child = self._child, None
        if child is not None:
            child.close()

    def _ask(self, name: str, order: dict[str, object]) -> bytes:
        if self._child is not None and self._child.memory() > MOST_MEMORY_BYTES:
            log.info("archive_sdk_begun_anew", why="memory")
            self.close()
        child = self._living()
        try:
            child.order(order)
            is_good, code, content = child.answer(self._call_seconds)
        except SourceDied:
            self._bury()
            raise
        self._deaths = 0
        if not is_good:
            raise SourceError(name, code)
        return content

    def _living(self) -> "_Child":
        if self._child is None:
            if self._deaths:
                time.sleep(self._back_off[min(self._deaths, len(self._back_off)) - 1])
            try:
                self._child = self._begin()
            except SourceDied:
                self._bury()
                raise
        return self._child

    def _begin(self) -> "_Child":
        if not self._settings.library.is_file():
            raise SourceUnusable("KEGUI_ARCHIVE_SDK names no file")
        child = _Child()
        try:
            child.order_raw(self._settings.order())
            is_good, code, content = child.answer(START_SECONDS + self._settings.timeout)
        except SourceDied:
            child.kill()
            raise
        if is_good:
            return child
        child.kill()
        if code == LACKS_SYMBOLS:
            raise SourceUnusable(f"KEGUI_ARCHIVE_SDK lacks {content.decode()}")
        if code == CANNOT_LOAD:
            raise SourceUnusable("KEGUI_ARCHIVE_SDK cannot be loaded: see ldd of the library")
        raise SourceError("Init", code)

    def _bury(self) -> None:
        child, self._child = self._child, None
        self._deaths += 1
        if child is not None:
            child.kill()
        log.warning("archive_sdk_died", deaths=self._deaths)


class _Child:
    """One process with the library in it."""

    def __init__(self) -> None:
        # Its environment has no secret of ours: what the library needs is said to it.
        kept = ("PATH", "LD_LIBRARY_PATH", "PYTHONPATH", "SSL_CERT_FILE", "SSL_CERT_DIR", "TZ")
        environment = {name: os.environ[name] for name in kept if name in os.environ}
        self._process = subprocess.Popen(
            [sys.executable, "-m", "bot.archive.sdk_child"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=environment,
            cwd=Path(__file__).resolve().parent.parent.parent,
            bufsize=0,
        )
        self._read = bytearray()
        self._at = 0

    def order(self, what: dict[str, object]) -> None:
        self.order_raw(json.dumps(what, ensure_ascii=False).encode())

    def order_raw(self, content: bytes) -> None:
        """Send an order.

        Raises:
            SourceDied: nobody takes it.
        """
        stdin = self._process.stdin
        assert stdin is not None  # noqa: S101 - it is a pipe
        waiting = memoryview(LENGTH.pack(len(content)) + content)
        try:
            while waiting:
                waiting = waiting[os.write(stdin.fileno(), waiting) :]
        except OSError:
            raise SourceDied from None

    def answer(self, seconds: float) -> tuple[bool, int, bytes]:
        """Return whether it went well, else the code, and what came with it.

        Raises:
            SourceDied: it came not in time, or never will.
        """
        until = time.monotonic() + seconds
        (length,) = LENGTH.unpack(self._take(LENGTH.size, until))
        frame = self._take(length, until)
        mark, code = ANSWER.unpack(frame[: ANSWER.size])
        return mark == GOOD, code, frame[ANSWER.size :]

    def _take(self, count: int, until: float) -> bytes:
        stdout = self._process.stdout
        assert stdout is not None  # noqa: S101 - it is a pipe
        while len(self._read) - self._at < count:
            del self._read[: self._at]
            self._at = 0
            left = until - time.monotonic()
            if left <= 0 or not select.select([stdout], [], [], left)[0]:
                raise SourceDied
            data = os.read(stdout.fileno(), READ_AT_ONCE)
            if not data:
                raise SourceDied
            self._read += data
        taken = bytes(self._read[self._at : self._at + count])
        self._at += count
        return taken

    def memory(self) -> int:
        """Return how many bytes of memory the process has; 0 where nobody can say."""
        try:
            pages = Path(f"/proc/{self._process.pid}/statm").read_text("ascii").split()[1]
        except (OSError, IndexError):
            return 0
        return int(pages) * os.sysconf("SC_PAGE_SIZE")

    def close(self) -> None:
        """Let it destroy its handle and end; it is idle now."""
        if self._process.stdin is not None:
            self._process.stdin.close()
        try:
            self._process.wait(GRACE_SECONDS)
        except subprocess.TimeoutExpired:
            log.warning("archive_sdk_did_not_end")
        self.kill()

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                pipe.close()


def _pair(one: Locked) -> tuple[str, str]:
    return one.key.decode("ascii"), one.message


def _opened(is_good: bool, code: int, content: bytes) -> bytes | NotOpened:
    return content if is_good else NotOpened(code)
