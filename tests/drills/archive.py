"""Archive drill: the process is killed again and again, and every message is there once.

    python -m tests.drills.archive [sqlite] [postgres]

20,000 messages are pulled through a library that crashes at every 500th message and hangs at every
2,000th, while the process that pulls is killed 30 times at random moments. At the end every
message must be there once, in order, with the chain whole and the cursor right.
"""

import argparse
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from bot import db, migrations
from bot.archive.day_keys import DayKeys
from bot.archive.proof import Chain
from bot.models import ArchiveMedia, ArchiveMessage, ArchiveState, Lease
from bot.models.archive import STORED
from bot.sandbox.place import Place, make_place
from bot.vault import Vault
from tests.archive.corporation import Corporation, build_library, many
from tests.benchmarks.places import KINDS, storage
from tests.stack import free_port, until

FAULTS = ("DecryptData 500 crash", "DecryptData 2000 hang")


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("kinds", nargs="*", help=f"of {', '.join(KINDS)}; all by default")
    parser.add_argument("--messages", type=int, default=20_000)
    parser.add_argument("--kills", type=int, default=30)
    options = parser.parse_args(arguments)
    for kind in options.kinds or KINDS:
        with storage(kind) as (folder, url, _queue_url):
            began = time.monotonic()
            faults = play(folder, url, options.messages, options.kills, FAULTS)
            took = time.monotonic() - began
            print(f"{kind}: {options.messages} messages, {options.kills} kills, {took:.0f} s")
            print("\n".join(faults) or "every message once, chain whole, cursor right")
            if faults:
                return 1
    return 0


def play(
    folder: Path,
    url: str,
    messages: int,
    kills: int,
    faults: Sequence[str],
    alive_seconds: tuple[float, float] = (1.0, 4.0),
) -> list[str]:
    """Pull so many messages with so many kills; returns what is wrong at the end."""
    corporation = Corporation(folder)
    corporation.send(*many(messages))
    corporation.faults(*faults)
    place = make_archive_place(folder, url, corporation, build_library(folder))
    made = db.connect(url)
    migrations.up()
    chosen = random.Random(7)  # noqa: S311 - the same moments each time
    for _ in range(kills):
        process = start(place.environment, folder)
        time.sleep(chosen.uniform(*alive_seconds))
        process.send_signal(signal.SIGKILL)
        process.wait()
        with db.connection():
            # Another leader would wait until the dead one's lease is over.
            Lease.delete().execute()
    process = start(place.environment, folder)
    try:
        until(lambda: _cursor() >= messages, seconds=60 + messages / 50)
    finally:
        process.terminate()
        process.wait()
    found = _wrong(messages, Vault(place.environment["KEGUI_DATA_KEY"]))
    made.close_all()
    return found


def make_archive_place(folder: Path, url: str, corporation: Corporation, library: Path) -> Place:
    """The settings of a Kegui whose archive is a corporation's folder; WeCom is away."""
    archive = {
        name.removeprefix("KEGUI_"): value
        for name, value in corporation.environment(library).items()
    }
    more = {"DATABASE_URL": url, "MEDIA_URL": f"file://{folder}/media", "SANDBOX": ""} | archive
    return make_place(folder, sandbox_port=free_port(), web_port=free_port(), **more)


def start(environment: Mapping[str, str], folder: Path) -> "subprocess.Popen[bytes]":
    with (folder / "archive.log").open("ab") as log:
        return subprocess.Popen(
            [sys.executable, "-m", "bot", "archive", "run"],
            env={**os.environ, **environment},
            stdout=log,
            stderr=log,
        )


def _cursor() -> int:
    with db.connection():
        state = ArchiveState.now()
    return state.cursor if state else 0


def _wrong(messages: int, vault: Vault) -> list[str]:
    with db.connection():
        rows = ArchiveMessage.select(ArchiveMessage.seq).where(ArchiveMessage.state == STORED)
        seqs = [row.seq for row in rows.order_by(ArchiveMessage.position)]
        found = list(Chain(vault).faults(DayKeys(vault)))
        if sorted(seqs) != list(range(1, messages + 1)):
            found.append(f"{len(seqs)} messages, {len(set(seqs))} of them different")
        if ArchiveMedia.select().exists():
            found.append("media of messages without any")
    if _cursor() != messages:
        found.append(f"the cursor is {_cursor()}")
    return found


if __name__ == "__main__":
    raise SystemExit(main())
