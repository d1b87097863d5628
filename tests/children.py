"""Processes of Kegui's own, forked from one that has imported all of it already.

A process of Python's needs a second of the processor before it has read its imports, and the
stories start hundreds. What runs in a child is what `python -m bot` runs.
"""

import multiprocessing
import os
import runpy
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NoReturn

from bot import clock

_FORKS = multiprocessing.get_context("forkserver")
_FORKS.set_forkserver_preload(
    [
        "bot.app",
        "bot.cli",
        "bot.jobs.leader",
        "bot.sandbox.server",
        "bot.worker",
        "handlers",
        "gunicorn.app.wsgiapp",
        "gunicorn.workers.gthread",
    ]
)


class Child:
    """A process that runs; a part of what ``subprocess.Popen`` can do.

    Args:
        program: what `python -m` would run, or the path of a script.
        output: the file to which its output is added, and its errors if no other is given;
            none: that of the tests.
    """

    def __init__(
        self,
        program: str,
        arguments: Sequence[str],
        environment: Mapping[str, str],
        output: Path | None = None,
        errors: Path | None = None,
        umask: int | None = None,
    ) -> None:
        if output is not None:
            output.touch(0o600)
        self._process = _FORKS.Process(
            target=_run,
            args=(program, arguments, dict(environment), output, errors or output, umask),
            # A run of the tests that is broken off leaves none behind.
            daemon=True,
        )
        self._process.start()
        assert self._process.pid is not None
        self.pid = self._process.pid

    def wait(self, timeout: float | None = None) -> int:
        """Wait for its end and return its exit code.

        Raises:
            subprocess.TimeoutExpired: it still runs.
        """
        self._process.join(timeout)
        code = self._process.exitcode
        if code is None:
            raise subprocess.TimeoutExpired(self._process.name, timeout or 0)
        return code

    def poll(self) -> int | None:
        """Return its exit code, None while it runs."""
        return self._process.exitcode

    def send_signal(self, number: int) -> None:
        """Send it a signal, if it still runs."""
        with suppress(ProcessLookupError):
            os.kill(self.pid, number)

    def terminate(self) -> None:
        """Ask it to end."""
        self._process.terminate()


def kegui(
    *arguments: str,
    environment: Mapping[str, str],
    program: str = "bot",
    umask: int | None = None,
) -> "subprocess.CompletedProcess[str]":
    """Run one `kegui` command, or another program, to its end.

    Args:
        environment: what it has beside the environment of the tests.
    """
    with TemporaryDirectory() as folder:
        output, errors = Path(folder) / "output", Path(folder) / "errors"
        run = Child(program, arguments, {**os.environ, **environment}, output, errors, umask)
        code = run.wait(120)
        return subprocess.CompletedProcess(
            arguments, code, output.read_text("utf-8"), errors.read_text("utf-8")
        )


def _run(
    program: str,
    arguments: Sequence[str],
    environment: Mapping[str, str],
    output: Path | None,
    errors: Path | None,
    umask: int | None,
) -> None:
    os.setsid()
    os.environ.clear()
    os.environ.update(environment)
    if umask is not None:
        os.umask(umask)
    for path, number in ((output, 1), (errors, 2)):
        if path is None:
            continue
        opened = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        os.dup2(opened, number)
        os.close(opened)
    if "MOVED_CLOCK_FILE" in environment:
        _move_the_clock()
    # `kegui web` becomes gunicorn, which would import all of it again.
    os.execv = _become  # type: ignore[assignment]
    _play(program, arguments)


def _move_the_clock() -> None:
    """As it is moved for a process that starts with it; here others have read it before."""
    before = clock.now
    runpy.run_path(str(Path(__file__).parent / "moved_clock" / "sitecustomize.py"))
    for module in list(sys.modules.values()):
        for name in [name for name, value in vars(module).items() if value is before]:
            setattr(module, name, clock.now)


def _play(program: str, arguments: Sequence[str]) -> None:
    sys.argv = [program, *arguments]
    if program.endswith(".py"):
        runpy.run_path(program, run_name="__main__")
    else:
        runpy.run_module(program, run_name="__main__", alter_sys=True)


def _become(_python: str, command: Sequence[str]) -> NoReturn:
    [_, _m, module, *arguments] = command
    _play(module, arguments)
    raise SystemExit(0)
