"""`kegui keys`: under which keys Kegui seals, a new one, another master key."""

import time

import click

from bot import db
from bot.commands import terminal
from bot.vault import READ_AGAIN_SECONDS, ROOT, Vault
from config.settings import Settings


@click.group()
def keys() -> None:
    """The keys under which Kegui seals; KEGUI_DATA_KEY wraps them."""


@keys.command("list")
def list_keys() -> None:
    """Print each key: since when, and how much is sealed by it."""
    from bot.models import DataKey
    from bot.operations import data_keys as acts

    vault = terminal.vault(terminal.load())
    with db.connection():
        began = {row.id: row.created_at for row in DataKey.select()}
        sealed = acts.counts(vault)
    ring = vault.ring()
    for number in sorted(ring.keys):
        since = f"{began[number]:%Y-%m-%d %H:%M} UTC" if number in began else "not written down"
        notes = ["seals"] if number == ring.sealing else []
        notes += ["MACs and look-ups come from it"] if number == ROOT else []
        click.echo(f"{number}  since {since}  {sealed[number]} values  {', '.join(notes)}".rstrip())
    if not ring.is_wrapped_by_present:
        click.echo("KEGUI_DATA_KEY_PREVIOUS still wraps them: run `kegui keys rotate`")


@keys.command("add")
def add_key() -> None:
    """Make a new key, which seals from now on; what is sealed stays as it is."""

    loaded = terminal.load()
    vault = terminal.vault(loaded)
    with db.connection():
        click.echo(f"key {_add(loaded, vault)} seals now")


@keys.command("rotate")
def rotate_keys() -> None:
    """Wrap the keys under KEGUI_DATA_KEY, make a new one, and seal everything under it, while
    everybody works. It may be ended and begun again."""
    from bot.operations import data_keys as acts

    loaded = terminal.load()
    vault = terminal.vault(loaded)
    was_wrapped = vault.check().is_wrapped_by_present
    with db.connection():
        if not was_wrapped:
            count = acts.rewrap(terminal.data_key(loaded), vault, terminal.whoever())
            click.echo(f"{count} keys are wrapped by KEGUI_DATA_KEY")
        if acts.counts(vault)[vault.ring().sealing] or not was_wrapped:
            click.echo(f"key {_add(loaded, vault)} seals now")
    # Until then other processes may seal with the key before.
    time.sleep(READ_AGAIN_SECONDS + 1)
    with db.connection():
        done = acts.reseal(vault)
        retired = acts.tidy(vault, terminal.whoever())
    click.echo(f"{done.cells} values were sealed again")
    for number in retired:
        click.echo(f"key {number} is not needed any longer")
    if done.unreadable:
        raise click.ClickException(
            f"{done.unreadable} values open with no key that is there: see docs/operations.md"
        )
    if not was_wrapped:
        click.echo("KEGUI_DATA_KEY_PREVIOUS is not needed any longer, except for older backups")


def _add(loaded: Settings, vault: Vault) -> int:
    from bot.operations import data_keys as acts

    try:
        return acts.add(terminal.data_key(loaded), vault, terminal.whoever())
    except acts.NotPossible as error:
        raise click.ClickException(str(error)) from None
