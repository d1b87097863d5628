"""Backup and restore: a folder with a dump and a manifest, never half, never with a key."""

import hashlib
import json
import os
import secrets
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from bot import clock, db, migrations, private
from bot.audit.log import AuditLog, AuditUnwritable, Who
from bot.backup import after_restore, dumps
from bot.backup.after_restore import Marked
from bot.backup.dumps import DumpError, Store
from bot.models import DataKey
from bot.operations import data_keys as keys
from bot.owner import UnsafeSchema
from bot.vault import Vault, fingerprint_of

FORMAT = 1
MANIFEST = "manifest.json"


class BackupError(Exception):
    """A backup could not be made or may not be restored; the text says what to do."""


@dataclass(frozen=True)
class Manifest:
    """What a backup is: read and checked before anything is touched.

    Args:
        taken_at: a moment just before the snapshot, in UTC.
        migrations: those applied, in order.
        rows: how many rows some tables have.
        data_key: a fingerprint of the vault's key, which tells another key and not this one.
    """

    kegui: str
    taken_at: datetime
    database: str
    migrations: tuple[str, ...]
    rows: Mapping[str, int]
    dump: str
    size: int
    sha256: str
    data_key: str
    format: int = FORMAT

    @property
    def moment(self) -> str:
        """When it was taken, for people to read."""
        return f"{self.taken_at:%Y-%m-%d %H:%M:%S} UTC"


@dataclass(frozen=True)
class Restored:
    """What a restore did."""

    manifest: Manifest
    migrated: tuple[str, ...]
    marked: Marked


def make(url: str, to: Path, data_key: str, begin: Callable[[], None]) -> Manifest:
    """Write a backup of the database while everybody works.

    It is written under another name beside ``to``, flushed to the disk, and only then named.

    Args:
        url: the database, with a role that may read all tables.
        to: the folder to make; it must not exist.
        data_key: the vault's key, of which only a fingerprint is kept.
        begin: called when nothing stands against it any more, before anything is read; what it
            raises ends the backup.

    Raises:
        BackupError: it could not be made; nothing is left behind.
    """
    to = to.absolute()
    if to.exists():
        raise BackupError(f"{to} exists already: give another name, nothing is overwritten")
    partial = to.with_name(f".{to.name}.{secrets.token_hex(4)}.partial")
    try:
        store = dumps.store(url)
        store.check_there()
        begin()
        private.make_folder(to.parent)
        # Names of customers stand in it: nobody but its owner may look.
        partial.mkdir(mode=private.FOLDER)
        manifest = _write(store, partial, data_key)
        # Refused when somebody else has made a folder with something in it meanwhile.
        os.rename(partial, to)
        dumps.sync(to.parent)
    except (DumpError, ValueError) as error:
        raise BackupError(str(error)) from None
    except OSError as error:
        raise BackupError(f"the backup could not be written ({error.strerror})") from None
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return manifest


def _write(store: Store, folder: Path, data_key: str) -> Manifest:
    taken_at = clock.now()
    path = folder / store.dump_name
    # Before the tools write: they leave a file's mode as it is.
    private.keep(path)
    content = store.dump(path)
    dumps.sync(path)
    manifest = Manifest(
        kegui=_version(),
        taken_at=taken_at,
        database=store.kind,
        migrations=content.migrations,
        rows=content.rows,
        dump=store.dump_name,
        size=path.stat().st_size,
        sha256=_sha256(path),
        data_key=fingerprint_of(data_key),
    )
    described = asdict(manifest) | {"taken_at": taken_at.isoformat()}
    with private.open_file(folder / MANIFEST, "x") as file:
        file.write(json.dumps(described, indent=2) + "\n")
    dumps.sync(folder / MANIFEST)
    dumps.sync(folder)
    return manifest


def read(folder: Path) -> Manifest:
    """Read a backup's manifest.

    Raises:
        BackupError: there is none, or it is not understood.
    """
    try:
        described: dict[str, Any] = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        if described["format"] != FORMAT:
            raise BackupError(f"the backup has format {described['format']}: a newer Kegui made it")
        return Manifest(
            **described
            | {
                "taken_at": datetime.fromisoformat(described["taken_at"]),
                "migrations": tuple(described["migrations"]),
            }
        )
    except (OSError, ValueError, KeyError, TypeError):
        raise BackupError(f"{folder} is not a backup: its {MANIFEST} cannot be read") from None


def restore(
    url: str, folder: Path, data_keys: Sequence[str], by: Who, *, replace: bool = False
) -> Restored:
    """Put a backup in the place of the database, and make it ready to go on.

    All that can be refused is refused before anything is touched. Afterwards the schema is
    brought to this version's, and what was open is marked: see ``bot.backup.after_restore``. The
    audit log, which ends where the backup was taken, says that it was put back.

    Args:
        url: the database, with a role that may make tables; no process may use it.
        folder: what ``make`` wrote.
        data_keys: the master keys that may have been in use when it was made.
        replace: what is in the database now may go.

    Raises:
        BackupError: it may not be restored, or could not be.
    """
    manifest = read(folder)
    dump = folder / manifest.dump
    result: dict[str, Any] = {}
    data_key = _key_of(manifest, data_keys)

    def finish(loaded: str) -> None:
        made = db.connect(loaded, as_owner=True)
        try:
            result["migrated"] = tuple(migrations.up())
            with db.connection(), db.transaction():
                vault = Vault(data_key, read=DataKey.all_wrapped)
                AuditLog(vault).record(by, "backup.restore", "database", taken_at=manifest.moment)
                # The manifest says that the key is this one.
                keys.establish(data_key, vault, by, is_proved=True)
                result["marked"] = after_restore.mark(manifest.taken_at)
        finally:
            made.close_all()

    try:
        store = dumps.store(url)
        _check(manifest, dump, store.kind)
        store.check_dump(dump)
        store.check_alone()
        if store.has_data() and not replace:
            raise BackupError(
                "the database has data: with --replace all of it goes,"
                " so make a backup of it first if it can still be read"
            )
        store.load(dump, finish)
    except (DumpError, UnsafeSchema, ValueError) as error:
        raise BackupError(str(error)) from None
    except OSError as error:
        raise BackupError(f"the backup could not be restored ({error.strerror})") from None
    except AuditUnwritable as error:
        raise BackupError(
            f"the audit log of the backup cannot be written ({error}):"
            " mend this, then repeat the restore with --replace, and start web, worker and clock"
            " only then"
        ) from None
    return Restored(manifest, **result)


def next_steps(done: Restored) -> list[str]:
    """Say, line by line, what was restored and what is to be done now."""
    manifest, marked = done.manifest, done.marked
    lines = [f"restored: the state of {manifest.moment}"]
    if done.migrated:
        lines.append(f"migrated: {', '.join(done.migrated)}")
    lines.append(
        f"cannot tell: {marked.welcomes} notices (now gaps), {marked.effects} acts,"
        f" {marked.items} transfers (looked up before anything is sent)"
    )
    if marked.open_cases:
        lines.append("these cases go on; cancel now those that were cancelled since:")
        lines += [f"  {case}" for case in marked.open_cases]
    return [
        *lines,
        "now: 1. start web, worker and clock",
        "     2. kegui sync (reads from WeCom what happened since)",
        "     3. open again what people did in Kegui since: cases, approvals, settled conflicts,"
        " API tokens",
        "not to be healed: whether customers who came since were told; their members must ask",
    ]


def _key_of(manifest: Manifest, data_keys: Sequence[str]) -> str:
    """Return the master key under which a backup was made."""
    for data_key in data_keys:
        if fingerprint_of(data_key) == manifest.data_key:
            return data_key
    raise BackupError(
        "the backup was made under another KEGUI_DATA_KEY:"
        " what is sealed in it could not be opened; set the key of that time,"
        " beside a newer one as KEGUI_DATA_KEY_PREVIOUS"
    )


def _check(manifest: Manifest, dump: Path, kind: str) -> None:
    if manifest.database != kind:
        raise BackupError(
            f"the backup is of {manifest.database}, and KEGUI_DATABASE_URL says {kind}"
        )
    known = {path.stem for path in migrations.DIRECTORY.glob("[0-9]*.py")}
    if newer := [name for name in manifest.migrations if name not in known]:
        raise BackupError(
            f"the backup was made by a newer Kegui ({manifest.kegui}):"
            f" this version does not know {', '.join(newer)}; install that version first"
        )
    if not dump.is_file() or dump.stat().st_size != manifest.size:
        raise BackupError(f"the dump is damaged: {dump} is not there or was cut")
    if _sha256(dump) != manifest.sha256:
        raise BackupError(f"the dump is damaged: {dump} is not what was written")


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _version() -> str:
    try:
        return version("kegui")
    except PackageNotFoundError:
        return "unknown"
