"""`kegui rules`: say what is wrong with a file of rules, before anybody sends it."""

from pathlib import Path

import click
from peewee import PeeweeException

from bot import db, migrations, wiring
from config import settings
from config.settings import SettingsError


@click.group()
def rules() -> None:
    """The rules by which new customers are allocated."""


@rules.command("check")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
def check(file: Path) -> None:
    """Print what is wrong with FILE as `file:line: what`, and end with 2; or end with 0.

    Where there is a database, members and departments are looked up in it.
    """
    from bot.allocation import facts, rule_files, rule_sets
    from bot.allocation.fault_words import texts_of

    try:
        body = file.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        click.echo(f"{file}:1: no UTF-8")
        raise SystemExit(2) from None
    found, faults = rule_files.read(body, facts.products())
    if found is not None:
        try:
            loaded = settings.load()
            wiring.connect(loaded)
            if migrations.pending():
                raise LookupError("kegui migrate was not run")
            with db.connection():
                faults = rule_sets.faults_here(found, body, loaded.default_capacity, loaded.zone)
        except (SettingsError, ValueError, LookupError, PeeweeException) as error:
            why = str(error).partition("\n")[0][:200]
            click.echo(f"members and departments were not looked up: {why}", err=True)
    for fault in faults:
        click.echo(f"{file}:{fault.line}: {texts_of(fault).english}")
    raise SystemExit(2 if faults else 0)
