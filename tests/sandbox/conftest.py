"""A stage in this process for most tests, a running sandbox for the others."""

from collections.abc import Iterator

import pytest

from bot.sandbox.server import create_app
from tests.sandbox.process import running_sandbox
from tests.sandbox.receiver import Receiver, receiving
from tests.sandbox.stage import Stage


@pytest.fixture
def stage() -> Stage:
    """Three members in service, no callbacks, no threads."""
    made = Stage(create_app())
    made.reset()
    return made


@pytest.fixture(scope="session")
def sandbox_url() -> Iterator[str]:
    """The URL of a sandbox that runs for the whole test run; reset it before use."""
    with running_sandbox() as url:
        yield url


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as opened:
        yield opened
