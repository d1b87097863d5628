"""A running sandbox and a running web process, and the doctor as a terminal runs it."""

import json
import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pytest
from click.testing import CliRunner

from bot import db
from bot.cli import main
from bot.models import AccessToken, EndpointPause
from bot.sandbox.remote import Remote
from tests.stack import Stack, running_stack

SHORTEST_SECRET = 12


@dataclass
class Report:
    """What the doctor found."""

    exit_code: int
    rows: list[dict[str, Any]]

    def with_status(self, status: str) -> dict[str, str]:
        """Return the problem of each check with this status."""
        return {row["check"]: row["problem"] for row in self.rows if row["status"] == status}

    @property
    def failed(self) -> dict[str, str]:
        return self.with_status("failed")

    @property
    def warnings(self) -> dict[str, str]:
        return self.with_status("warning")

    def row(self, check: str) -> dict[str, Any]:
        [found] = [row for row in self.rows if row["check"] == check]
        return found


class Patient:
    """An installation, and what a test changes in its environment before the doctor looks."""

    def __init__(self, stack: Stack) -> None:
        self.stack = stack
        self.environment = dict(stack.place.environment)

    def run(self, *arguments: str, **changed: str | None) -> tuple[int, str]:
        """Run the doctor; whatever it prints holds no secret of the environment."""
        environment: dict[str, str | None] = {**self.environment, **changed}
        db.database.close_all()
        try:
            result = CliRunner().invoke(main, ["doctor", *arguments], env=environment)
        finally:
            db.database.close_all()
        assert isinstance(result.exception, SystemExit | None), result.exception
        for name, value in environment.items():
            if value and is_secret(name) and len(value) >= SHORTEST_SECRET:
                assert value not in result.output, f"the value of {name} was shown"
        assert "Traceback" not in result.output
        return result.exit_code, result.stdout

    def examine(self, *arguments: str, **changed: str | None) -> Report:
        code, printed = self.run("--json", *arguments, **changed)
        return Report(code, json.loads(printed))

    @property
    def sandbox(self) -> Remote:
        return self.stack.sandbox

    def app(self, kind: str = "app", /, **change: Any) -> None:
        """Change what an administrator set for an app."""
        self.sandbox.patch(f"/sandbox/apps/{kind}", **change)

    def calls(self, endpoint: str) -> int:
        return len(self.stack.calls(endpoint))


def is_secret(name: str) -> bool:
    return any(part in name for part in ("SECRET", "TOKEN", "AES_KEY", "DATA_KEY", "PASSWORD"))


@pytest.fixture(scope="package")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    folder = tmp_path_factory.mktemp("doctor")
    verify_file = folder / "WW_verify_abcdefghijkl.txt"
    verify_file.write_text("abcdefghijkl")
    database = f"sqlite:///{folder / 'kegui.db'}"
    settings = {"DOMAIN_VERIFY_FILE": str(verify_file), "OPERATORS": "manager"}
    with running_stack(folder, database, database, "web", **settings) as running:
        yield running


@pytest.fixture
def patient(stack: Stack) -> Iterator[Patient]:
    """A healthy installation."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    stack.reset()
    made = Patient(stack)
    forget_pauses(made.environment)
    yield made
    db.database.close_all()
    root.handlers, root.level = handlers, level


def forget_pauses(environment: Mapping[str, str]) -> None:
    db.connect(environment["KEGUI_DATABASE_URL"])
    with db.connection():
        EndpointPause.delete().execute()
        AccessToken.delete().execute()
    db.database.close_all()
