"""Years of settled events in an inbox, made by the database itself within a minute or two."""

import sqlite3
from contextlib import closing
from datetime import datetime, timedelta

import psycopg

from bot import clock
from tests.benchmarks import load

YEARS = timedelta(days=730)
# What a sealed event is longer than the event: version, nonce and tag.
SEAL_BYTES = 31
PAYLOAD_BYTES = len(load.customer_added("ww0123456789abcdef", 0)) + SEAL_BYTES
COLUMNS = (
    "key, source, event, change_type, userid, external_userid, lane, payload, state, attempts,"
    " received_at, due_at, finished_at"
)
# Of 20 events 19 were done; three speak of one customer.
VALUES = (
    "'customer', 'change_external_contact',"
    " CASE n % 3 WHEN 0 THEN 'add_external_contact' ELSE 'edit_external_contact' END,"
    " 'member' || (n % 50), 'wm' || {customer}, 'work', {payload},"
    " CASE n % 20 WHEN 0 THEN 'ignored' ELSE 'done' END, 1, {moment}, {moment}, {moment}"
)


def fill(url: str, rows: int) -> None:
    """Put so many settled rows of the last two years into an inbox, and let it be analysed."""
    began = clock.now() - YEARS
    if url.startswith("sqlite:///"):
        _fill_sqlite(url, rows, began)
    else:
        _fill_postgres(url, rows, began)


def _fill_sqlite(url: str, rows: int, began: datetime) -> None:
    step = YEARS.total_seconds() / rows
    start = began.isoformat(sep=" ", timespec="seconds")
    moment = f"strftime('%Y-%m-%d %H:%M:%f', '{start}', (n * {step}) || ' seconds') || '000+00:00'"
    values = VALUES.format(
        # A number that no other customer has, and that does not grow with time.
        customer="printf('%030d', (n / 3) * 1000003 % 999999937)",
        payload=f"randomblob({PAYLOAD_BYTES})",
        moment=moment,
    )
    with closing(sqlite3.connect(url.removeprefix("sqlite:///"), isolation_level=None)) as database:
        database.execute("PRAGMA synchronous = off")
        database.execute("PRAGMA cache_size = -400000")
        database.execute(
            "WITH RECURSIVE number(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM number"
            f" WHERE n < {rows}) INSERT INTO inbox_event ({COLUMNS})"
            f" SELECT lower(hex(randomblob(32))), {values} FROM number"
        )
        database.execute("ANALYZE")
        database.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def _fill_postgres(url: str, rows: int, began: datetime) -> None:
    step = YEARS.total_seconds() / rows
    values = VALUES.format(
        customer="left(encode(sha256((n / 3)::text::bytea), 'hex'), 30)",
        payload=(
            "substring(decode(repeat(encode(sha256(n::text::bytea), 'hex'),"
            f" {PAYLOAD_BYTES // 32 + 1}), 'hex') FOR {PAYLOAD_BYTES})"
        ),
        moment=f"timestamptz '{began.isoformat()}' + n * interval '{step} seconds'",
    )
    with psycopg.connect(url, autocommit=True) as server:
        server.execute(
            f"INSERT INTO inbox_event ({COLUMNS})"
            f" SELECT encode(sha256(('old ' || n)::bytea), 'hex'), {values}"
            f" FROM generate_series(1, {rows}) AS n".encode()
        )
        server.execute("VACUUM ANALYZE inbox_event")
        server.execute("CHECKPOINT")
