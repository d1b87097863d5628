"""The files of messages: fetched piece by piece, checked, and kept encrypted, each content once.

A file in the media folder is a row of sealed pieces, each for its place and for whether it is the
last: none can be taken away, moved or added. The database names a content by a keyed digest of its
SHA-256, so that nobody can look up whether a known file is there.
"""

import hashlib
import json
import os
import secrets
import struct
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import IO, Any
from urllib.parse import urlsplit

import structlog
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from bot import clock, private
from bot.archive.contents import MediaRef
from bot.archive.day_keys import MEDIA, DayKeys
from bot.archive.source import LOST_MEDIA, Source, SourceDied, SourceError
from bot.db import connection, transaction
from bot.models import ArchiveFile, ArchiveMedia, ArchiveMessage
from bot.models.archive import EXPIRED, MISSING, PENDING, STORED
from bot.models.data_key import FILE
from bot.vault import KEY_BYTES, Vault, VaultError

log = structlog.get_logger(__name__)

PIECE_BYTES = 1 << 20
MORE, LAST = b"more", b"last"
LENGTH = struct.Struct(">I")
AT_ONCE = 50
# So often a piece is asked for before the file waits; a file that fails for long is told of.
PIECE_TRIES = 3
WAITS = tuple(timedelta(seconds=one) for one in (10, 60, 300, 1800, 3600))
MISSING_AFTER = 8
# Longer than any file is; a source that never says that it ends is none.
MOST_PIECES = 20_000
# What a file is by how it begins; the sender's word for it is not believed.
BEGINNINGS = (
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"GIF8", "image/gif"),
    (b"#!AMR", "audio/amr"),
    (b"%PDF-", "application/pdf"),
    (b"PK\x03\x04", "application/zip"),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "application/x-ole-storage"),
    (b"ID3", "audio/mpeg"),
)
ANYTHING = "application/octet-stream"


class FolderAway(Exception):
    """The media folder cannot be used; the text is the kind of the error."""


def type_of(beginning: bytes) -> str:
    """Say what a file is by its first bytes."""
    if beginning[4:8] == b"ftyp":
        return "video/mp4"
    if beginning[:4] == b"RIFF" and beginning[8:12] == b"WEBP":
        return "image/webp"
    return next((kind for mark, kind in BEGINNINGS if beginning.startswith(mark)), ANYTHING)


class Folder:
    """Where the files are: a folder, or any address that fsspec understands."""

    def __init__(self, address: str) -> None:
        # Only where it is used: it knows many kinds of places.
        from fsspec.core import url_to_fs

        parts = urlsplit(address)
        self._is_here = parts.scheme in ("", "file")
        if parts.scheme == "file":
            # file://var/media is below the working directory, file:///var/media is not.
            address = str(Path(parts.netloc + parts.path).absolute())
        self._system: Any
        self._system, self._root = url_to_fs(address, use_listings_cache=False)

    def write(self, name: str, content: IO[bytes]) -> None:
        """Put a file there, whole or not at all.

        Raises:
            FolderAway: the folder cannot be used.
        """
        path = self._path(name)
        try:
            if self._is_here:
                private.make_folder(Path(path).parent)
                part = Path(f"{path}.part")
                with private.open_file(part, "wb") as file:
                    _copy(content, file)
                    file.flush()
                    os.fsync(file.fileno())
                part.replace(path)
                return
            with self._system.open(path, "wb") as file:
                _copy(content, file)
        except Exception as error:  # each of fsspec's file systems raises its own family
            raise FolderAway(type(error).__name__) from None

    def read(self, name: str) -> IO[bytes]:
        """Open a file.

        Raises:
            FolderAway: it is not there, or the folder cannot be used.
        """
        try:
            opened: IO[bytes] = self._system.open(self._path(name), "rb")
        except Exception as error:  # as above
            raise FolderAway(type(error).__name__) from None
        return opened

    def _path(self, name: str) -> str:
        return f"{self._root}/{name[:2]}/{name}"


def _copy(content: IO[bytes], to: IO[bytes]) -> None:
    content.seek(0)
    while data := content.read(PIECE_BYTES):
        to.write(data)


@dataclass(frozen=True)
class Fetched:
    """A file that was fetched: what it is, and what WeCom said of it."""

    sha256: str
    md5: str
    size: int
    type: str


class Files:
    """The encrypted files, and what the database says of them."""

    def __init__(self, vault: Vault, folder: Folder) -> None:
        self._vault = vault
        self._folder = folder

    def name_of(self, sha256: str) -> str:
        """Return under which name a content is kept."""
        return self._vault.fingerprint("archive file", sha256)

    def keep(self, sealed: "Sealing", fetched: Fetched) -> str:
        """Keep a file that was sealed, unless its content is there; returns its name.

        Raises:
            FolderAway: it cannot be written.
        """
        name = self.name_of(fetched.sha256)
        if ArchiveFile.get_or_none(ArchiveFile.name == name) is not None:
            return name
        # Of two who fetch the same at once, each writes a file, and one of them is named here.
        path = secrets.token_hex(32)
        self._folder.write(path, sealed.content)
        said = {"sha256": fetched.sha256, "key": sealed.key.hex(), "path": path}
        ArchiveFile.insert(
            name=name,
            sealed=self._vault.seal(FILE, name, json.dumps(said).encode()),
            size=fetched.size,
            type=fetched.type,
            stored_at=clock.now(),
        ).on_conflict_ignore().execute()
        return name

    def sha256_of(self, row: ArchiveFile) -> str:
        """Return the SHA-256 of what a file holds.

        Raises:
            VaultError: the row was changed.
        """
        return str(self._secrets(row)["sha256"])

    def known_as(self, row: ArchiveFile) -> str:
        """Return the SHA-256 of a file for people; of a row that was changed, its name."""
        try:
            return self.sha256_of(row)
        except VaultError:
            return row.name

    def pieces(self, row: ArchiveFile) -> Iterator[bytes]:
        """Yield what a file holds.

        Raises:
            FolderAway: it is not there.
            VaultError: it was changed, or cut off.
        """
        said = self._secrets(row)
        with self._folder.read(said["path"]) as file:
            yield from _opened(file, bytes.fromhex(said["key"]))

    def check(self, row: ArchiveFile) -> bool:
        """Whether a file is what was stored."""
        digest = hashlib.sha256()
        try:
            for piece in self.pieces(row):
                digest.update(piece)
            return digest.hexdigest() == self.sha256_of(row)
        except (FolderAway, VaultError):
            return False

    def _secrets(self, row: ArchiveFile) -> dict[str, Any]:
        said: dict[str, Any] = json.loads(self._vault.open(FILE, row.name, row.sealed))
        return said


class Sealing:
    """A file that is sealed while it comes: what it holds stands nowhere as it is."""

    def __init__(self, content: IO[bytes]) -> None:
        self.content = content
        self.key = os.urandom(KEY_BYTES)
        self._cipher = AESGCM(self.key)
        self._number = 0

    def add(self, piece: bytes, *, is_last: bool) -> None:
        # The key is this file's alone, so a number is a nonce.
        nonce = self._number.to_bytes(12, "big")
        sealed = self._cipher.encrypt(nonce, piece, LAST if is_last else MORE)
        self.content.write(LENGTH.pack(len(sealed)) + sealed)
        self._number += 1


def _opened(file: IO[bytes], key: bytes) -> Iterator[bytes]:
    cipher, number, is_last = AESGCM(key), 0, False
    while head := file.read(LENGTH.size):
        if is_last or len(head) < LENGTH.size:
            raise VaultError("a file of the archive was changed")
        content = file.read(LENGTH.unpack(head)[0])
        nonce = number.to_bytes(12, "big")
        try:
            piece = cipher.decrypt(nonce, content, MORE)
        except (InvalidTag, ValueError):
            try:
                piece = cipher.decrypt(nonce, content, LAST)
            except (InvalidTag, ValueError):
                raise VaultError("a file of the archive was changed") from None
            is_last = True
        number += 1
        yield piece
    if not is_last:
        raise VaultError("a file of the archive was cut off")


class Fetcher:
    """Fetches what is due from a source, in one thread."""

    def __init__(self, source: Source, files: Files, day_keys: DayKeys) -> None:
        self._source = source
        self._files = files
        self._day_keys = day_keys

    def fetch_due(self, most: int = AT_ONCE) -> int:
        """Fetch files that are due, those first that WeCom forgets first; returns how many were.

        Raises:
            SourceUnusable: there is no source.
            FolderAway: the media folder cannot be used.
        """
        now = clock.now()
        with connection():
            self._expire(now)
            due = list(
                ArchiveMedia.select()
                .where(ArchiveMedia.state.in_((PENDING, MISSING)), ArchiveMedia.due_at <= now)
                .order_by(ArchiveMedia.due_at, ArchiveMedia.id)
                .limit(most)
            )
        for row in due:
            self._fetch(row)
        return len(due)

    def _expire(self, now: datetime) -> None:
        """What WeCom has forgotten by now is asked for no more."""
        ArchiveMedia.update(state=EXPIRED).where(
            ArchiveMedia.state.in_((PENDING, MISSING)),
            ArchiveMedia.deadline < now - timedelta(hours=1),
            ArchiveMedia.tries > 0,
        ).execute()

    def _fetch(self, row: ArchiveMedia) -> None:
        try:
            with connection():
                ref = self._ref(row)
            with tempfile.TemporaryFile() as content:
                sealing = Sealing(content)
                fetched = self._download(ref, sealing)
                with connection():
                    name = self._files.keep(sealing, fetched)
                    is_right = fetched.md5 == ref.md5.lower() if ref.md5 else None
                    _note(row, state=STORED, file=name, size=fetched.size, is_md5_right=is_right)
            if is_right is False:
                log.warning("archive_media_md5_differs", media=row.id)
        except SourceError as error:
            _wait(row, error.code)
        except (SourceDied, VaultError) as error:
            log.warning("archive_media_waits", media=row.id, why=type(error).__name__)
            _wait(row, None)

    def _ref(self, row: ArchiveMedia) -> MediaRef:
        message = ArchiveMessage.get_by_id(row.message)
        return ref_of(row, message.day, self._day_keys)

    def _download(self, ref: MediaRef, sealing: Sealing) -> Fetched:
        sha256, md5, size = hashlib.sha256(), hashlib.md5(usedforsecurity=False), 0
        index, beginning = "", b""
        for _ in range(MOST_PIECES):
            piece = self._piece(ref.file_id, index)
            sealing.add(piece.data, is_last=piece.is_last)
            sha256.update(piece.data)
            md5.update(piece.data)
            size += len(piece.data)
            beginning = beginning or piece.data[:16]
            if piece.is_last:
                return Fetched(sha256.hexdigest(), md5.hexdigest(), size, type_of(beginning))
            index = piece.next_index
        raise SourceError("GetMediaData", -1)

    def _piece(self, file_id: str, index: str) -> Any:
        """Ask for a piece, and after trouble for the same once more: not for the whole file."""
        for attempt in range(1, PIECE_TRIES + 1):
            try:
                return self._source.media(file_id, index)
            except SourceDied:
                if attempt == PIECE_TRIES:
                    raise
            except SourceError as error:
                if attempt == PIECE_TRIES or error.code in LOST_MEDIA:
                    raise
        raise AssertionError("unreachable")


def ref_of(row: ArchiveMedia, day: str, day_keys: DayKeys) -> MediaRef:
    """Return what WeCom says of a file.

    Raises:
        VaultError: the day's key is gone, or the row was changed.
    """
    sealed = day_keys.open(day, MEDIA, f"{row.message} {row.number}", row.sealed)
    return MediaRef(**json.loads(sealed))


def _note(row: ArchiveMedia, **values: Any) -> None:
    with transaction():
        ArchiveMedia.update(**values).where(ArchiveMedia.id == row.id).execute()


def _wait(row: ArchiveMedia, code: int | None) -> None:
    tries = row.tries + 1
    wait = WAITS[min(tries, len(WAITS)) - 1]
    state = MISSING if tries >= MISSING_AFTER else PENDING
    if code in LOST_MEDIA:
        state = EXPIRED
    with connection():
        _note(row, tries=tries, code=code, state=state, due_at=clock.now() + wait)
