"""The process in which WeCom's finance SDK runs: it may crash, hang or leak, and harms nobody else.

It speaks over its standard input and output, in frames: four bytes of length, then the content.
What the library itself prints goes nowhere. It imports nothing of Kegui's, so that it starts fast.

The seventeen functions and their types: WeWorkFinanceSdk_C.h and path 91774.
"""

import ctypes
import json
import os
import signal
import struct
from ctypes import c_char_p, c_int, c_uint, c_ulonglong, c_void_p
from typing import IO, Any

LENGTH = struct.Struct(">I")
ANSWER = struct.Struct(">ci")
GOOD, BAD = b"+", b"-"
# A code of our own, beside the library's: a list of symbols that it lacks follows.
LACKS_SYMBOLS = -1
CANNOT_LOAD = -2
PR_SET_PDEATHSIG = 1

# Types for all of them: what ctypes guesses cuts a pointer to 32 bits.
FUNCTIONS: dict[str, tuple[Any, list[Any]]] = {
    "NewSdk": (c_void_p, []),
    "Init": (c_int, [c_void_p, c_char_p, c_char_p]),
    "GetChatData": (
        c_int,
        [c_void_p, c_ulonglong, c_uint, c_char_p, c_char_p, c_int, c_void_p],
    ),
    "DecryptData": (c_int, [c_char_p, c_char_p, c_void_p]),
    "GetMediaData": (
        c_int,
        [c_void_p, c_char_p, c_char_p, c_char_p, c_char_p, c_int, c_void_p],
    ),
    "DestroySdk": (None, [c_void_p]),
    "NewSlice": (c_void_p, []),
    "FreeSlice": (None, [c_void_p]),
    "GetContentFromSlice": (c_void_p, [c_void_p]),
    "GetSliceLen": (c_int, [c_void_p]),
    "NewMediaData": (c_void_p, []),
    "FreeMediaData": (None, [c_void_p]),
    "GetOutIndexBuf": (c_void_p, [c_void_p]),
    "GetIndexLen": (c_int, [c_void_p]),
    "GetData": (c_void_p, [c_void_p]),
    "GetDataLen": (c_int, [c_void_p]),
    "IsMediaDataFinish": (c_int, [c_void_p]),
}


class Failed(Exception):
    """A call of the library did not give 0, or the library cannot be used."""

    def __init__(self, code: int, text: str = "") -> None:
        super().__init__(code, text)
        self.code = code
        self.text = text


def load(path: str) -> Any:
    """Load the library and look all its functions up.

    Raises:
        Failed: it cannot be loaded, or lacks some: the text names them.
    """
    try:
        library = ctypes.CDLL(path)
    except OSError as error:
        raise Failed(CANNOT_LOAD, str(error)) from None
    lacking = [name for name in FUNCTIONS if not hasattr(library, name)]
    if lacking:
        raise Failed(LACKS_SYMBOLS, " ".join(lacking))
    for name, (result, arguments) in FUNCTIONS.items():
        function = getattr(library, name)
        function.restype, function.argtypes = result, arguments
    return library


class Sdk:
    """One handle on the library, for the life of the process."""

    def __init__(self, library: Any, settings: dict[str, Any]) -> None:
        self._library = library
        self._proxy = str(settings["proxy"]).encode()
        self._password = str(settings["password"]).encode()
        self._timeout = int(settings["timeout"])
        self._handle = library.NewSdk()
        code = library.Init(
            self._handle, str(settings["corp_id"]).encode(), str(settings["secret"]).encode()
        )
        if code:
            self.destroy()
            raise Failed(code)

    def destroy(self) -> None:
        """Free the handle, once; no call runs then, for there is one thread."""
        handle, self._handle = self._handle, None
        if handle:
            self._library.DestroySdk(handle)

    def chat_data(self, seq: int, limit: int) -> bytes:
        return self._slice(
            lambda into: self._library.GetChatData(
                self._handle, seq, limit, self._proxy, self._password, self._timeout, into
            )
        )

    def decrypt(self, key: bytes, message: bytes) -> bytes:
        return self._slice(lambda into: self._library.DecryptData(key, message, into))

    def media(self, index: bytes, file_id: bytes) -> bytes:
        """Return one piece: whether it is the last, the next index with its length, the bytes."""
        library = self._library
        into = library.NewMediaData()
        try:
            code = library.GetMediaData(
                self._handle, index, file_id, self._proxy, self._password, self._timeout, into
            )
            if code:
                raise Failed(code)
            following = _bytes(library.GetOutIndexBuf(into), library.GetIndexLen(into))
            data = _bytes(library.GetData(into), library.GetDataLen(into))
            is_last = library.IsMediaDataFinish(into) == 1
        finally:
            library.FreeMediaData(into)
        return bytes([is_last]) + LENGTH.pack(len(following)) + following + data

    def _slice(self, call: Any) -> bytes:
        library = self._library
        into = library.NewSlice()
        try:
            code = call(into)
            if code:
                raise Failed(code)
            return _bytes(library.GetContentFromSlice(into), library.GetSliceLen(into))
        finally:
            library.FreeSlice(into)


def _bytes(pointer: int | None, length: int) -> bytes:
    # Not c_char_p, which ends at the first NUL.
    return ctypes.string_at(pointer, length) if pointer and length > 0 else b""


def read_frame(stream: IO[bytes]) -> bytes | None:
    """Return the next frame; None where the other side has gone."""
    head = stream.read(LENGTH.size)
    if len(head) < LENGTH.size:
        return None
    (length,) = LENGTH.unpack(head)
    content = stream.read(length)
    return content if len(content) == length else None


def write_frame(stream: IO[bytes], content: bytes) -> None:
    stream.write(LENGTH.pack(len(content)) + content)
    stream.flush()


def answer(stream: IO[bytes], content: bytes) -> None:
    write_frame(stream, ANSWER.pack(GOOD, 0) + content)


def refuse(stream: IO[bytes], failed: Failed) -> None:
    write_frame(stream, ANSWER.pack(BAD, failed.code) + failed.text.encode())


def serve(orders: IO[bytes], answers: IO[bytes]) -> None:
    """Do what the orders say, until there are no more.

    The first order has the settings. ``decrypt`` has many messages, each answered as soon as it is
    done: where the process dies, it is known at which.
    """
    first = read_frame(orders)
    if first is None:
        return
    settings = json.loads(first)
    try:
        sdk = Sdk(load(settings["library"]), settings)
    except Failed as failed:
        refuse(answers, failed)
        return
    answer(answers, b"")
    while (order := read_frame(orders)) is not None:
        what = json.loads(order)
        if what["act"] == "decrypt":
            for key, message in what["messages"]:
                _do(answers, sdk.decrypt, key.encode(), message.encode())
        elif what["act"] == "chat_data":
            _do(answers, sdk.chat_data, what["seq"], what["limit"])
        else:
            _do(answers, sdk.media, what["index"].encode(), what["file_id"].encode())
    sdk.destroy()


def _do(answers: IO[bytes], act: Any, *arguments: Any) -> None:
    try:
        done = act(*arguments)
    except Failed as failed:
        refuse(answers, failed)
    else:
        answer(answers, done)


def main() -> None:
    """Take the pipes for ourselves, so that whatever the library prints is nobody's answer."""
    # With its parent it ends, also in the middle of a call.
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    orders = os.fdopen(os.dup(0), "rb")
    answers = os.fdopen(os.dup(1), "wb", buffering=1 << 16)
    nowhere = os.open(os.devnull, os.O_RDWR)
    for number in (0, 1, 2):
        os.dup2(nowhere, number)
    serve(orders, answers)


if __name__ == "__main__":
    main()
