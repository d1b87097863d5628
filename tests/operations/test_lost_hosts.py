"""A host that is lost without a word, and what it leaves at the database."""

from datetime import timedelta

import peewee
import psycopg
import pytest

from bot import clock, db
from bot.models import Lease

pytestmark = pytest.mark.postgres


def test_what_a_lost_host_had_locked_is_soon_free_again(
    postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    quick = {**db.POSTGRES_SESSION, "idle_in_transaction_session_timeout": "500ms"}
    monkeypatch.setattr(db, "POSTGRES_SESSION", quick)
    made = db.connect(postgres_url)
    with db.connection():
        Lease.create(name="a", holder="nobody", until=clock.now() + timedelta(hours=1))
        made.begin()
        Lease.update(holder="the lost host").execute()

        with psycopg.connect(postgres_url, options="-c lock_timeout=10s") as other:
            other.execute("UPDATE lease SET holder = 'the other host'")

        with pytest.raises(peewee.InternalError, match="idle-in-transaction"):
            made.commit()
    made.close_all()


def test_an_address_may_ask_for_another_patience(postgres_url: str) -> None:
    made = db.connect(f"{postgres_url}?connect_timeout=11&options=-c%20lock_timeout%3D7s")
    with db.connection():
        assert made.connect_params["connect_timeout"] == 11
        assert made.execute_sql("SHOW lock_timeout").fetchone() == ("7s",)
        assert made.connect_params["tcp_user_timeout"] == db.POSTGRES_LINE["tcp_user_timeout"]
    made.close_all()
