"""The `kegui` command: every process and every tool of an installation starts here."""

import os
import socket
import subprocess
import sys
import threading
import time
from datetime import datetime
from pathlib import Path

import click
import structlog
from peewee import PeeweeException

from bot import db, migrations, private, wiring
from bot.audit.log import AuditLog, AuditUnwritable
from bot.clock import now as utc_now
from bot.commands import GROUPS, terminal
from bot.effects import Busy
from bot.language import ENGLISH, spoken
from bot.owner import UnsafeSchema
from bot.reason import Reason, in_words
from bot.vault import WrongKey
from bot.wecom import WeComError
from config import logging
from config.settings import Settings, SettingsError

log = structlog.get_logger(__name__)
SANDBOX_PORT = 8900
WEB_PORT = 8000


class _Commands(click.Group):
    """Troubles with what is outside end a command with one line that says what to do."""

    def invoke(self, ctx: click.Context) -> object:
        try:
            return super().invoke(ctx)
        except PeeweeException as error:
            cause = str(error).partition("\n")[0][:200]
            raise click.ClickException(
                f"the database cannot be used ({cause}):"
                " is it running, and was `kegui migrate` run?"
            ) from None
        except AuditUnwritable as error:
            raise click.ClickException(
                f"the audit log cannot be written ({error}), so this was not done:"
                " may the database's role add to it, and was `kegui migrate` run?"
            ) from None
        except WrongKey as error:
            raise click.ClickException(str(error)) from None
        except WeComError as error:
            raise click.ClickException(f"WeCom could not be asked ({error}); try again") from None


@click.group(cls=_Commands)
@click.pass_context
def main(ctx: click.Context) -> None:
    """客规: a WeCom service that keeps clients and stays compliant."""
    ctx.with_resource(private.closed_to_others())


@main.command()
@click.option("--down", "take_back", is_flag=True, help="Take back the last migration.")
@click.option("--yes", is_flag=True, help="With --down: do not ask before rows are deleted.")
def migrate(take_back: bool, yes: bool) -> None:
    """Bring the database to the shape that this version needs."""
    loaded = terminal.load()
    terminal.connect_as_owner(loaded)
    try:
        for name in _take_back(yes) if take_back else migrations.up():
            click.echo(name)
        if not take_back:
            _establish_keys(loaded)
    except (migrations.WrongEncoding, UnsafeSchema) as error:
        raise click.ClickException(str(error)) from None


def _take_back(yes: bool) -> list[str]:
    """Take back the last migration; ask first when rows would be deleted."""
    try:
        return migrations.down(with_rows=yes)
    except migrations.RowsWouldGo as lost:
        click.confirm(
            f"{migrations.last()} would delete tables with rows: {lost}. Go on?",
            abort=True,
            err=True,
        )
    return migrations.down()


def _establish_keys(loaded: Settings) -> None:
    """Write down which master key the database is under, where nothing says so yet."""
    from bot.operations import data_keys

    if loaded.data_key is None:
        return
    vault = wiring.open_vault(loaded)
    with db.connection(), db.transaction():
        data_keys.establish(loaded.data_key.get_secret_value(), vault, terminal.whoever())


@main.command()
def web() -> None:
    """Serve the doors, the API and the console (gunicorn)."""
    terminal.load()
    os.execv(  # noqa: S606 - our own interpreter, fixed arguments
        sys.executable,
        [
            sys.executable,
            "-m",
            "gunicorn",
            "--config",
            "python:bot.web_server",
            "bot.app:create_app()",
        ],
    )


@main.command()
def worker() -> None:
    """Answer events and carry handovers forward."""
    from bot.capabilities import CAPABILITIES
    from bot.operations import cpu_pinning
    from bot.worker import Worker
    from handlers import router

    stopping = threading.Event()
    terminal.on_stop(stopping.set)
    kegui = terminal.wait_until_ready(stopping)
    if kegui is None:
        return
    processor = None
    if kegui.settings.own_processor:
        crew = f"worker {kegui.settings.database_url.get_secret_value()}"
        processor = cpu_pinning.take_one(crew, from_the_last=True)
    serving = Worker(kegui, router, CAPABILITIES)
    terminal.on_stop(serving.stop)
    log.info("worker_started", processor=processor)
    serving.run()
    log.info("worker_stopped")


@main.command()
def clock() -> None:
    """Start the scheduled jobs at their time. Several may run; one leads."""
    from bot.capabilities import JOBS
    from bot.jobs.leader import keep_time

    stopping = threading.Event()
    terminal.on_stop(stopping.set)
    kegui = terminal.wait_until_ready(stopping)
    if kegui is None:
        return
    log.info("clock_started")
    keep_time(kegui, JOBS, stopping)
    log.info("clock_stopped")


@main.command()
@click.option("--host", default="127.0.0.1", show_default=True)
@click.option("--port", default=SANDBOX_PORT, show_default=True)
def sandbox(host: str, port: int) -> None:
    """Serve a stand-in for the WeCom platform, to try and to learn with."""
    from bot.sandbox.server import serve

    serve(host, port)


@main.command()
@click.option("--day", is_flag=True, help="Play a business day against the sandbox.")
@click.option("--once", is_flag=True, help="With --day: end after the day.")
@click.option(
    "--place",
    type=click.Path(path_type=Path),
    default=Path("var/day"),
    show_default=True,
    help="With --day: where the day's new database and keys are made.",
)
def run(day: bool, once: bool, place: Path) -> None:
    """Run web, worker, clock and archive in one terminal."""
    from bot.operations.supervisor import supervise

    processes = {"web": "web", "worker": "worker", "clock": "clock", "archive": "archive run"}
    raise SystemExit(_play_a_day(processes, place, once) if day else supervise(processes, {}))


def _play_a_day(processes: dict[str, str], folder: Path, once: bool) -> int:
    """Start again in ``folder`` and let the story run beside the processes."""
    from bot.operations.supervisor import running, supervise
    from bot.sandbox.day import OFFICE, begin, play
    from bot.sandbox.day_chats import KEY_FOLDER
    from bot.sandbox.place import make_place

    for port in (SANDBOX_PORT, WEB_PORT):
        _check_free(port)
    private.make_folder(folder)
    for old in (*folder.glob("kegui.db*"), *folder.glob("kegui.log")):
        old.unlink()
    for old in (folder / KEY_FOLDER).glob("*.pem"):
        old.unlink()
    place = make_place(
        folder,
        sandbox_port=SANDBOX_PORT,
        web_port=WEB_PORT,
        ARCHIVE_PRIVATE_KEYS=str((folder / KEY_FOLDER).absolute()),
        ARCHIVE_PULL_SECONDS="5",
        MEDIA_URL=f"file://{(folder / 'media').absolute()}",
    )
    environment = {**os.environ, **place.environment}

    def kegui(*arguments: str) -> str:
        with private.open_file(folder / "kegui.log", "a") as log:
            return subprocess.run(  # noqa: S603 - our own interpreter, fixed arguments
                [sys.executable, "-m", "bot", *arguments],
                env=environment,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                check=True,
            ).stdout.strip()

    kegui("migrate")
    token = kegui("token", "create", "--name", "the day", "--scope", "admin")
    for userid, _name, role in OFFICE:
        kegui("user", "grant", userid, role)
    with running(f"sandbox --port {SANDBOX_PORT}", folder / "kegui.log"):
        day = begin(place, token)
        result = supervise(
            processes,
            place.environment,
            story=lambda: play(day, stay=not once),
            log_file=folder / "kegui.log",
        )
    if result:
        click.echo(f"the day did not go as it should: see {folder / 'kegui.log'}", err=True)
    return result


def _check_free(port: int) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            raise click.ClickException(
                f"something else listens on port {port}: end it, then try again"
            ) from None


@main.command()
@click.argument("to", type=click.Path(path_type=Path))
def backup(to: Path) -> None:
    """Write a backup into the new folder TO, while all processes run."""
    from bot.backup.backup import BackupError, make

    loaded = terminal.load()
    key = terminal.data_key(loaded)
    url, vault = terminal.connect_as_owner(loaded), wiring.open_vault(loaded)
    if loaded.data_key_previous is not None:
        key = terminal.wrapping_key(loaded, vault)

    def begin() -> None:
        # A backup takes all that is known of customers out of the house.
        with db.connection(), db.transaction():
            AuditLog(vault).record(
                terminal.whoever(), "backup.make", "database", folder=to.absolute()
            )

    try:
        made = make(url, to, key, begin)
    except BackupError as error:
        raise click.ClickException(str(error)) from None
    rows = ", ".join(f"{count} {table}" for table, count in made.rows.items())
    click.echo(f"{to}: {made.database}, {made.size} bytes, schema {made.migrations[-1]}; {rows}")


@main.command()
@click.argument("folder", metavar="FROM", type=click.Path(path_type=Path))
@click.option("--replace", is_flag=True, help="What is in the database now may go.")
def restore(folder: Path, replace: bool) -> None:
    """Put the backup FROM in the place of the database; web, worker and clock must not run."""
    from bot.backup.backup import BackupError, next_steps
    from bot.backup.backup import restore as put_back

    loaded = terminal.load()
    try:
        done = put_back(
            terminal.owner_url(loaded),
            folder,
            terminal.master_keys(loaded),
            terminal.whoever(),
            replace=replace,
        )
    except BackupError as error:
        raise click.ClickException(str(error)) from None
    for line in next_steps(done):
        click.echo(line)


for group in GROUPS:
    main.add_command(group)


@main.group("pauses")
def pauses_group() -> None:
    """Endpoints of WeCom that Kegui does not call for a while, after trouble."""


@pauses_group.command("list")
def pauses_list() -> None:
    """Print each pause with its reason and its end."""
    from bot.wecom.pause_list import known

    loaded = terminal.load()
    with db.connection():
        for pause in known(utc_now()):
            code = "no answer" if pause.errcode is None else pause.errcode
            until = pause.until.astimezone(loaded.zone)
            click.echo(f"{pause.name}\tuntil {until:%Y-%m-%d %H:%M:%S}\t{code}\t{pause.reason}")


@pauses_group.command("lift")
@click.argument("name")
def pauses_lift(name: str) -> None:
    """End the waiting of a pause (named as `pauses list` prints it) after mending its cause."""
    from bot.models import EndpointPause
    from bot.operations.pauses import lift

    kegui = terminal.kegui(terminal.load())
    with db.connection():
        pause = EndpointPause.get_or_none(EndpointPause.name == name)
        if pause is None:
            raise click.ClickException(f"there is no pause {name!r}: see `kegui pauses list`")
        click.echo(f"lifted; {lift(pause, terminal.whoever(), kegui)} events waited for it")


@main.command()
def sync() -> None:
    """Read departments, members, customers and groups from WeCom."""
    from bot.sync.everything import AlreadyRunning, read_everything
    from bot.sync.findings import summary

    kegui = terminal.kegui(terminal.load())
    began = time.monotonic()
    try:
        with db.connection():
            done = read_everything(kegui)
            found = summary(done)
    except AlreadyRunning:
        raise click.ClickException("another process is reading; try again later") from None
    except WeComError as error:
        raise click.ClickException(
            f"WeCom stopped the reading ({error}); the same command goes on from there"
        ) from None
    click.echo(
        f"{done.members} members, {done.customers} customers, {done.groups} groups"
        f" in {time.monotonic() - began:.0f} s"
    )
    for count in found.counts:
        click.echo(f"  {count.kind}: {count.healed} healed, {count.person} for a person")


@main.command()
@click.option("--json", "as_json", is_flag=True, help="For programs.")
def status(as_json: bool) -> None:
    """Show what waits and what has stopped; exit code 1 when an operator must act."""
    from bot.operations.status import show

    loaded = terminal.load()
    with db.connection():
        text, is_well = show(wiring.queue_url(loaded), as_json=as_json)
    click.echo(text)
    raise SystemExit(0 if is_well else 1)


@main.command()
@click.argument("userid", callback=terminal.userid)
@click.option("--last-day", type=click.DateTime(["%Y-%m-%d"]), required=True)
@click.option(
    "--successor",
    "successors",
    callback=terminal.userid,
    multiple=True,
    help="Who may take over; repeatable.",
)
@click.option("--auto", is_flag=True, help="Start without an approval.")
def offboard(userid: str, last_day: datetime, successors: tuple[str, ...], auto: bool) -> None:
    """Open the offboarding of a member and print its number."""
    from bot.handover import handovers
    from bot.handover.rules import MOST_SUCCESSORS
    from bot.models.handover import APPROVE, AUTO

    if len(successors) > MOST_SUCCESSORS:
        raise click.BadParameter(
            f"{MOST_SUCCESSORS} at the most, not {len(successors)}", param_hint="--successor"
        )
    kegui = terminal.kegui(terminal.load())
    try:
        with db.connection():
            handover, is_new = handovers.open_offboarding(
                userid,
                last_day.date(),
                mode=AUTO if auto else APPROVE,
                source="cli",
                by=terminal.whoever(),
                kegui=kegui,
                successors=successors,
            )
    except handovers.UnknownStaff:
        raise click.ClickException(f"WeCom shows no member {userid}") from None
    except handovers.LastDayTooFar as too_far:
        raise click.BadParameter(str(too_far), param_hint="--last-day") from None
    except handovers.UnfitSuccessor as unfit:
        why = _in_words(Reason(unfit.reason))
        raise click.ClickException(f"successor {unfit.userid}: {why}") from None
    click.echo(f"{handover.id} {'opened' if is_new else 'was open already'}: {handover.state}")


def _in_words(reason: Reason) -> str:
    # Whoever imports all capabilities knows all words.
    from bot import capabilities  # noqa: F401

    with spoken(ENGLISH):
        return in_words(reason)


@main.command("rename-member")
@click.argument("former", callback=terminal.userid)
@click.argument("userid", callback=terminal.userid)
def rename_member(former: str, userid: str) -> None:
    """Say that the member FORMER is USERID in WeCom now: all that was theirs goes with them."""
    from bot.sync import renames

    kegui = terminal.kegui(terminal.load())
    try:
        with db.connection():
            present = renames.say_so(former, userid, terminal.whoever(), kegui)
    except renames.NotPossible as error:
        raise click.ClickException(str(error)) from None
    except Busy:
        raise click.ClickException("a handover of this member is at work; try again") from None
    click.echo(f"{former} is {present} now")


@main.command()
@click.option("--lang", type=click.Choice(["zh", "en"]), default="zh", show_default=True)
@click.option("--json", "as_json", is_flag=True, help="Print the findings as JSON.")
@click.option("--send-to", default="", metavar="USERID", help="Send one app message to a member.")
@click.option("--retry-secrets", is_flag=True, help="A refused secret was corrected: ask again.")
@click.option("--web-processes", type=int, help="On all machines; default: of this machine.")
@click.option("--worker-processes", type=int, default=1, show_default=True)
@click.option("--clock-processes", type=int, default=1, show_default=True)
def doctor(
    lang: str,
    as_json: bool,
    send_to: str,
    retry_secrets: bool,
    web_processes: int | None,
    worker_processes: int,
    clock_processes: int,
) -> None:
    """Check this installation against WeCom and say what to do; 1 if anything failed."""
    from bot.operations.doctor import Options, examine, output
    from bot.operations.doctor.findings import exit_code
    from bot.operations.doctor.storage import Processes, web_processes_of_one_machine

    logging.configure("CRITICAL")
    web_count = web_processes or web_processes_of_one_machine()
    processes = Processes(web_count, worker_processes, clock_processes)
    try:
        found = examine(os.environ, Options(send_to, retry_secrets, processes))
    except SettingsError as error:
        raise click.ClickException(str(error)) from None
    shown = [output.as_json(found, lang)] if as_json else output.lines(found, lang)
    for line in shown:
        click.echo(line)
    raise SystemExit(exit_code(found))
