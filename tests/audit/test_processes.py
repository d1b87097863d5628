"""Many processes write the audit log at once, and it is one unbroken chain."""

import multiprocessing
from typing import Any

import pytest

from bot import db
from bot.models import AuditEntry, AuditSeal
from tests.audit.test_log import LOG, acts, verify


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
