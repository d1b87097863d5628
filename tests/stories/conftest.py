"""The stories run twice: embedded, and on PostgreSQL with Redis."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.stack import Stack, running_stack


@pytest.fixture
def stack(database_url: str, queue_url: str, tmp_path: Path) -> Iterator[Stack]:
    """All of Kegui, running."""
    with running_stack(tmp_path, database_url, queue_url) as running:
        yield running
