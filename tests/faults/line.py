"""The line between Kegui and WeCom: it can be cut, and it can fall silent."""

import asyncio
import threading
from collections.abc import Coroutine
from contextlib import suppress
from typing import Any

CHUNK = 65536


class Line:
    """Passes every connection on to ``target``; runs in a thread of its own.

    ``cut``: nobody listens, and what was open is closed. ``hush``: connections are taken and
    nothing is ever said, as through a firewall that forgot them.
    """

    def __init__(self, port: int, target: int) -> None:
        self.port = port
        self._target = target
        self._loop = asyncio.new_event_loop()
        self._server: asyncio.Server | None = None
        self._open: set[asyncio.StreamWriter] = set()
        self._is_silent = False
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self.mend()

    def cut(self) -> None:
        """Refuse connections from now on, and close those that are open."""
        self._do(self._cut())

    def hush(self) -> None:
        """Say nothing more to anybody; connections stay open."""
        self._is_silent = True

    def mend(self) -> None:
        """Pass on again; what was silent is closed."""
        self._do(self._mend())

    def close(self) -> None:
        """End, for good."""
        self._do(self._cut())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    def _do(self, act: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(act, self._loop).result(10)

    async def _cut(self) -> None:
        if self._server is not None:
            self._server.close()
            self._server = None
        self._hang_up()
        # Let the connections' tasks see it and end.
        await asyncio.sleep(0.05)

    async def _mend(self) -> None:
        if self._is_silent:
            self._is_silent = False
            self._hang_up()
        if self._server is None:
            self._server = await asyncio.start_server(self._pass_on, "127.0.0.1", self.port)

    def _hang_up(self) -> None:
        for writer in list(self._open):
            writer.transport.abort()

    async def _pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._open.add(writer)
        try:
            far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self._target)
            self._open.add(far_writer)
            try:
                await asyncio.gather(self._pump(reader, far_writer), self._pump(far_reader, writer))
            finally:
                self._open.discard(far_writer)
                far_writer.close()
        except OSError:
            pass
        finally:
            self._open.discard(writer)
            writer.close()

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while data := await reader.read(CHUNK):
                if not self._is_silent:
                    writer.write(data)
                    await writer.drain()
        writer.close()
