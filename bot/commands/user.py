"""`kegui user`: local administrators, and who has which role."""

import getpass
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from typing import TextIO

import click
import segno

from bot import clock, db, wiring
from bot.commands import terminal
from bot.identity import local_users, logins, roles, second_factors
from bot.identity.access import LOCAL, meetings, not_of_the_firm, people_with_roles
from bot.identity.token_list import live_tokens_of
from bot.kegui import Kegui
from bot.models import LocalUser, Staff
from bot.rights import FROM_WECOM, Role
from config.settings import Settings

TRIES = 3
# What WeCom's own states of an account mean for a login.
OUT = {2: "disabled", 4: "not activated"}
GRANTED = [str(role) for role in Role if role not in FROM_WECOM]


@click.group()
def user() -> None:
    """Local administrators, and who has which role."""


@user.command("create-admin")
@click.argument("name")
@click.option(
    "--userid", default="", help="Which member they are; `kegui user bind` says it later."
)
def create_admin(name: str, userid: str) -> None:
    """Make a local administrator; asks for a password and sets up an authenticator app."""
    kegui = _kegui()
    with _screen() as screen, db.connection():
        try:
            password = _new_password(screen)
            with db.transaction():
                secret = local_users.create_admin(name, password, terminal.whoever(), kegui)
                if userid:
                    local_users.bind(name, Staff.spelled(userid), terminal.whoever(), kegui)
        except local_users.NotPossible as error:
            raise click.ClickException(str(error)) from None
        _set_up_app(name, secret, screen, kegui)
    click.echo(f"{LOCAL}{name} is an administrator")
    if not userid:
        click.echo(
            f"before they propose or decide anything: kegui user bind {name} USERID", err=True
        )


@user.command("bind")
@click.argument("name")
@click.argument("userid", metavar="USERID")
def bind(name: str, userid: str) -> None:
    """Say which member a local administrator is: one person proposes, another decides."""
    kegui = _kegui()
    name = name.removeprefix(LOCAL)
    with db.connection():
        userid = Staff.spelled(userid)
        try:
            is_new = local_users.bind(name, userid, terminal.whoever(), kegui)
        except local_users.NotPossible as error:
            raise click.ClickException(str(error)) from None
        is_known = Staff.get_or_none(userid=userid) is not None
    click.echo(f"{LOCAL}{name} is {userid}" if is_new else f"{LOCAL}{name} was {userid} already")
    if not is_known:
        click.echo(f"no reading has met {userid} yet: is the userid right?", err=True)


@user.command("second-factor")
@click.argument("name")
def second_factor(name: str) -> None:
    """Set up a new authenticator app for a local administrator, as after a lost phone."""
    kegui = _kegui()
    with _screen() as screen, db.connection():
        if LocalUser.get_or_none(LocalUser.name == name) is None:
            raise click.ClickException(f"there is no user {name}: see `kegui user list`")
        with db.transaction():
            second_factors.remove(LOCAL + name, terminal.whoever(), kegui)
            # Whoever has the phone may have a login too.
            open_now = logins.open_logins(LOCAL + name, kegui)
            logins.end(open_now, terminal.whoever(), kegui, "new_second_factor")
            secret = second_factors.prepare(LOCAL + name, kegui.vault)
        _set_up_app(name, secret, screen, kegui)
    click.echo(f"{LOCAL}{name} has a new second factor")


@user.command("set-password")
@click.argument("name")
def set_password(name: str) -> None:
    """Give a local administrator another password, and end all their logins."""
    kegui = _kegui()
    name = name.removeprefix(LOCAL)
    with _screen() as screen, db.connection():
        if not local_users.exists(name):
            raise click.ClickException(f"there is no user {name}: see `kegui user list`")
        try:
            password = _new_password(screen)
            ended = local_users.set_password(name, password, terminal.whoever(), kegui)
        except local_users.NotPossible as error:
            raise click.ClickException(str(error)) from None
    logins_ended = f"{ended} {'login' if ended == 1 else 'logins'} ended"
    click.echo(f"{LOCAL}{name} has a new password; {logins_ended}")


@user.command("disable")
@click.argument("name")
def disable(name: str) -> None:
    """Disable a local administrator: they can no longer log in."""
    kegui = _kegui()
    with db.connection():
        if not local_users.disable(name, terminal.whoever(), kegui):
            raise click.ClickException(f"no user {name} may log in: see `kegui user list`")
    click.echo(f"{LOCAL}{name} is disabled")


@user.command("unlock")
@click.argument("name")
@click.option("--address", help="Also forget the failures from this address.")
def unlock(name: str, address: str | None) -> None:
    """Forget the wrong passwords and codes that slow a local administrator down."""
    kegui = _kegui()
    name = name.removeprefix(LOCAL)
    actor = LOCAL + name
    asked = {actor: [logins.name_key(name), logins.code_key(actor)]}
    if address:
        key = logins.address_key(address)
        asked[key] = [key]
    with db.connection():
        if not local_users.exists(name):
            raise click.ClickException(f"there is no user {name}: see `kegui user list`")
        for subject, keys in asked.items():
            if logins.unlock(subject, keys, terminal.whoever(), kegui):
                click.echo(f"the failures of {subject} are forgotten")
            else:
                click.echo(f"no failure of {subject} is remembered")


@user.command("logins")
@click.argument("name")
def list_logins(name: str) -> None:
    """Print where somebody is logged in now; NAME is a userid or a local administrator's name."""
    kegui = _kegui()
    with db.connection():
        actor = _known_actor(name)
        found = logins.open_logins(actor, kegui)
    for one in found:
        began, seen = (f"{at:%Y-%m-%d %H:%M} UTC" for at in (one.began_at, one.seen_at))
        browser = one.browser or "no browser"
        click.echo(f"{actor}\t{one.address}\tsince {began}\tseen {seen}\t{one.method}\t{browser}")
    if not found:
        click.echo(f"{actor} is logged in nowhere", err=True)


@user.command("end-logins")
@click.argument("name")
def end_logins(name: str) -> None:
    """End all logins of somebody, as after a stolen phone; NAME as for `logins`."""
    kegui = _kegui()
    with db.connection():
        actor = _known_actor(name)
        ended = logins.end_all_of(actor, terminal.whoever(), kegui)
    if ended:
        click.echo(f"{ended} {'login' if ended == 1 else 'logins'} of {actor} ended")
    else:
        click.echo(f"{actor} is logged in nowhere")


@user.command("grant")
@click.argument("person", metavar="USERID", callback=terminal.userid)
@click.argument("role", type=click.Choice(GRANTED))
@click.option("--department", type=int, help="For a sales manager: with all below it.")
def grant(person: str, role: str, department: int | None) -> None:
    """Give a role without anybody's approval: for the first people, and for emergencies."""
    kegui = _kegui()
    try:
        with db.connection(), db.transaction():
            person = Staff.spelled(person)
            is_new = roles.grant(person, Role(role), department, terminal.whoever(), kegui)
            is_known = person.startswith(LOCAL) or Staff.get_or_none(userid=person) is not None
    except roles.NotPossible as error:
        raise click.ClickException(str(error)) from None
    click.echo(f"{person} is {role}" if is_new else f"{person} was {role} already")
    if not is_known:
        click.echo(f"no reading has met {person} yet: is the userid right?", err=True)


@user.command("revoke")
@click.argument("person", metavar="USERID")
@click.argument("role", type=click.Choice(GRANTED))
@click.option("--department", type=int)
def revoke(person: str, role: str, department: int | None) -> None:
    """Take a role back at once."""
    kegui = _kegui()
    with db.connection(), db.transaction():
        # A role may have been given before the member was known, in whatever letters.
        for actor in dict.fromkeys((person, Staff.spelled(person))):
            if roles.revoke(actor, Role(role), department, terminal.whoever(), kegui):
                break
        else:
            raise click.ClickException(f"{person} is not {role}: see `kegui user list`")
        left = len(live_tokens_of(Staff.spelled(person), clock.now(), _today(kegui.settings)))
    click.echo(f"{person} is no longer {role}")
    if left:
        click.echo(
            f"{person} still answers for {left} API {'token' if left == 1 else 'tokens'}, whose"
            " scopes do not follow roles: see `kegui token list` and `kegui token revoke`",
            err=True,
        )


@user.command("list")
def list_people() -> None:
    """Print who has which role, their second factor, when they were last seen, who is out."""
    loaded = terminal.load()
    terminal.data_key(loaded)
    with db.connection():
        people = people_with_roles()
        bound = {LOCAL + one.name: one.userid for one in LocalUser.select()}
        met = meetings()
        seen = logins.last_seen(list(people))
        states = _why_out(list(people), _today(loaded))
        for actor, granted in people.items():
            held = ", ".join(
                row.role if row.department_id is None else f"{row.role} over {row.department_id}"
                for row in granted
            )
            app = "app" if second_factors.has_one(actor) else "no app"
            last = f"seen {seen[actor]:%Y-%m-%d %H:%M} UTC" if actor in seen else "never seen"
            state = f"\t{states[actor]}" if actor in states else ""
            if actor in bound and actor not in states:
                state += f"\tis {bound[actor]}" if bound[actor] else "\tbound to no member"
            click.echo(f"{actor}\t{held}\t{app}\t{last}{state}")
    for person, roles_met in met.items():
        click.echo(f"{person} is {' and '.join(roles_met)}: no one person should be", err=True)


def _why_out(actors: list[str], today: date) -> dict[str, str]:
    """Say in a word why those of these people who may not come in may not."""
    members = {row.userid: row for row in Staff.select().where(Staff.userid.in_(actors))}
    words = {}
    for actor in not_of_the_firm(actors, today):
        member = members.get(actor)
        if actor.startswith(LOCAL):
            words[actor] = "disabled"
        elif member is None:
            words[actor] = "unknown"
        else:
            # WeCom may keep the account of a leaver for long.
            words[actor] = "left" if member.left_at else OUT.get(member.status, "left")
    return words


def _known_actor(name: str) -> str:
    """Return a member's userid, or the actor of the local administrator of this name.

    Where both are called so it is the member; the other is ``local:`` and the name.
    """
    if not name.startswith(LOCAL):
        userid = Staff.spelled(name)
        if Staff.get_or_none(userid=userid) is not None:
            return userid
    local = name.removeprefix(LOCAL)
    if local_users.exists(local):
        return LOCAL + local
    raise click.ClickException(f"no member and no local administrator is called {name}")


def _today(loaded: Settings) -> date:
    """The day it is in the firm."""
    return clock.now().astimezone(loaded.zone).date()


def _kegui() -> Kegui:
    loaded = terminal.load()
    terminal.data_key(loaded)
    return wiring.make_kegui(loaded)


@contextmanager
def _screen() -> Iterator[TextIO]:
    """The terminal itself: what the standard output says may end in a log."""
    try:
        screen = open("/dev/tty", "w")  # noqa: SIM115 - closed below
    except OSError:
        raise click.ClickException(
            "this needs a terminal: a password and a secret must not pass through a log"
        ) from None
    with screen:
        yield screen


def _new_password(screen: TextIO) -> str:
    password = getpass.getpass("Password (12 characters or more): ", screen)
    if getpass.getpass("Again: ", screen) != password:
        raise local_users.NotPossible("the two passwords differ")
    return password


def _set_up_app(name: str, secret: str, screen: TextIO, kegui: Kegui) -> None:
    """Show the secret and wait for the app's first code."""
    segno.make(second_factors.address(LOCAL + name, secret)).terminal(screen, compact=True)
    screen.write(f"Scan this with an authenticator app, or enter the key {secret}\n")
    for _ in range(TRIES):
        code = getpass.getpass("The 6 digits that it shows: ", screen)
        if second_factors.confirm(LOCAL + name, code.strip(), terminal.whoever(), kegui):
            return
        screen.write("That is not the code of this moment.\n")
    raise click.ClickException(
        f"the app was not confirmed, so {name} cannot log in: run `kegui user second-factor {name}`"
    )
