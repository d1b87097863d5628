"""The archive over a real library in a real child process."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import pytest

from bot import clock
from bot.archive.day_keys import DayKeys
from bot.archive.private_keys import PrivateKeys
from bot.archive.pull import Puller
from bot.archive.sdk import SdkSettings, SdkSource
from bot.archive.store import Store
from bot.kegui import Kegui
from bot.models import Staff
from bot.queue import Queue
from bot.vault import Vault
from bot.wecom import WeComError
from config import settings
from tests.archive.corporation import Corporation, build_library
from tests.conftest import DATA_KEY


@dataclass
class FakeArchive:
    """What the archive's secret may ask over HTTP."""

    permitted: list[str] = field(default_factory=lambda: ["zhangsan"])
    error: WeComError | None = None

    def members(self) -> list[str]:
        if self.error:
            raise self.error
        return self.permitted


@dataclass
class FakeWeCom:
    archive: FakeArchive = field(default_factory=FakeArchive)


@dataclass
class House:
    """The archive of one corporation, with a time-out that tests can wait for."""

    corporation: Corporation
    kegui: Kegui
    source: SdkSource
    puller: Puller
    wecom: FakeWeCom

    def pull(self) -> int:
        return self.puller.pull()


ON_BOTH_DATABASES = pytest.mark.parametrize(
    "database_url",
    ["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)],
    indirect=True,
)


@pytest.fixture
def database_url(request: pytest.FixtureRequest) -> str:
    """SQLite, unless a test says ``ON_BOTH_DATABASES``."""
    name = getattr(request, "param", "sqlite")
    return str(request.getfixturevalue(f"{name}_url"))


@pytest.fixture(scope="session")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_library(tmp_path_factory.mktemp("sdk"))


@pytest.fixture
def corporation(tmp_path: Path) -> Corporation:
    return Corporation(tmp_path)


def make_kegui(url: str, corporation: Corporation, library: Path, tmp_path: Path) -> Kegui:
    environment = corporation.environment(library) | {
        "KEGUI_DATABASE_URL": url,
        "KEGUI_DATA_KEY": DATA_KEY,
        "KEGUI_MEDIA_URL": f"file://{tmp_path / 'media'}",
    }
    return Kegui(
        settings.load(environment),
        cast(Any, FakeWeCom()),
        Queue(f"sqlite:///{tmp_path / 'queue.db'}"),
        Vault(DATA_KEY),
    )


@pytest.fixture
def house(store: str, corporation: Corporation, library: Path, tmp_path: Path) -> Iterator[House]:
    kegui = make_kegui(store, corporation, library, tmp_path)
    Staff.create(userid="zhangsan", name="张三", serves=True, seen_at=clock.now())
    sdk = SdkSource(
        SdkSettings(library, "ww1", str(corporation.folder), timeout=0),
        grace_seconds=0.5,
        decrypt_seconds=0.5,
        back_off_seconds=(0.0,),
    )
    day_keys = DayKeys(kegui.vault)
    puller = Puller(
        sdk,
        PrivateKeys(corporation.keys),
        Store(kegui.vault, day_keys, kegui.settings.archive_alarm_after),
        day_keys,
        most_rows=100,
    )
    yield House(corporation, kegui, sdk, puller, cast(Any, kegui.wecom))
    sdk.close()
