"""One web process for the attacks of a module, and its three doors."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.doors.knocking import Door
from tests.stack import Stack, running_stack


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """The web process as it is shipped; nobody works on what it takes in."""
    folder: Path = tmp_path_factory.mktemp("doors")
    url = f"sqlite:///{folder}/kegui.db"
    with running_stack(folder, url, url, "web") as running:
        yield running


@pytest.fixture(params=["customer", "contacts", "archive"])
def door(stack: Stack, request: pytest.FixtureRequest) -> Door:
    """Each of the three doors."""
    return Door(stack.place, request.param)
