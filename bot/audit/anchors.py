"""Anchors of the audit log outside of the database: they show that its end was cut off.

A folder with one file for each day, to which lines are only added. Its address is a path, or one
that fsspec understands (s3://, sftp://, ...), whose credentials come from its own environment.
"""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import urlsplit

from bot import private

PREFIX, ENDING = "audit-anchors-", ".jsonl"


class AnchorsAway(Exception):
    """The folder cannot be used; the text is the kind of the error, for others quote addresses."""


class Folder(Protocol):
    """Where the files are."""

    def names(self) -> list[str]: ...

    def read(self, name: str) -> str: ...

    def add(self, name: str, line: str) -> None: ...


def keep(address: str, day: str, line: str) -> None:
    """Add a line to the day's file, unless it is there: safe to repeat.

    Raises:
        AnchorsAway: the folder cannot be used; the line may be there all the same.
    """
    try:
        folder, name = _folder(address), f"{PREFIX}{day}{ENDING}"
        there = folder.read(name).splitlines() if name in folder.names() else []
        if line not in there:
            folder.add(name, line + "\n")
    except Exception as error:  # each of fsspec's file systems raises its own family
        raise AnchorsAway(type(error).__name__) from None


def read(address: str) -> Iterator[str]:
    """Yield the lines of all days, the oldest first.

    Raises:
        AnchorsAway: the folder cannot be used.
    """
    try:
        folder = _folder(address)
        for name in sorted(folder.names()):
            yield from folder.read(name).splitlines()
    except Exception as error:  # each of fsspec's file systems raises its own family
        raise AnchorsAway(type(error).__name__) from None


def _folder(address: str) -> Folder:
    parts = urlsplit(address)
    if parts.scheme in ("", "file"):
        return _OfThisMachine(Path(parts.path if parts.scheme else address))
    return _Elsewhere(address)


def _is_ours(name: str) -> bool:
    return name.startswith(PREFIX) and name.endswith(ENDING)


class _OfThisMachine:
    """A folder that some other machine fetches, or that is mounted from there."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def names(self) -> list[str]:
        return [one.name for one in self._path.iterdir() if _is_ours(one.name)]

    def read(self, name: str) -> str:
        return (self._path / name).read_text(encoding="utf-8")

    def add(self, name: str, line: str) -> None:
        # No folder is made here: where a mount is missing, nothing must be kept in its place.
        with private.open_file(self._path / name, "a") as file:
            file.write(line)
            file.flush()
            os.fsync(file.fileno())


class _Elsewhere:
    """A folder that fsspec reaches."""

    def __init__(self, address: str) -> None:
        # Only where it is used: it knows many kinds of places.
        from fsspec.core import url_to_fs

        self._system: Any
        self._system, self._root = url_to_fs(address, use_listings_cache=False)

    def names(self) -> list[str]:
        if not self._system.exists(self._root):
            return []
        every = (path.rpartition("/")[2] for path in self._system.ls(self._root, detail=False))
        return [name for name in every if _is_ours(name)]

    def read(self, name: str) -> str:
        return bytes(self._system.cat_file(f"{self._root}/{name}")).decode()

    def add(self, name: str, line: str) -> None:
        with self._system.open(f"{self._root}/{name}", "ab") as file:
            file.write(line.encode())
