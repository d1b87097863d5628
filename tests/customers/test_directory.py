"""Customers are found by what their name or id has in it, whichever way they are looked for."""

from unittest.mock import patch

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bot import clock, db
from bot.customers import directory
from bot.customers.directory import find_customers
from bot.models import Customer, Ownership, Staff
from bot.reason import Reason

# Few characters, so that texts are often found; capital and small, with accents, as SQL reads them,
# and two that PostgreSQL folds to i and k.
CHARACTERS = "aAbB7王伟éÉiI\u0130kK\u212a_%\\'\" 😀"
NAMES = st.lists(st.text(CHARACTERS, max_size=5), min_size=1, max_size=6)
TEXTS = st.lists(st.text(CHARACTERS, min_size=1, max_size=4), min_size=1, max_size=6)


def met(external_userid: str, name: str) -> None:
    Customer.meet(external_userid, channel="", met_at=clock.now())
    Customer.update(name=name).where(Customer.external_userid == external_userid).execute()


def found(text: str, *, few: int = directory.FEW) -> list[str]:
    with patch.multiple(directory, FEW=few, FEW_OWNED=few):
        return [customer.external_userid for customer in find_customers(text, "")]


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(names=NAMES, texts=TEXTS)
def test_what_is_looked_for_first_is_what_a_look_at_every_name_finds(
    store: str, names: list[str], texts: list[str]
) -> None:
    with db.database.atomic() as undone:
        for number, name in enumerate(names):
            met(f"wmA{number}{name.strip()}", name)
        # Parts of the names and ids themselves are found at least once.
        parts = [name[place:][:3] for name in names for place in range(len(name))]
        for text in [*texts, *parts, "A0", "mA"]:
            # With few below one, whatever is found is too much to be named.
            assert found(text) == found(text, few=-1), text
        assert all(found(part) for part in parts)
        undone.rollback()


@pytest.mark.parametrize("text", ["王伟", "NoBody", "nobody", "wmX4"])
@pytest.mark.parametrize(
    "database_url", [pytest.param("postgres", marks=pytest.mark.postgres)], indirect=True
)
def test_a_rare_text_is_found_along_the_indexes(store: str, text: str) -> None:
    # What other tests left in the files of the table would count in the plans.
    db.database.execute_sql("TRUNCATE customer CASCADE")
    for number in range(300):
        met(f"wm_{number}", f"客户{number}")
    met("wmX4f7", "王伟 Nobody")
    db.database.execute_sql("ANALYZE customer")
    plans: list[str] = []
    execute = db.database.obj.execute_sql

    def explained(sql: str, params: object = None, *more: object) -> object:
        if 'FROM "customer"' in sql:
            rows = execute(f"EXPLAIN {sql}", params).fetchall()
            plans.append("\n".join(row[0] for row in rows))
        return execute(sql, params, *more)

    with db.transaction(), patch.object(db.database.obj, "execute_sql", explained):
        # So few rows are read quicker one after another.
        db.database.execute_sql("SET LOCAL enable_seqscan = off")
        assert found(text) == ["wmX4f7"]

    used = [
        name for name in ("name", "external_userid") if f"customer_{name}_bigrams" in str(plans)
    ]
    assert used == (["name", "external_userid"] if text.isascii() else ["name"])


@pytest.mark.parametrize(
    ("name", "text"),
    [("Ay\u015fe \u0130rem", "ay\u015fe irem"), ("\u00dcnal \u212aoch", "\u00fcnal koch")],
)
def test_a_name_with_accents_is_found_as_a_look_at_every_name_finds_it(
    store: str, name: str, text: str
) -> None:
    met("wm_accents", name)

    assert found(text) == found(text, few=-1)


def test_customers_are_found_by_a_part_of_their_owners_name(store: str) -> None:
    Staff.create(userid="zhangsan", name="张三丰", seen_at=clock.now())
    Staff.create(userid="lisi", name="李四", seen_at=clock.now())
    for number, userid in enumerate(["zhangsan", "lisi", "zhangsan"]):
        met(f"wm_{number}", "李四" if number == 2 else f"客户{number}")
        Ownership.claim(f"wm_{number}", userid, at=clock.now(), reason=Reason("test"))

    for few in (directory.FEW, 1, -1):
        assert sorted(found("三丰", few=few)) == ["wm_0", "wm_2"]
        assert sorted(found("李四", few=few)) == ["wm_1", "wm_2"]
        assert found("王五", few=few) == []
