"""`kegui audit`: verify the log, and take it elsewhere."""

from pathlib import Path
from typing import IO

import click
from peewee import IntegrityError

from bot import db, private
from bot.commands import terminal


@click.group()
def audit() -> None:
    """The audit log: who did or saw what."""


@audit.command("verify")
@click.option(
    "--export", "export_file", type=click.File(encoding="utf-8"), help="Not the database."
)
@click.option("--key-file", type=click.File(), help="With --export: the key of the entries.")
@click.option("--public-key", default="", metavar="HEX", help="With --export: of the anchors.")
@click.option(
    "--anchors",
    metavar="FILE|FOLDER|URL",
    help="Lines of audit_anchor, kept elsewhere (KEGUI_AUDIT_ANCHOR_URL): show a cut-off end.",
)
@click.option("--all", "show_all", is_flag=True, help="Print every fault, not only the first.")
def audit_verify(
    export_file: IO[str] | None,
    key_file: IO[str] | None,
    public_key: str,
    anchors: str | None,
    show_all: bool,
) -> None:
    """Find the first entry that was changed, removed or moved; 1 if there is one."""
    from bot.audit import verify
    from bot.audit.anchors import AnchorsAway
    from bot.audit.log import NotAnExport

    try:
        kept = None if anchors is None else lines_at(anchors)
        if export_file is not None:
            found = verify.verify_export(export_file, key_file, public_key, kept, show_all)
        else:
            loaded = terminal.load()
            with db.connection():
                found = verify.verify(terminal.vault(loaded), kept, show_all)
    except (AnchorsAway, OSError) as error:
        why = error.strerror if isinstance(error, OSError) else error
        raise click.ClickException(f"the anchors cannot be read ({why})") from None
    except (NotAnExport, ValueError) as error:
        raise click.ClickException(str(error)) from None
    for line in found.lines:
        click.echo(line)
    raise SystemExit(0 if found.is_whole else 1)


def lines_at(address: str) -> list[str]:
    """Read the lines of a file, or of all files that the clock keeps at an address."""
    from bot.audit.anchors import read

    path = Path(address)
    return path.read_text(encoding="utf-8").splitlines() if path.is_file() else [*read(address)]


@audit.command("export")
@click.argument("to", type=click.Path(path_type=Path))
def audit_export(to: Path) -> None:
    """Write the whole log to the new file TO, for `audit verify --export` on another machine."""
    from bot.audit.log import AuditLog, snapshot

    log = AuditLog(terminal.vault(terminal.load()))
    try:
        file = private.open_file(to, "x")
    except OSError as error:
        raise click.BadParameter(f"{to}: {error.strerror}", param_hint="TO") from None
    try:
        with file, db.connection():
            with db.transaction():
                log.record(terminal.whoever(), "audit.export", "audit log")
            with db.database.atomic():
                snapshot()
                count = log.export(file)
    except OSError as error:
        to.unlink()
        raise click.ClickException(f"{to}: {error.strerror}") from None
    except BaseException:
        # Also when it is interrupted: half a log is none, and the next try needs the name.
        to.unlink()
        raise
    click.echo(f"{count} entries")


@audit.command("keep-end")
def audit_keep_end() -> None:
    """Accept the present end of the chain, once you know why the recorded one was lost."""
    from bot.audit.log import AuditLog

    log = AuditLog(terminal.vault(terminal.load()))
    try:
        with db.connection():
            log.keep_end(terminal.whoever())
    except IntegrityError:
        raise click.ClickException("the clock seals at this moment: try again") from None


@audit.command("keys")
@click.option("--key-file", type=click.Path(path_type=Path), help="Write the entries' key there.")
def audit_keys(key_file: Path | None) -> None:
    """Print the public key of the anchors, for an auditor to keep."""
    from bot.audit.log import AuditLog
    from bot.audit.verify import public_hex

    log_keys = AuditLog(terminal.vault(terminal.load()))
    if key_file is not None:
        try:
            with db.connection(), db.transaction():
                # Whoever has it can forge entries. Without the file there is no entry.
                log_keys.record(
                    terminal.whoever(), "audit.take_key", "audit log", file=key_file.absolute()
                )
                file = private.open_file(key_file, "x")
        except OSError as error:
            raise click.ClickException(f"{key_file}: {error.strerror}") from None
        with file:
            file.write(log_keys.key.hex() + "\n")
    click.echo(public_hex(log_keys.public_key))
