"""Pulling: every message once, whatever the library does; the cursor where the rows are."""

from datetime import timedelta
from pathlib import Path

import pytest

from bot import clock, events
from bot.archive import completeness
from bot.archive.day_keys import DayKeys
from bot.archive.private_keys import PrivateKeys
from bot.archive.proof import Chain
from bot.archive.pull import Puller
from bot.archive.sdk import SdkSettings, SdkSource
from bot.archive.source import SourceDied, SourceError, SourceUnusable
from bot.archive.store import CursorMoved, Store
from bot.models import ArchiveMessage, ArchiveState
from bot.models.archive import STORED, UNDECRYPTABLE
from bot.queue import Lane
from bot.router import Received
from tests.archive.conftest import ON_BOTH_DATABASES, House
from tests.archive.corporation import many, message


def stored() -> list[str]:
    rows = ArchiveMessage.select().where(ArchiveMessage.state == STORED)
    return [row.msgid for row in rows.order_by(ArchiveMessage.seq)]


def cursor() -> int:
    state = ArchiveState.now()
    return state.cursor if state else 0


def faults(house: House) -> list[str]:
    return list(Chain(house.kegui.vault).faults(DayKeys(house.kegui.vault)))


@ON_BOTH_DATABASES
def test_all_that_is_new_is_pulled_in_several_pages_and_nothing_twice(house: House) -> None:
    sent = list(many(250))
    house.corporation.send(*sent)

    assert house.pull() == 250
    assert house.pull() == 0
    assert stored() == [one["msgid"] for one in sent]
    assert cursor() == 250
    assert faults(house) == []


def test_an_empty_answer_moves_no_cursor_and_is_a_good_pull(house: House) -> None:
    house.corporation.send(*many(3))
    house.pull()
    before = ArchiveState.now()
    house.corporation.forget()

    assert house.pull() == 0
    after = ArchiveState.now()
    assert before is not None
    assert after is not None
    assert after.cursor == before.cursor == 3
    assert after.pulled_at > before.pulled_at


def test_a_library_that_crashes_and_hangs_costs_no_message(house: House) -> None:
    sent = list(many(120))
    house.corporation.send(*sent)
    house.corporation.faults("DecryptData 25 crash", "DecryptData 71 hang", "GetChatData 2 crash")

    assert house.pull() == 120
    assert stored() == [one["msgid"] for one in sent]
    assert faults(house) == []


@ON_BOTH_DATABASES
def test_a_message_at_which_the_library_dies_is_kept_and_tried_again(house: House) -> None:
    house.corporation.send(message(1), message(2, "POISON"), message(3))
    house.corporation.faults("poison 0 crash")
    house.pull()

    assert stored() == [message(1)["msgid"], message(3)["msgid"]]
    assert completeness.undecryptable() == [{"publickey_ver": 1, "count": 1}]

    house.corporation.faults()
    assert house.puller.retry() == 1
    assert len(stored()) == 3
    assert completeness.undecryptable() == []
    # The row as it was delivered stays in the chain, beside its message.
    assert ArchiveMessage.select().where(ArchiveMessage.state == UNDECRYPTABLE).count() == 1
    assert faults(house) == []


def test_pages_grow_smaller_where_a_page_kills_the_library(house: House) -> None:
    house.corporation.send(*many(5))
    house.corporation.faults("GetChatData 1 crash")
    with pytest.raises(SourceDied):
        house.pull()

    house.corporation.faults()
    assert house.pull() == 5


def test_a_message_whose_key_comes_late_is_opened_when_it_comes(house: House) -> None:
    house.corporation.send(message(1))
    house.corporation.send(message(2), version=2)
    house.corporation.send(message(3))
    assert house.pull() == 3
    assert completeness.undecryptable() == [{"publickey_ver": 2, "count": 1}]
    assert (house.puller.retry(), cursor()) == (0, 3)

    house.corporation.give_key(2)
    assert house.puller.look_for_keys()
    assert house.puller.retry() == 1
    assert stored() == [message(number)["msgid"] for number in (1, 2, 3)]


def test_a_new_key_is_used_without_a_restart(house: House) -> None:
    house.corporation.send(message(1))
    house.pull()
    house.corporation.give_key(2)
    house.corporation.send(message(2), version=2)

    house.pull()

    assert completeness.undecryptable() == []


def test_a_wrong_key_leaves_the_row_locked(house: House) -> None:
    # The file of version 2 holds the key of version 1.
    wrong = (house.corporation.keys / "1.pem").read_bytes()
    (house.corporation.keys / "2.pem").write_bytes(wrong)
    house.corporation.send(message(1), version=2)

    house.pull()

    assert completeness.undecryptable() == [{"publickey_ver": 2, "count": 1}]


def test_a_library_without_a_function_is_refused_by_its_name(
    house: House, tmp_path: Path, library: Path
) -> None:
    lacking = tmp_path / "lacking.so"
    lacking.write_bytes(library.read_bytes().replace(b"\0GetDataLen\0", b"\0GetDataLex\0"))
    source = SdkSource(SdkSettings(lacking, "ww1", str(house.corporation.folder)))

    with pytest.raises(SourceUnusable, match="GetDataLen"):
        source.chat_data(0, 1)


def test_a_failing_call_is_told_with_its_code(house: House) -> None:
    house.corporation.faults("GetChatData 1 fail=10009")

    with pytest.raises(SourceError) as failed:
        house.pull()
    assert (failed.value.code, failed.value.passes) == (10009, False)


@ON_BOTH_DATABASES
def test_a_gap_that_wecom_left_is_a_silence(house: House) -> None:
    house.corporation.send(message(1))
    house.pull()
    house.corporation.forget()
    # Seven hours later, and fifty numbers further; then one more without a time between.
    house.corporation.send(message(7 * 3600), skip=50)
    house.corporation.send(message(7 * 3600 + 1), skip=50)
    house.pull()

    [silence] = completeness.report(house.kegui.settings)["silences"]
    assert silence["reason"] == "seq_jump"
    assert silence["to"] - silence["from"] == timedelta(hours=7, seconds=-1)


def test_a_long_time_without_a_pull_is_a_silence(house: House) -> None:
    house.pull()
    long_ago = clock.now() - timedelta(hours=8)
    ArchiveState.note(pulled_at=long_ago)
    assert [one["from"] for one in completeness.report(house.kegui.settings)["silences"]] == [
        long_ago
    ]

    house.pull()

    [silence] = completeness.report(house.kegui.settings)["silences"]
    assert (silence["reason"], silence["from"]) == ("no_pull", long_ago)


def test_a_notice_of_wecoms_wakes_the_puller(house: House) -> None:
    from handlers import router

    plain = (
        Path(__file__).resolve().parent.parent / "data/wecom/fixtures/events/msgaudit_notify.xml"
    ).read_bytes()
    event = events.parse(plain)
    entry = router.entry_for(event, Lane.WORK)
    assert entry is not None

    entry.handler(Received(1, "archive", clock.now(), event), house.kegui)

    state = ArchiveState.now()
    assert state is not None
    assert state.asked_at is not None


@ON_BOTH_DATABASES
def test_of_two_who_pull_at_once_one_stores(
    house: House, library: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    house.corporation.send(*many(3))
    answer = house.source.chat_data
    other = SdkSource(SdkSettings(library, "ww1", str(house.corporation.folder)))

    def while_another_pulls(seq: int, limit: int) -> bytes:
        content = answer(seq, limit)
        monkeypatch.undo()
        keys, day_keys = PrivateKeys(house.corporation.keys), DayKeys(house.kegui.vault)
        store = Store(house.kegui.vault, day_keys, timedelta(hours=6))
        assert Puller(other, keys, store, day_keys).pull() == 3
        return content

    monkeypatch.setattr(house.source, "chat_data", while_another_pulls)
    with pytest.raises(CursorMoved):
        house.pull()
    other.close()

    assert len(stored()) == ArchiveMessage.select().count() == 3
    assert faults(house) == []
