"""A message that is sent again is the same to the letter: WeCom knows repetitions by their text."""

from pathlib import Path
from typing import Any, cast

import pytest
import responses

from bot.kegui import Kegui
from bot.messages import tell
from bot.models import Effect
from bot.queue import Queue
from bot.vault import Vault
from bot.wecom import Transient
from config import settings
from tests.wecom.one_for_all import OneForAll
from tests.wecom.speaking import answer, asked, give_token, speak

NO_ANSWER = Transient("message/send", None, "network: ReadTimeout", maybe_executed=True)


class FakeWeCom(OneForAll):
    """Keeps what it is asked to send, and loses the first answer."""

    def __init__(self) -> None:
        self.sent: list[str] = []

    def messages_send_text(self, _userids: list[str], text: str) -> None:
        self.sent.append(text)
        if len(self.sent) == 1:
            raise NO_ANSWER


def test_what_is_repeated_says_the_same_though_a_name_is_known_by_now(
    sqlite_url: str, store: str
) -> None:
    wecom = FakeWeCom()
    kegui = Kegui(settings.load({}), cast(Any, wecom), Queue(sqlite_url), Vault("A" * 43 + "="))

    def tell_of(customer: str) -> Effect:
        return tell(
            "lisi",
            "conflict.owner",
            about="conflict 1 wangwu",
            kegui=kegui,
            customer=customer,
            owner="lisi",
            contender="wangwu",
        )

    with pytest.raises(Transient):
        tell_of("wm_chen")
    kept = Effect.get().sealed_text
    effect = tell_of("陈先生")

    assert "wm_chen" in wecom.sent[0]
    assert wecom.sent == [wecom.sent[0]] * 2
    assert kept is not None
    assert b"wm_chen" not in bytes(kept)
    assert (effect.state, Effect.get().sealed_text) == ("done", None)


def test_a_long_name_leaves_room_for_the_others_and_for_our_own_words(
    sqlite_url: str, store: str
) -> None:
    wecom = FakeWeCom()
    wecom.sent.append("no answer is lost")
    kegui = Kegui(settings.load({}), cast(Any, wecom), Queue(sqlite_url), Vault("A" * 43 + "="))

    names = ["=1+1<a href='//a.example'>", "多\n行\u2028\u202e\x00", *["名" * 2000] * 13]
    wording = "请按 <a href='https://kegui.example'>须知</a>\n告知"
    tell("lisi", "digest.text", about="d", kegui=kegui, ours={"wording": wording}, customers=names)

    *_, told = wecom.sent
    listed = [line for line in told.splitlines() if line.startswith("·")]
    assert listed[:2] == ["· =1+1＜a href='//a．example'＞", "· 多 行"]
    assert listed[2:] == [f"· {'名' * 29}…"] * 13
    assert told.endswith(wording)
    assert len(told.encode()) <= 2048


def test_messages_and_lists_are_built_where_what_people_wrote_becomes_data() -> None:
    """The doctor's one sentence to an operator has nothing in it that people wrote."""
    bot = Path(__file__).resolve().parents[1] / "bot"
    places: dict[str, set[str]] = {".send_text(": set(), "csv.writer(": set()}
    for path in bot.rglob("*.py"):
        for call, found in places.items():
            if call in path.read_text(encoding="utf-8"):
                found.add(str(path.relative_to(bot)))

    assert places == {
        ".send_text(": {"messages.py", "operations/doctor/platform.py"},
        "csv.writer(": {"console/csv_files.py"},
    }


@pytest.mark.parametrize("said", ["invaliduser", "unlicenseduser"])
def test_who_did_not_get_a_message_counts_as_not_told_and_is_not_told_again(
    sqlite_url: str, store: str, said: str
) -> None:
    kegui = Kegui(settings.load({}), speak(), Queue(sqlite_url), Vault("A" * 43 + "="))

    def tell_both() -> list[tuple[str, int | None]]:
        told = [
            tell(one, "alarm.text", about="alarm 1", kegui=kegui, text="t", what_to_do="w")
            for one in ("LiSi", "zhangsan")
        ]
        return [(effect.state, effect.errcode) for effect in told]

    with responses.RequestsMock() as network:
        give_token(network)
        answer(network, "message/send", {"errcode": 0, "errmsg": "ok", said: "lisi"})
        first = tell_both()

        assert first == [("refused", 81013), ("done", None)]
        assert tell_both() == first
        assert len(asked(network, "message/send")) == 2
