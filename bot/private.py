"""Files and folders for nobody but the user that Kegui runs as, whatever the umask is."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

FILE, FOLDER = 0o600, 0o700
OTHERS = 0o077


@contextmanager
def closed_to_others() -> Iterator[None]:
    """Let nothing that the block or its child processes make be open to others."""
    before = os.umask(OTHERS)
    try:
        yield
    finally:
        os.umask(before)


def make_folder(path: Path) -> None:
    """Make a folder, and those above it that are missing; what is there stays as it is."""
    missing = [one for one in (path, *path.parents) if not one.exists()]
    for one in reversed(missing):
        # Another process may have made it meanwhile.
        one.mkdir(mode=FOLDER, exist_ok=True)


def open_file(path: Path, mode: str) -> IO[Any]:
    """Open a file to write to; ``mode`` as for ``open``. A new one is private from the start.

    Raises:
        OSError: it cannot be opened.
    """
    encoding = None if "b" in mode else "utf-8"
    return open(path, mode, encoding=encoding, opener=_opener)


def keep(path: Path) -> None:
    """See that there is a file, and that others may not look into it.

    One of before, when the umask decided, is closed to them; who is not its owner leaves it.

    Raises:
        OSError: it cannot be made.
    """
    try:
        open_file(path, "xb").close()
    except FileExistsError:
        # Never opened: to close a database's file would give up the locks that SQLite holds on it.
        found = path.stat()
        if found.st_mode & OTHERS and found.st_uid == os.geteuid():
            path.chmod(found.st_mode & 0o777 & ~OTHERS)


def _opener(path: str, flags: int) -> int:
    return os.open(path, flags, FILE)
