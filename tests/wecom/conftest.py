"""The network is the test's own, and nobody waits for a retry."""

import time
from collections.abc import Iterator
from types import SimpleNamespace

import pytest
import responses

from bot.wecom import transport


@pytest.fixture
def network() -> Iterator[responses.RequestsMock]:
    """What WeCom answers; a request that the test did not foresee fails to connect."""
    with responses.RequestsMock(assert_all_requests_are_fired=False) as mock:
        yield mock


@pytest.fixture(autouse=True)
def no_jitter(monkeypatch: pytest.MonkeyPatch) -> None:
    """Retries come at once."""
    clock = SimpleNamespace(monotonic=time.monotonic, sleep=lambda _seconds: None)
    monkeypatch.setattr(transport, "time", clock)
