"""The sandbox as the source: the same pull, without a library and a compiler."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from bot.archive.day_keys import DayKeys
from bot.archive.private_keys import PrivateKeys
from bot.archive.pull import Puller
from bot.archive.reading import Archive
from bot.archive.sandbox_source import SandboxSource
from bot.archive.source import SourceError
from bot.archive.store import Store
from bot.models import ArchiveMessage, Staff
from bot.sandbox.day_chats import Chats, make_key, put_key
from bot.sandbox.remote import Remote
from tests.archive.conftest import House
from tests.sandbox.process import running_sandbox
from tests.sandbox.stage import APPS, CORP_ID, SECRETS


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Remote]:
    with running_sandbox() as url:
        yield Remote(url)


def reset(sandbox: Remote, **switches: object) -> None:
    sandbox.post("/sandbox/reset", corp_id=CORP_ID, apps=APPS, callbacks={}, switches=switches)
    sandbox.post("/sandbox/staff", staff=[{"userid": "zhangsan"}, {"userid": "sunqi"}])
    for number in range(40):
        who = f"wm_{number:02}"
        sandbox.post("/sandbox/customers", userid="zhangsan", external_userid=who, silent=True)


def test_a_day_of_chats_is_pulled_from_the_sandbox(
    house: House, sandbox: Remote, tmp_path: Path
) -> None:
    reset(sandbox)
    keys = tmp_path / "sandbox-keys"
    sandbox.post("/sandbox/archive/keys", pem=make_key(keys, 1))
    put_key(keys, 1)
    talk = Chats(sandbox)
    talk.play("wrFAKECustRoom01AAAAAAAAAAAAAAAA", 60)
    sandbox.post("/sandbox/customers/wm_07/refuse_archive", userid="zhangsan")
    source = SandboxSource(sandbox.url, SECRETS["archive"])
    day_keys = DayKeys(house.kegui.vault)
    store = Store(house.kegui.vault, day_keys, house.kegui.settings.archive_alarm_after)
    Staff.create(userid="sunqi", seen_at=Staff.get().seen_at)

    assert Puller(source, PrivateKeys(keys), store, day_keys).pull() == 61

    refusal = ArchiveMessage.get(ArchiveMessage.seq == 61)
    assert (refusal.msgtype, refusal.sender) == ("disagree", "wm_07")
    [view] = Archive(house.kegui).open([ArchiveMessage.get(ArchiveMessage.msgtype == "image")])
    assert view.message is not None
    [picture] = view.message.media
    piece = source.media(picture.file_id, "")
    assert (piece.is_last, piece.data[:4]) == (True, b"\x89PNG")


def test_a_wrong_secret_and_a_closed_archive_are_told(sandbox: Remote) -> None:
    reset(sandbox, archive_service="off")
    assert b"40001" in SandboxSource(sandbox.url, "wrong").chat_data(0, 10)
    assert b"301053" in SandboxSource(sandbox.url, SECRETS["archive"]).chat_data(0, 10)
    with pytest.raises(SourceError):
        SandboxSource("http://127.0.0.1:9", "nobody there").chat_data(0, 10)
