"""Several processes in one terminal: started together, stopped together."""

import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from honcho.manager import Manager
from honcho.printer import Printer

from bot import private

STOPPED_BY_HAND = (130, 143)


@contextmanager
def running(arguments: str, log_file: Path) -> Iterator[None]:
    """Run `kegui <arguments>` beside the block, and end it afterwards."""
    with private.open_file(log_file, "ab") as log:
        process = subprocess.Popen(  # noqa: S603 - our own interpreter, fixed arguments
            [sys.executable, "-m", "bot", *arguments.split()], stdout=log, stderr=log
        )
    try:
        yield
    finally:
        process.terminate()
        process.wait()


def supervise(
    commands: Mapping[str, str],
    environment: Mapping[str, str],
    *,
    story: Callable[[], int] | None = None,
    log_file: Path | None = None,
) -> int:
    """Run `kegui <command>` for each, until one ends, the story ends, or a signal comes.

    Args:
        commands: name -> arguments of the ``kegui`` command.
        environment: what is set for all of them, above our own environment.
        story: runs meanwhile in this process; its result is the exit code.
        log_file: where the processes' output goes; None: to this terminal.

    Returns:
        The story's result, 0 after a signal, or 1 when a process ended by itself.
    """
    output = private.open_file(log_file, "a") if log_file else sys.stdout
    manager = Manager(Printer(output, colour=log_file is None))
    for name, arguments in commands.items():
        manager.add_process(
            name, f"exec {sys.executable} -m bot {arguments}", env={**os.environ, **environment}
        )
    results: list[int] = []

    def tell() -> None:
        results.append(1)
        try:
            if story is not None:
                results[0] = story()
        finally:
            manager.terminate()

    if story is not None:
        threading.Thread(target=tell, daemon=True).start()
    manager.loop()
    if manager.returncode in STOPPED_BY_HAND:
        return 0
    return results[0] if results else 1
