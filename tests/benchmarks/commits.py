"""How many one-row transactions a database makes durable, asked for without any web server."""

import os
import sqlite3
import threading
import time
from collections.abc import Callable
from contextlib import closing
from multiprocessing.synchronize import Barrier

import psycopg

from bot.db import SQLITE_PRAGMAS
from tests.benchmarks.load import SPAWN

TABLE = "benchmark_commit"
Commit = Callable[[bytes], object]


def prepare(url: str) -> None:
    """Make the table that the commits go to."""
    if url.startswith("sqlite:///"):
        with closing(_sqlite(url)) as database:
            database.execute(f"CREATE TABLE {TABLE} (id INTEGER PRIMARY KEY, payload BLOB)")
    else:
        with psycopg.connect(url, autocommit=True) as database:
            database.execute(
                f"CREATE TABLE {TABLE} (id bigserial PRIMARY KEY, payload bytea)".encode()
            )


def measure(url: str, payload_bytes: int, amount: int, processes: int, threads: int) -> float:
    """Return commits per second of this many writers together."""
    start = SPAWN.Barrier(processes + 1)
    each = max(1, amount // (processes * threads))
    writers = [
        SPAWN.Process(target=_write, args=(url, payload_bytes, each, threads, start), daemon=True)
        for _ in range(processes)
    ]
    for writer in writers:
        writer.start()
    start.wait(60)
    began = time.perf_counter()
    start.wait(300)
    seconds = time.perf_counter() - began
    for writer in writers:
        writer.join()
    return each * processes * threads / seconds


def _write(url: str, payload_bytes: int, each: int, threads: int, start: Barrier) -> None:
    # A writer that cannot connect breaks the barrier, and the measurement ends with an error.
    ready = threading.Barrier(threads + 1, timeout=30)
    done = threading.Barrier(threads + 1, timeout=300)

    def work() -> None:
        with closing(_sqlite(url) if url.startswith("sqlite:///") else _postgres(url)) as database:
            ready.wait()
            ready.wait()
            statement = f"INSERT INTO {TABLE} (payload) VALUES ({_mark(url)})"
            for _ in range(each):
                database.execute(statement, (os.urandom(payload_bytes),))
            done.wait()

    workers = [threading.Thread(target=work, daemon=True) for _ in range(threads)]
    for worker in workers:
        worker.start()
    ready.wait()
    start.wait()
    ready.wait()
    done.wait()
    start.wait()
    for worker in workers:
        worker.join()


def _sqlite(url: str) -> sqlite3.Connection:
    """Open the database as the web process does."""
    database = sqlite3.connect(
        url.removeprefix("sqlite:///"), isolation_level=None, check_same_thread=False
    )
    for name, value in SQLITE_PRAGMAS.items():
        database.execute(f"PRAGMA {name} = {value}")
    return database


def _postgres(url: str) -> psycopg.Connection:
    return psycopg.connect(url, autocommit=True)


def _mark(url: str) -> str:
    return "?" if url.startswith("sqlite:///") else "%s"
