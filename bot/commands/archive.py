"""`kegui archive`: pull the conversation archive, see how it is, and prove it."""

import json
import threading

import click

from bot import db
from bot.commands import terminal
from bot.commands.audit import lines_at
from bot.commands.keys import rotate_keys


@click.group()
def archive() -> None:
    """The conversation archive (会话内容存档)."""


@archive.command("run")
def archive_run() -> None:
    """Pull whatever is new, until told to stop. Any number may run; one leads."""
    from bot.archive import runner

    stopping = threading.Event()
    terminal.on_stop(stopping.set)
    kegui = terminal.wait_until_ready(stopping)
    if kegui is not None:
        runner.run(kegui, stopping)


@archive.command("pull")
@click.option("--once", is_flag=True, required=True, help="All that is new, then end.")
def archive_pull(once: bool) -> None:
    """Pull all that is new now, and try once more what could not be decrypted."""
    from bot.archive import runner
    from bot.archive.media import FolderAway
    from bot.archive.proof import ChainBroken
    from bot.archive.source import SourceDied, SourceError, SourceUnusable
    from bot.archive.store import CursorMoved

    kegui = terminal.kegui(terminal.load())
    try:
        total = runner.pull_once(kegui)
    except (SourceError, SourceUnusable) as error:
        raise click.ClickException(str(error)) from None
    except FolderAway as error:
        raise click.ClickException(f"KEGUI_MEDIA_URL cannot be used ({error})") from None
    except SourceDied:
        raise click.ClickException("the process of the SDK died again and again") from None
    except CursorMoved:
        raise click.ClickException("another process pulls at this moment; try again") from None
    except ChainBroken:
        raise click.ClickException(
            "the end of the chain was changed: run `kegui archive verify`"
        ) from None
    click.echo("another process pulls; it was told to" if total is None else f"{total} messages")


@archive.command("status")
@click.option("--json", "as_json", is_flag=True, help="For programs.")
def archive_status(as_json: bool) -> None:
    """Show how far the archive has come, and what it lacks."""
    from bot.archive import completeness

    loaded = terminal.load()
    with db.connection():
        found = completeness.status(loaded)
    if as_json:
        click.echo(json.dumps(found, ensure_ascii=False))
        return
    for name, value in found.items():
        click.echo(f"{name}: {value}")


@archive.command("verify")
@click.option(
    "--anchors",
    metavar="FILE|FOLDER|URL",
    help="Lines of archive_anchor, kept elsewhere: they show a chain that was made anew.",
)
@click.option("--all", "show_all", is_flag=True, help="Print every fault, not only the first.")
def archive_verify(anchors: str | None, show_all: bool) -> None:
    """Find the first message or file that was changed, removed or moved; 1 if there is one."""
    from bot.archive import verify
    from bot.audit.anchors import AnchorsAway

    kegui = terminal.kegui(terminal.load())
    is_whole = True
    try:
        lines = None if anchors is None else lines_at(anchors)
        with db.connection():
            for fault in verify.faults(kegui, lines):
                is_whole = False
                click.echo(fault)
                if not show_all:
                    break
            if is_whole:
                click.echo(verify.whole())
    except (AnchorsAway, OSError) as error:
        raise click.ClickException(f"the anchors cannot be read ({type(error).__name__})") from None
    except ValueError as error:
        raise click.ClickException(str(error)) from None
    raise SystemExit(0 if is_whole else 1)


@archive.command("rekey")
@click.pass_context
def archive_rekey(ctx: click.Context) -> None:
    """Change the master key while everybody works: KEGUI_DATA_KEY is the new one, and
    KEGUI_DATA_KEY_PREVIOUS the one before.

    A day's key is sealed anew, and no message is touched; it is what `kegui keys rotate` does.
    """
    ctx.invoke(rotate_keys)
