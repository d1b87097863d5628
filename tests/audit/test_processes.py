"""Many processes write the audit log at once, and it is one unbroken chain."""

import multiprocessing
from typing import Any

import pytest
from peewee import SelectBase

from bot import db
from bot.models import AuditEntry, AuditSeal
from tests.audit.test_log import LOG, act, acts, verify
from tests.conftest import in_thread


def write_many(url: str, amount: int, started: Any) -> None:
    made = db.connect(url)
    started.wait()
    with db.connection():
        acts(amount)
    made.close_all()


@pytest.mark.postgres
def test_sixteen_processes_and_a_sealer_make_one_unbroken_chain(postgres_url: str) -> None:
    made = db.connect(postgres_url)
    spawn = multiprocessing.get_context("spawn")
    started = spawn.Event()
    processes = [
        spawn.Process(target=write_many, args=(postgres_url, 500, started)) for _ in range(16)
    ]
    for process in processes:
        process.start()
    started.set()
    with db.connection():
        while any(process.is_alive() for process in processes):
            LOG.seal()
        while LOG.seal():
            pass
        for process in processes:
            process.join()
        assert AuditSeal.select().count() == 8000
        assert verify() == []
        writers = AuditEntry.select(AuditEntry.writer).distinct().count()
    made.close_all()
    assert writers == 16
    assert [process.exitcode for process in processes] == [0] * 16


@pytest.mark.postgres
def test_a_writer_that_begins_while_the_first_batch_is_sealed_keeps_its_name(
    postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = db.connect(postgres_url)
    ask, to_do = SelectBase.exists, [LOG.seal]

    def exists(query: SelectBase, *given: Any) -> Any:
        found = ask(query, *given)
        # On a connection of its own, between this question and the next.
        while to_do:
            in_thread(to_do.pop()).result()
        return found

    def write() -> None:
        with monkeypatch.context() as patched:
            patched.setattr(SelectBase, "exists", exists)
            act()
        act()

    with db.connection():
        act()
        in_thread(write).result()
        assert AuditSeal.select().count() == 1
        entries = list(AuditEntry.select())
    made.close_all()

    assert {entry.writer[0] for entry in entries} == {"k"}
    assert len({entry.writer for entry in entries}) == 2
