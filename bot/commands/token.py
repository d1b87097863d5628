"""`kegui token`: bearer tokens of the REST API."""

import click

from bot import clock, db, wiring
from bot.commands import terminal
from bot.identity import tokens
from bot.kegui import Kegui
from bot.models import ApiToken, Staff

DAYS = 365


@click.group()
def token() -> None:
    """API tokens."""


@token.command("create")
@click.option("--name", required=True)
@click.option("--scope", "scopes", multiple=True, required=True)
@click.option("--owner", default="", metavar="USERID", help="Who answers for it; default: you.")
@click.option(
    "--department",
    "departments",
    multiple=True,
    type=int,
    metavar="ID",
    help="Read content of its members, and of those below; repeatable. Default: of all.",
)
@click.option(
    "--days",
    default=DAYS,
    show_default=True,
    type=click.IntRange(1, tokens.MOST_DAYS),
    help="How long it holds.",
)
def token_create(
    name: str, scopes: tuple[str, ...], owner: str, departments: tuple[int, ...], days: int
) -> None:
    """Make a bearer token and print it, the only time it is shown."""
    kegui = _kegui()
    if unknown := sorted(set(scopes) - set(tokens.SCOPES)):
        raise click.BadParameter(
            f"unknown scope {', '.join(unknown)}; there are {', '.join(tokens.SCOPES)}"
        )
    with db.connection():
        try:
            owner = Staff.spelled(owner)
            made = tokens.make(
                name,
                scopes,
                terminal.whoever(),
                kegui,
                owner=owner,
                days=days,
                departments=departments,
            )
        except tokens.NotPossible as error:
            raise click.ClickException(str(error)) from None
        click.echo(made)


@token.command("list")
def token_list() -> None:
    """Print each token: number, name, owner, scopes, end, last use, and what it is worth."""
    from bot.identity.token_list import tokens as all_tokens

    loaded = terminal.load()
    terminal.data_key(loaded)
    now = clock.now()
    with db.connection():
        for one in all_tokens(now, now.astimezone(loaded.zone).date()):
            row = one.row
            end = f"until {row.expires_at:%Y-%m-%d}" if row.expires_at else "without an end"
            used = f"used {row.last_used_at:%Y-%m-%d %H:%M} UTC" if row.last_used_at else "unused"
            scopes = ",".join(row.scopes)
            state = one.state.replace("_", " ")
            if one.exceeds_owner:
                state += ", owner is no administrator"
            click.echo(f"{row.id}\t{row.name}\t{row.owner}\t{scopes}\t{end}\t{used}\t{state}")


@token.command("revoke")
@click.argument("name", metavar="NAME_OR_ID")
def token_revoke(name: str) -> None:
    """Revoke a token: it can no longer call the API."""
    kegui = _kegui()
    with db.connection():
        found = tokens_called(name)
        if not found:
            raise click.ClickException(f"no token {name} may call: see `kegui token list`")
        if len(found) > 1:
            numbers = ", ".join(str(one.id) for one in found)
            raise click.ClickException(f"several tokens are called {name}: give one of {numbers}")
        tokens.revoke(found[0], terminal.whoever(), kegui)
    click.echo(f"token {found[0].id} ({found[0].name}) is revoked")


def tokens_called(text: str) -> list[ApiToken]:
    """Return the tokens, not revoked, of this name, or else the one with this number."""
    unrevoked = ApiToken.select().where(ApiToken.revoked_at.is_null())
    by_name = list(unrevoked.where(ApiToken.name == text).order_by(ApiToken.id))
    if by_name or not text.isdecimal() or len(text) > 18:
        return by_name
    return list(unrevoked.where(ApiToken.id == int(text)))


def _kegui() -> Kegui:
    loaded = terminal.load()
    terminal.data_key(loaded)
    return wiring.make_kegui(loaded)
