"""The chain tells of a flipped bit, a removed row and a cut-off end; anchors are signed."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from bot import clock
from bot.archive import jobs, verify
from bot.archive.proof import Chain
from bot.audit import anchors
from bot.db import database
from bot.models import ArchiveAnchor, ArchiveDayKey, ArchiveMessage, ArchiveState
from config import settings
from tests.archive.conftest import ON_BOTH_DATABASES, House
from tests.archive.corporation import many, message


def flip(house: House) -> None:
    row = ArchiveMessage.get_by_id(3)
    sealed = bytearray(row.sealed)
    sealed[-1] ^= 1
    ArchiveMessage.update(sealed=bytes(sealed)).where(ArchiveMessage.position == 3).execute()


def say_another_time(house: House) -> None:
    ArchiveMessage.update(sent_at=clock.now()).where(ArchiveMessage.position == 3).execute()


def remove(house: House) -> None:
    ArchiveMessage.delete().where(ArchiveMessage.position == 3).execute()


def swap(house: House) -> None:
    three, four = ArchiveMessage.get_by_id(3), ArchiveMessage.get_by_id(4)
    ArchiveMessage.update(sealed=four.sealed).where(ArchiveMessage.position == 3).execute()
    ArchiveMessage.update(sealed=three.sealed).where(ArchiveMessage.position == 4).execute()


def cut_off(house: House) -> None:
    ArchiveMessage.delete().where(ArchiveMessage.position > 3).execute()


def cut_off_and_move_the_end(house: House) -> None:
    cut_off(house)
    last = ArchiveMessage.get_by_id(3)
    ArchiveState.note(position=3, link=last.link)


def forge_an_anchor(house: House) -> None:
    ArchiveAnchor.update(signature="0" * 128).execute()


TAMPERING: dict[Callable[[House], None], str] = {
    flip: message(3)["msgid"],
    say_another_time: message(3)["msgid"],
    remove: "position 3 (seq 3)",
    swap: message(3)["msgid"],
    cut_off: "position 4",
    cut_off_and_move_the_end: "the kept end of the chain",
    forge_an_anchor: "anchor 5",
}


@pytest.mark.parametrize("tamper", TAMPERING)
def test_the_verifier_names_what_was_changed(house: House, tamper: Callable[[House], None]) -> None:
    house.corporation.send(*many(5))
    house.pull()
    Chain(house.kegui.vault).anchor(clock.now())
    assert list(verify.faults(house.kegui)) == []

    tamper(house)

    assert TAMPERING[tamper] in next(verify.faults(house.kegui))


def test_an_anchor_is_made_once_for_each_end(house: House) -> None:
    chain = Chain(house.kegui.vault)
    assert chain.anchor(clock.now()) is None
    house.corporation.send(*many(2))
    house.pull()

    made = chain.anchor(clock.now())

    assert made is not None
    assert made.position == 2
    assert chain.anchor(clock.now()) is None


@ON_BOTH_DATABASES
def test_whoever_moves_the_end_stops_the_archive(house: House) -> None:
    from bot.archive.proof import ChainBroken

    house.corporation.send(*many(2))
    house.pull()
    ArchiveState.note(position=1, link=ArchiveMessage.get_by_id(1).link)
    house.corporation.send(message(3))

    with pytest.raises(ChainBroken):
        house.pull()
    assert ArchiveMessage.select().count() == 2


@ON_BOTH_DATABASES
def test_with_a_days_key_goes_what_was_said_on_that_day(house: House) -> None:
    from bot.archive.reading import Archive, Wanted

    house.corporation.send(message(1, "今天的话"), message(86_400, "明天的话"))
    house.pull()
    assert database.execute_sql("SELECT count(*) FROM archive_day_key").fetchone() == (2,)

    ArchiveDayKey.delete().where(ArchiveDayKey.day == "2026-11-23").execute()

    views = Archive(house.kegui).search(Wanted(["的话"]), None, 10).views
    assert [one.message.text for one in views if one.message] == ["明天的话"]


def test_a_chain_that_was_made_anew_differs_from_what_is_kept_elsewhere(
    house: House, tmp_path: Path
) -> None:
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    loaded = settings.load({"KEGUI_AUDIT_ANCHOR_URL": str(folder)})
    kegui = replace(house.kegui, settings=loaded)
    house.corporation.send(*many(3))
    house.pull()
    jobs.keep_anchors(kegui)
    jobs.keep_anchors(kegui)
    lines = [*anchors.read(str(folder))]
    assert len(lines) == 1
    assert list(verify.faults(house.kegui, lines)) == []

    # By somebody who has the key: all of it once more, with another message in it.
    ArchiveMessage.delete().execute()
    ArchiveState.delete().execute()
    database.execute_sql("DELETE FROM archive_participant")
    house.corporation.forget()
    database.execute_sql("DROP TABLE archive_pairs")
    database.execute_sql(
        "CREATE VIRTUAL TABLE archive_pairs"
        " USING fts5(pairs, content='', detail='none', tokenize='ascii')"
    )
    house.corporation.send(message(1), message(4), message(3))
    house.pull()

    assert "anchor 3 knew another chain" in next(verify.faults(house.kegui, lines))
    assert list(verify.faults(house.kegui)) == []
