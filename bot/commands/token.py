"""`kegui token`: bearer tokens of the REST API."""

import click

from bot import db, terminal
from bot.vault import Vault

DAYS = 365


@click.group()
def token() -> None:
    """API tokens."""


@token.command("create")
@click.option("--name", required=True)
@click.option("--scope", "scopes", multiple=True, required=True)
@click.option("--owner", default="", metavar="USERID", help="Who answers for it; default: you.")
@click.option(
    "--days",
    default=DAYS,
    show_default=True,
    type=click.IntRange(1, 3650),
    help="How long it holds.",
)
def token_create(name: str, scopes: tuple[str, ...], owner: str, days: int) -> None:
    """Make a bearer token and print it, the only time it is shown."""
    from bot.api.auth import SCOPES, create_token
    from bot.audit import AuditLog

    loaded = terminal.load()
    if unknown := sorted(set(scopes) - set(SCOPES)):
        raise click.BadParameter(
            f"unknown scope {', '.join(unknown)}; there are {', '.join(SCOPES)}"
        )
    audit = AuditLog(Vault(terminal.data_key(loaded)))
    with db.connection():
        with db.transaction():
            who = terminal.whoever()
            made = create_token(name, list(scopes), owner=owner or who.actor, days=days)
            audit.record(
                who,
                "token.create",
                f"token {name}",
                scopes=",".join(scopes),
                owner=owner or None,
                days=days,
            )
        click.echo(made)
