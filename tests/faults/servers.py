"""PostgreSQL and Redis servers of a test's own, which may be killed."""

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import redis

from tests.conftest import missing_service
from tests.stack import free_port, until

# No disk is pulled out here: what a killed process has written, the kernel keeps.
POSTGRES_OPTIONS = "-c fsync=off -c max_connections=200 -c shared_buffers=32MB"
ACCOUNT = "postgres"


class Postgres:
    """A cluster on a free port, in a folder of its own; whoever reaches ``host`` is let in."""

    def __init__(self, folder: Path, host: str = "127.0.0.1") -> None:
        self.folder = folder
        self.host = host
        self.port = free_port()
        self.url = f"postgresql://postgres@{host}:{self.port}/postgres"
        self._run("initdb", "-A", "trust", "-U", "postgres", "--no-sync", "-E", "UTF8")
        with (folder / "data" / "pg_hba.conf").open("a") as admitted:
            admitted.write("host all all all trust\n")
        self.start()

    def start(self) -> None:
        """Start, and return when it answers."""
        options = f"{POSTGRES_OPTIONS} -p {self.port} -k {self.folder} -h {self.host}"
        self._run("pg_ctl", "-w", "-l", str(self.folder / "server.log"), "-o", options, "start")

    def stop(self, mode: str = "immediate") -> None:
        """Stop; ``immediate`` is as if all its processes were killed."""
        self._run("pg_ctl", "-m", mode, "stop")

    def _run(self, program: str, *arguments: str) -> None:
        subprocess.run(
            [*_as_its_user(), _path(program), "-D", str(self.folder / "data"), *arguments],
            cwd=self.folder,
            env={**os.environ, "LC_ALL": "C.UTF-8"},
            check=True,
            stdout=subprocess.DEVNULL,
            timeout=60,
        )


def _as_its_user() -> list[str]:
    """PostgreSQL refuses to run as root."""
    if os.geteuid() != 0:
        return []
    return ["setpriv", f"--reuid={ACCOUNT}", f"--regid={ACCOUNT}", "--init-groups", "--"]


def _path(program: str) -> str:
    found = shutil.which(program) or next(
        iter(sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{program}"), reverse=True)), None
    )
    if found is None:
        missing_service(f"PostgreSQL's {program}")
    return str(found)


@contextmanager
def own_postgres(host: str = "127.0.0.1") -> Iterator[Postgres]:
    """Give a cluster, and take it away afterwards."""
    folder = Path(tempfile.mkdtemp(prefix="kegui_pg_"))
    if os.geteuid() == 0:
        account = pwd.getpwnam(ACCOUNT)
        os.chown(folder, account.pw_uid, account.pw_gid)
    try:
        server = Postgres(folder, host)
        try:
            yield server
        finally:
            server.stop()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def fresh_database(server: Postgres, name: str) -> str:
    """Make a database and give its URL."""
    with psycopg.connect(server.url, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}".encode())
    return server.url.rpartition("/")[0] + f"/{name}"


class Redis:
    """A server on a free port that keeps nothing: killed and started anew it is empty."""

    def __init__(self, host: str = "127.0.0.1") -> None:
        self.host = host
        self.port = free_port()
        self.url = f"redis://{host}:{self.port}/0"
        self._process: subprocess.Popen[bytes] | None = None
        self.start()

    def start(self) -> None:
        """Start, and return when it answers."""
        program = shutil.which("redis-server")
        if program is None:
            missing_service("redis-server")
        self._process = subprocess.Popen(
            [
                *(str(program), "--bind", self.host, "--port", str(self.port)),
                *("--protected-mode", "no", "--save", "", "--appendonly", "no"),
            ],
            cwd=tempfile.gettempdir(),
            stdout=subprocess.DEVNULL,
        )
        until(self._answers)

    def _answers(self) -> bool:
        client = redis.Redis.from_url(self.url)
        try:
            return bool(client.ping())
        except redis.ConnectionError:
            return False
        finally:
            client.close()

    def stop(self) -> None:
        """kill -9."""
        if self._process is not None:
            self._process.send_signal(signal.SIGKILL)
            self._process.wait()
            self._process = None


@contextmanager
def own_redis(host: str = "127.0.0.1") -> Iterator[Redis]:
    """Give a server, and end it afterwards."""
    server = Redis(host)
    try:
        yield server
    finally:
        server.stop()
