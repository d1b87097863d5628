"""Consent as WeCom says it by other ways: asked every night, and what each word means."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import pytest

from bot.archive import jobs
from bot.archive.consents import state_at
from bot.archive.people import CUSTOMER as A_CUSTOMER
from bot.archive.people import ROBOT, STAFF, UNKNOWN, kind_of
from bot.kegui import Kegui
from bot.models import ArchiveConversation, ArchiveState, Consent, Relation
from bot.wecom import Agreement, Refused
from tests.archive.conftest import House
from tests.archive.corporation import CUSTOMER, NOON, ROOM, message

LATER = NOON + timedelta(hours=1)


def at(hours: float) -> datetime:
    return NOON + timedelta(hours=hours)


@pytest.mark.parametrize(
    ("answers", "state"),
    [
        ([], "unknown"),
        (["agreed"], "agreed"),
        (["unknown"], "unknown"),
        (["refused"], "refused"),
        (["agreed", "refused"], "refused"),
        (["refused", "agreed"], "agreed"),
        # A word that nobody understands ends an agreement, and no refusal.
        (["agreed", "unknown"], "unknown"),
        (["refused", "unknown"], "refused"),
    ],
)
def test_only_agreement_is_agreement(answers: list[str], state: str) -> None:
    history = [(at(hours), answer) for hours, answer in enumerate(answers)]

    assert state_at(history, at(9)) == state
    assert state_at(history, at(-1)) == "unknown"


def test_whom_we_know_comes_before_what_an_id_looks_like() -> None:
    odd = "wm" + "a" * 30
    assert kind_of(odd, {odd}, set()) == STAFF
    assert kind_of(odd, set(), set()) == A_CUSTOMER
    assert kind_of("wb" + "a" * 30, set(), set()) == ROBOT
    assert kind_of("wm_short", set(), {"wm_short"}) == A_CUSTOMER
    assert kind_of("wm_short", set(), set()) == UNKNOWN


@dataclass
class Asked:
    """WeCom's archive: answers about pairs and rooms, and one customer whom it does not know."""

    pairs: dict[tuple[str, str], Agreement] = field(default_factory=dict)
    rooms: dict[str, list[Agreement]] = field(default_factory=dict)
    unknown: str = ""
    calls: int = 0

    def agreements(self, pairs: Sequence[tuple[str, str]]) -> list[Agreement]:
        self.calls += 1
        if any(customer == self.unknown for _, customer in pairs):
            raise Refused("msgaudit/check_single_agree", 301061)
        return [self.pairs[pair] for pair in pairs if pair in self.pairs]

    def agreements_in_room(self, chat_id: str) -> list[Agreement]:
        return self.rooms.get(chat_id, [])


def meet(kegui: Kegui, *customers: str) -> None:
    ArchiveState.note(permitted=["ZhangSan"], permitted_at=NOON)
    for customer in customers:
        Relation.begin(customer, "zhangsan", state="active", source="event", at=NOON, noted_at=NOON)


def answers() -> list[tuple[str, str | None, str | None, str, str]]:
    return [
        (row.external_userid, row.userid, row.chat_id, row.state, row.evidence)
        for row in Consent.select().order_by(Consent.id)
    ]


def test_every_night_wecom_is_asked_who_refused(house: House) -> None:
    meet(house.kegui, "wm_yes", "wm_no", "wm_default", "wm_gone")
    house.wecom.archive = cast(Any, Asked(unknown="wm_gone"))
    asked = cast(Any, house.wecom.archive)
    for customer, said in {"yes": "Agree", "no": "Disagree", "default": "Default_Agree"}.items():
        pair = "zhangsan", f"wm_{customer}"
        asked.pairs[pair] = Agreement(*pair, said, NOON)
    ArchiveConversation.create(
        key=f"group {ROOM}", chat_id=ROOM, kind="external", first_at=NOON, last_at=datetime.now(UTC)
    )
    asked.rooms[ROOM] = [Agreement("", "wm_no", "Disagree", NOON)]

    jobs.check_consents(house.kegui)
    jobs.check_consents(house.kegui)

    assert answers() == [
        ("wm_default", "zhangsan", None, "unknown", "check_single_agree"),
        ("wm_no", "zhangsan", None, "refused", "check_single_agree"),
        ("wm_yes", "zhangsan", None, "agreed", "check_single_agree"),
        ("wm_no", None, ROOM, "refused", "check_room_agree"),
    ]


def test_an_answer_in_a_group_is_to_the_group(house: House) -> None:
    said = {"userid": CUSTOMER, "disagree_time": int(LATER.timestamp() * 1000)}
    refusal = {"msgtype": "disagree", "disagree": said, "from": CUSTOMER, "roomid": ROOM}
    house.corporation.send(message(1) | refusal)
    house.pull()

    [row] = Consent.select()
    assert (row.userid, row.chat_id, row.state, row.since) == (None, ROOM, "refused", LATER)
