"""How a command begins: its settings, what it holds, and who sits at the terminal."""

import os
import pwd
import signal
import socket
import threading
from collections.abc import Callable
from contextlib import suppress

import click
import structlog
from peewee import PeeweeException
from playhouse.pool import MaxConnectionsExceeded

from bot import db, metrics, migrations, wiring
from bot.audit.log import Who
from bot.kegui import Kegui
from bot.models.staff import LONGEST_USERID
from bot.operations import health, signed_tables
from bot.vault import Vault
from config import logging, settings
from config.settings import Settings, SettingsError

log = structlog.get_logger(__name__)
WAIT_SECONDS = 10


def userid(
    ctx: click.Context, param: click.Parameter, value: str | tuple[str, ...]
) -> str | tuple[str, ...]:
    """Take a userid, or several, of a form that the API takes, too."""
    for one in (value,) if isinstance(value, str) else value:
        if not 1 <= len(one) <= LONGEST_USERID:
            raise click.BadParameter(
                f"a userid has 1 to {LONGEST_USERID} characters", ctx=ctx, param=param
            )
    return value


def load() -> Settings:
    """Read the settings, or end with one line that names what is malformed."""
    try:
        loaded = settings.load()
        logging.configure(loaded.log_level)
        wiring.connect(loaded)
    except (SettingsError, ValueError) as error:
        raise click.ClickException(str(error)) from None
    return loaded


def kegui(loaded: Settings) -> Kegui:
    """Wire a process, or end with one line that names what is missing."""
    if missing := loaded.missing():
        raise click.ClickException("please set " + ", ".join(missing))
    made = counting(loaded)
    # A database that is away, or has no tables yet, is told of where it is needed.
    with suppress(PeeweeException, MaxConnectionsExceeded):
        made.vault.ring()
    return made


def counting(loaded: Settings) -> Kegui:
    """Wire a process whose counts are stored until the command ends."""
    click.get_current_context().with_resource(metrics.Storing())
    return wiring.make_kegui(loaded)


def whoever() -> Who:
    """Whoever sits at the terminal, as the audit log names them: by the system's word, for the
    environment says what one likes. Who became that user by sudo is told with the host."""
    try:
        name = pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        # In a container a user need have no name.
        name = f"uid {os.getuid()}"
    host, before = socket.gethostname(), os.environ.get("SUDO_USER")
    return Who(f"cli:{name}", f"{host[:31]} (sudo: {before})" if before else host)


def owner_url(loaded: Settings) -> str:
    return (loaded.database_owner_url or loaded.database_url).get_secret_value()


def connect_as_owner(loaded: Settings) -> str:
    """Make the database of the role that owns the tables the one that models use; its URL."""
    url = owner_url(loaded)
    try:
        db.connect(url, as_owner=True)
    except ValueError as error:
        raise click.ClickException(f"KEGUI_DATABASE_OWNER_URL: {error}") from None
    return url


def vault(loaded: Settings) -> Vault:
    """Open the vault; a wrong key ends every command with one line that says so."""
    data_key(loaded)
    opened = wiring.open_vault(loaded)
    opened.ring()
    return opened


def wrapping_key(loaded: Settings, opened: Vault) -> str:
    """Return the master key that wraps the data keys at this moment."""
    previous = loaded.data_key_previous
    if previous is not None and not opened.check().is_wrapped_by_present:
        return previous.get_secret_value()
    return data_key(loaded)


def master_keys(loaded: Settings) -> list[str]:
    """Return the present master key, and the one before it where it is set."""
    previous = loaded.data_key_previous
    return [data_key(loaded), *([previous.get_secret_value()] if previous else [])]


def data_key(loaded: Settings) -> str:
    if loaded.data_key is None:
        raise click.ClickException("please set KEGUI_DATA_KEY")
    return loaded.data_key.get_secret_value()


def wait_until_ready(stopping: threading.Event) -> Kegui | None:
    """Wait for a complete configuration, tables that WeCom takes and a migrated database; None
    when told to stop."""
    loaded = load()
    while not stopping.is_set():
        missing = [*loaded.missing(), *map(str, signed_tables.misfits()), *_database_lacks()]
        missing = missing or health.key_troubles(loaded)
        if not missing:
            return counting(loaded)
        log.error("waiting_for", missing=missing)
        stopping.wait(WAIT_SECONDS)
    return None


def _database_lacks() -> list[str]:
    try:
        return ["migrations"] if migrations.pending() else []
    except PeeweeException:
        return ["database"]


def on_stop(act: Callable[[], None]) -> None:
    """Call ``act`` once when the process is asked to end."""

    def stop(_number: int, _frame: object) -> None:
        act()

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
