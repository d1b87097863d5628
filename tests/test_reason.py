"""Reasons are kept as codes and facts, and said in the words that capabilities taught."""

from collections.abc import Iterator

import pytest
from flask_babel import lazy_gettext
from peewee import AutoField, CharField, JSONField, SqliteDatabase

from bot import reason
from bot.db import Model
from bot.reason import Reason, ReasonColumns, in_words


class Kept(Model):
    id = AutoField()
    reason_code = CharField(max_length=reason.CODE_LENGTH, default="")
    reason_facts = JSONField(default=dict)
    reason = ReasonColumns()


@pytest.fixture
def table() -> Iterator[None]:
    made = SqliteDatabase(":memory:")
    with made.bind_ctx([Kept]):
        made.create_tables([Kept])
        yield
    made.close()


@pytest.fixture(autouse=True)
def _taught(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reason, "_words", {})
    reason.learn(
        {
            "full": lazy_gettext("%(member)s is full"),
            "passed_over": lazy_gettext("passed over: %(why)s"),
        }
    )


def test_a_reason_is_kept_whole(table: None) -> None:
    Kept.create(reason=Reason("full", {"member": "lihua", "customers": 3}))
    Kept.insert(**Reason("no_words_for_this").columns()).execute()
    Kept.create()

    rows = list(Kept.select().order_by(Kept.id))

    assert rows[0].reason == Reason("full", {"member": "lihua", "customers": 3})
    assert rows[1].reason == Reason("no_words_for_this")
    assert not rows[2].reason


def test_its_words_hold_the_facts() -> None:
    full = Reason("full", {"member": "lihua"})

    assert in_words(full) == "lihua is full"
    assert in_words(full, {"member": str.upper}) == "LIHUA is full"
    assert in_words(Reason("passed_over", {"why": "full", "member": "lihua"})) == (
        "passed over: lihua is full"
    )


def test_what_nobody_taught_is_shown_as_it_is() -> None:
    assert in_words(Reason("of_tomorrow", {"member": "lihua"})) == "of_tomorrow"
    assert in_words(Reason("passed_over", {"why": "of_tomorrow"})) == "passed over: of_tomorrow"
    assert in_words(Reason("full")) == "? is full"


def test_a_code_has_one_text() -> None:
    with pytest.raises(ValueError, match="full"):
        reason.learn({"full": lazy_gettext("no room")})
