"""Upgrade drill: old and new processes side by side on one database, and nobody notices.

    python -m tests.drills.upgrade [sqlite] [postgres]

The old code is the last commit that rewrote a migration, the new code is this folder and one more
migration, which adds a column to the busiest table and a table. While customers come and a
handover runs: migrate, new processes beside the old ones, old ones stop. The sandbox's books must
show that nothing was lost, done twice or answered with an error. Then back: the old code runs on
the migrated database, the migrations are taken back and brought again, and the data is the same.
"""

import dataclasses
import hashlib
import io
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

from bot import db
from bot.sandbox.place import CALLBACKS, make_place
from tests.drills.scene import (
    DAY_SECONDS,
    HERE,
    Arrivals,
    check,
    check_all_transferred,
    check_nothing_twice,
    check_owners,
    copy_code,
    log_tail,
    say,
    start_leaving,
)
from tests.sandbox.process import running_sandbox
from tests.stack import ALL, Stack, free_port, until
from tests.stories.conftest import QUICK, empty_redis, own_database

NOT_COMPARED = ("schema_migration",)
OF_TOMORROW = "9999_of_tomorrow"
MIGRATION = '''
"""What a later release might add."""

from typing import Any

from peewee import CharField, Model, TextField


def up(migrator: Any, db: Any) -> None:
    class OfTomorrow(Model):
        name = CharField(primary_key=True)

        class Meta:
            database = db
            table_name = "of_tomorrow"

    migrator.migrate(migrator.add_column("inbox_event", "of_tomorrow", TextField(null=True)))
    db.create_tables([OfTomorrow])


def down(migrator: Any, db: Any) -> None:
    migrator.migrate(migrator.drop_column("inbox_event", "of_tomorrow"))
    db.execute_sql("DROP TABLE of_tomorrow")
'''


def old_commit() -> str:
    """Name the last commit that changed or removed a migration.

    Nothing is released yet, and until then migrations may be rewritten: no database of before such
    a commit can be upgraded. From the first release on this is the commit of that release.
    """
    rewritten = ("log", "-1", "--format=%H", "--no-renames", "--diff-filter=MD")
    commit = git(*rewritten, "--", "migrations").decode().strip()
    if not commit:
        raise SystemExit(
            "the upgrade drill needs the last commit that rewrote a migration, and this clone's"
            " history does not have it: clone without --depth, or `git fetch --unshallow`"
        )
    return commit


def old_code(folder: Path) -> Path:
    """Take the old release out of the history."""
    with tarfile.open(fileobj=io.BytesIO(git("archive", old_commit()))) as archive:
        archive.extractall(folder, filter="data")
    return folder


def git(*arguments: str) -> bytes:
    return subprocess.run(
        ["git", "-C", str(HERE), *arguments], stdout=subprocess.PIPE, check=True
    ).stdout


def new_code(folder: Path) -> Path:
    copy_code(folder)
    (folder / "migrations" / f"{OF_TOMORROW}.py").write_text(MIGRATION.lstrip())
    return folder


@contextmanager
def old_and_new(kind: str, folder: Path) -> Iterator[tuple[Stack, Stack]]:
    """Two releases over one database, one queue and one sandbox, each with a port of its own."""
    with own_database(kind, folder) as url, running_sandbox() as sandbox_url:
        place = make_place(
            folder,
            sandbox_port=urlsplit(sandbox_url).port or 0,
            web_port=free_port(),
            DATABASE_URL=url,
            QUEUE_URL=url if kind == "sqlite" else empty_redis(),
            **QUICK,
        )
        port = free_port()
        beside = dataclasses.replace(
            place,
            web_url=f"http://127.0.0.1:{port}",
            environment={**place.environment, "KEGUI_BIND": f"127.0.0.1:{port}"},
        )
        for name in ("old", "new"):
            (folder / "logs" / name).mkdir(parents=True)
        old = Stack(place, folder / "logs" / "old", old_code(folder / "old"))
        new = Stack(beside, folder / "logs" / "new", new_code(folder / "new"))
        try:
            yield old, new
        finally:
            new.stop()
            old.stop()


def play(old: Stack, new: Stack) -> None:
    old.reset()
    old.command("migrate")
    old.start(*ALL)
    until(lambda: old.try_command("sync"))
    cases = {"early": start_leaving(old, "early", 41)}
    old.command("sync")
    old.transferred("early", 12)

    arrivals = Arrivals(old, "any")
    with arrivals.coming():
        arrivals.have_come(10)
        say(f"migrated under the old processes: {new.command('migrate').split()}")
        arrivals.have_come(10)
        new.start(*ALL)
        say("new processes run beside the old ones")
        for door in (new, old, new, old):
            let_callbacks_go_to(door)
            arrivals.have_come(5)
        cases["late"] = start_leaving(new, "late", 42)
        new.transferred("late", 12)
        let_callbacks_go_to(new)
        # As a proxy does: no new requests, then those under way are answered.
        arrivals.have_come(5)
        old.stop()
        say("the old processes have stopped")
        arrivals.have_come(10)
    new.settled()
    new.pass_time(DAY_SECONDS)
    for leaver in cases:
        new.case(leaver, "done")
    new.settled()

    check_nothing_twice(new)
    check_welcomed(new, arrivals)
    check_doors(new)
    for leaver, customers in cases.items():
        check_all_transferred(new, leaver, customers)
    check_owners(new, arrivals.met)
    say(f"{len(arrivals.met)} customers came, each has their owner")
    go_back(old, new)


def let_callbacks_go_to(stack: Stack) -> None:
    """What a reverse proxy does when its upstream changes."""
    corporation = stack.place.corporation()["callbacks"]
    stack.sandbox.post("/sandbox/callbacks", **{door: corporation[door] for door in CALLBACKS})


def check_welcomed(stack: Stack, arrivals: Arrivals) -> None:
    told = {str(row["external_userid"]) for row in stack.executed("welcome_sent")}
    check(set(arrivals.met) <= told, f"not told: {sorted(set(arrivals.met) - told)}")
    add = "add_external_contact"
    sent = stack.sandbox.get("/sandbox/events", change_type=add)["events"]
    kept = stack.api.every("/events", type=add)
    check(len(kept) == len(sent), f"{len(sent)} adds were sent, {len(kept)} are in the inbox")


def check_doors(stack: Stack) -> None:
    deliveries = stack.sandbox.get("/sandbox/deliveries")["deliveries"]
    wrong = [row for row in deliveries if row["status"] != 200]
    check(not wrong, f"{len(wrong)} callbacks were not answered with 200: {wrong[:3]}")
    slowest = max(row["seconds"] for row in deliveries)
    say(f"{len(deliveries)} callbacks answered with 200, the slowest in {slowest * 1000:.0f} ms")


def go_back(old: Stack, new: Stack) -> None:
    """The old release on the new schema, then the schema taken back and brought again."""
    new.stop()
    old.start("web", "worker")
    let_callbacks_go_to(old)
    old.meet("lisi", "wm_back")
    old.has_executed("welcome_sent", 1, external_userid="wm_back")
    old.settled()
    old.stop()
    say("the old release serves on the new schema")

    url = new.place.environment["KEGUI_DATABASE_URL"]
    full = rows_of(url)
    added = sorted(migrations_of(new) - migrations_of(old), reverse=True)
    taken = [new.command("migrate", "--down", "--yes") for _ in added]
    check(taken == added, f"taken back: {taken}")
    bare = rows_of(url)
    new.command("migrate")
    again = rows_of(url)
    for table, rows in bare.items():
        for name, digest in rows.items():
            same = digest == full[table][name] == again[table][name]
            check(same, f"{table}.{name} is not the same after down and up")
    say(f"down and up again, {len(bare)} tables are the same: {', '.join(taken)}")


def migrations_of(stack: Stack) -> set[str]:
    return {path.stem for path in (stack.code or HERE).glob("migrations/[0-9]*.py")}


def rows_of(url: str) -> dict[str, dict[str, str]]:
    """Return, for each table and column, a digest of its values in the order of the first key."""
    digests: dict[str, dict[str, str]] = {}
    made = db.connect(url)
    with db.connection():
        for table in made.get_tables():
            if table in NOT_COMPARED or table.startswith("kegui_queue"):
                continue
            [key, *_] = made.get_primary_keys(table)
            digests[table] = {}
            for column in made.get_columns(table):
                query = f'SELECT "{column.name}" FROM "{table}" ORDER BY "{key}", 1'
                values = repr(made.execute_sql(query).fetchall())
                digests[table][column.name] = hashlib.sha256(values.encode()).hexdigest()
    made.close_all()
    return digests


def main(kinds: list[str]) -> None:
    for kind in kinds or ["sqlite", "postgres"]:
        began = time.monotonic()
        print(f"upgrade drill on {kind}", flush=True)
        with tempfile.TemporaryDirectory() as place:
            try:
                with old_and_new(kind, Path(place)) as (old, new):
                    play(old, new)
            except BaseException:
                log_tail(Path(place))
                raise
        print(f"upgrade drill on {kind}: passed in {time.monotonic() - began:.0f} s", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
