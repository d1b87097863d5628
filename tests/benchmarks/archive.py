"""What archiving a message costs: `python -m tests.benchmarks.archive [sqlite] [postgres]`.

Messages are pulled through a library that stands in for WeCom's finance SDK, decrypted, encrypted
again, indexed and stored. Before and after stand bare RSA-2048 private operations, of which every
message needs one. All is measured in processor time, of Kegui, of the library's process and of
PostgreSQL's: so it holds for a core. The goal: 0.35 of the bare operations at least.

With --search a million messages, or so many, are filled in, and searched for common and rare words.
"""

import argparse
import json
import random
import resource
import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric import padding
from peewee import PostgresqlDatabase

from bot import db, migrations
from bot.archive.contents import Row
from bot.archive.day_keys import DayKeys
from bot.archive.private_keys import PrivateKeys
from bot.archive.pull import Puller
from bot.archive.reading import Archive, Wanted
from bot.archive.sdk import SdkSettings, SdkSource
from bot.archive.store import Store, opened_row
from bot.kegui import Kegui
from bot.models import ArchiveState
from bot.vault import Vault
from config import settings
from tests.archive.corporation import (
    NOON,
    Corporation,
    build_library,
    message,
    private_key,
)
from tests.benchmarks.places import KINDS, storage

GOAL, AIM = 0.35, 0.5
VAULT_KEY = "A" * 43 + "="
BARE_OPERATIONS = 1000
# As speech has them: few words often, many of them rarely.
WORDS = 4000
RARE = "独角兽"
COMMON = "您好"
FILLED_AT_ONCE = 1000
ALARM_AFTER = timedelta(hours=6)


@dataclass(frozen=True)
class Result:
    """Messages and bare operations per second of one core, and how much memory was taken."""

    kind: str
    messages: float
    bare: float
    megabytes: float

    @property
    def ratio(self) -> float:
        return self.messages / self.bare


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print, and return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("kinds", nargs="*", help=f"of {', '.join(KINDS)}; all by default")
    parser.add_argument("--messages", type=int, default=10_000)
    parser.add_argument("--search", type=int, default=0, metavar="MESSAGES")
    options = parser.parse_args(arguments)
    good = True
    for kind in options.kinds or KINDS:
        if options.search:
            good &= search(kind, options.search)
            continue
        result = measure(kind, options.messages)
        print(
            f"{kind}: {result.messages:.0f} messages and {result.bare:.0f} bare RSA operations for"
            f" each second of a core, ratio {result.ratio:.2f} (goal {GOAL}, aim {AIM});"
            f" {result.megabytes:.0f} MB at the most"
        )
        good &= result.ratio >= GOAL
    return 0 if good else 1


def measure(kind: str, messages: int) -> Result:
    """Pull so many messages into an empty archive."""
    with storage(kind) as (folder, url, _queue_url):
        made = db.connect(url)
        migrations.up()
        corporation = Corporation(Path(folder))
        speech = Speech()
        corporation.send(*(message(number, speech.sentence()) for number in range(1, messages + 1)))
        library = build_library(Path(folder))
        vault = Vault(VAULT_KEY)
        day_keys = DayKeys(vault)
        source = SdkSource(SdkSettings(library, "ww1", str(corporation.folder)))
        puller = Puller(
            source,
            PrivateKeys(corporation.keys),
            Store(vault, day_keys, ALARM_AFTER),
            day_keys,
        )
        bare = [_bare()]
        before = _processor() + _of_postgres()
        stored = puller.pull()
        of_postgres = _of_postgres()
        source.close()
        spent = _processor() + of_postgres - before
        bare.append(_bare())
        assert stored == messages
        made.close_all()
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return Result(kind, messages / spent, statistics.mean(bare), memory)


def _bare() -> float:
    """Return how many private operations a core does in a second."""
    key = private_key(1)
    sealed = key.public_key().encrypt(b"k" * 32, padding.PKCS1v15())
    before = time.process_time()
    for _ in range(BARE_OPERATIONS):
        key.decrypt(sealed, padding.PKCS1v15())
    return BARE_OPERATIONS / (time.process_time() - before)


def _processor() -> float:
    """Return the seconds that this process and those it has ended were at work."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in used)


def _of_postgres() -> float:
    """Return the seconds that PostgreSQL was at work for us; it runs on this machine."""
    if not isinstance(db.database.obj, PostgresqlDatabase):
        return 0
    with db.connection():
        (pid,) = db.database.execute_sql("SELECT pg_backend_pid()").fetchone()
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / 100


class Speech:
    """Sentences in which words come as often as in speech."""

    def __init__(self) -> None:
        self._random = random.Random(7)  # noqa: S311 - the same each time
        draw = self._random
        self.words = [
            "".join(
                chr(draw.randrange(0x4E00, 0x4E00 + 3500)) for _ in range(draw.choice((1, 2, 2, 3)))
            )
            for _ in range(WORDS)
        ]
        self._weights = [1 / (rank + 10) for rank in range(WORDS)]

    def sentence(self) -> str:
        count = self._random.randrange(4, 30)
        words = self._random.choices(self.words, self._weights, k=count)
        if self._random.random() < 0.2:
            words.insert(0, COMMON + "，")
        if self._random.random() < 0.00002:
            words.append(RARE)
        return "".join(words)


def search(kind: str, messages: int) -> bool:
    """Fill an archive and search it; whether the goal is met: p95 below 200 ms."""
    with storage(kind) as (folder, url, _queue_url):
        made = db.connect(url)
        migrations.up()
        vault = Vault(VAULT_KEY)
        environment = {
            "KEGUI_DATABASE_URL": url,
            "KEGUI_CORP_ID": "ww1",
            "KEGUI_MEDIA_URL": f"file://{folder}/media",
        }
        kegui = Kegui(settings.load(environment), None, None, vault)  # type: ignore[arg-type]
        text_bytes = _fill(vault, messages)
        if kind == "postgres":
            with db.connection():
                db.database.execute_sql("VACUUM ANALYZE archive_message")
        speech = Speech()
        good = True
        for name, words in {
            "common": COMMON,
            "frequent": next(word for word in speech.words if len(word) > 1),
            "middling": next(word for word in speech.words[300:] if len(word) > 1),
            "rare": RARE,
            "nowhere": "绝无此语",
        }.items():
            took = []
            with db.connection():
                for _ in range(21):
                    began = time.perf_counter()
                    found = Archive(kegui).search(Wanted(Wanted.words_in(words)), None, 50)
                    took.append(time.perf_counter() - began)
            p95 = sorted(took)[19] * 1000
            good &= p95 < 200
            print(
                f"{kind}, {messages} messages, {name}: {len(found.views)} shown, p95 {p95:.0f} ms"
            )
        print(f"{kind}: {_size_of_index(kind) / text_bytes:.1f} bytes of index for each of text")
        made.close_all()
    return good


def _fill(vault: Vault, messages: int) -> int:
    """Store messages without a library before; returns how many bytes of text they have."""
    speech, day_keys = Speech(), DayKeys(vault)
    store = Store(vault, day_keys, ALARM_AFTER)
    text_bytes = 0
    people = [f"wmFAKECust{number:022d}" for number in range(2000)]
    for start in range(1, messages + 1, FILLED_AT_ONCE):
        opened = []
        for number in range(start, min(start + FILLED_AT_ONCE, messages + 1)):
            text = speech.sentence()
            text_bytes += len(text.encode())
            one = message(number, text, tolist=[people[number % len(people)]])
            plain = _json(one)
            opened.append(opened_row(Row(number, str(one["msgid"]), 1, "", ""), plain, NOON))
        with db.connection():
            state = ArchiveState.now()
            store.page(state.cursor if state else 0, opened)
    return text_bytes


def _json(one: dict[str, Any]) -> bytes:
    return json.dumps(one, ensure_ascii=False).encode()


def _size_of_index(kind: str) -> int:
    with db.connection():
        if kind == "postgres":
            query = (
                "SELECT pg_relation_size('archive_message_pairs') + sum(pg_column_size(pairs))"
                " FROM archive_message"
            )
        else:
            query = (
                "SELECT (SELECT sum(length(block)) FROM archive_pairs_data)"
                " + (SELECT sum(length(pairs)) FROM archive_message)"
            )
        (size,) = db.database.execute_sql(query).fetchone()
    return int(size)


if __name__ == "__main__":
    raise SystemExit(main())
