"""What sealing the audit log costs: `python -m tests.benchmarks.audit [sqlite] [postgres]`.

Processes write entries as fast as they can, each in a transaction of its own; in every other round
a sealer chains them meanwhile, every three seconds, as the clock does. The goal: at most a tenth
slower with it. At the end all of it is verified.
"""

import argparse
import multiprocessing
import statistics
import threading
import time
from collections.abc import Sequence
from multiprocessing.synchronize import Barrier

from bot import db, migrations
from bot.audit import log as audit
from bot.audit.log import SEALED_AT_ONCE, AuditLog, Who
from bot.models import AuditSeal
from bot.vault import Vault
from tests.benchmarks.places import KINDS, storage

GOAL = 0.1
SEAL_EVERY_SECONDS = 3
SPAWN = multiprocessing.get_context("spawn")
VAULT_KEY = "A" * 43 + "="


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print, and return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("kinds", nargs="*", help=f"of {', '.join(KINDS)}; all by default")
    parser.add_argument("--processes", type=int, default=16)
    parser.add_argument("--entries", type=int, default=10_000, help="of each process, in all")
    parser.add_argument("--rounds", type=int, default=10, help="half of them with a sealer")
    options = parser.parse_args(arguments)
    results = [
        measure(kind, options.processes, options.entries, options.rounds)
        for kind in options.kinds or KINDS
    ]
    return 0 if all(results) else 1


def measure(kind: str, processes: int, entries: int, rounds: int) -> bool:
    """Let rounds with and without a sealer take turns; whether the goal is met."""
    with storage(kind) as (_folder, url, _queue_url):
        made = db.connect(url)
        migrations.up()
        log = AuditLog(Vault(VAULT_KEY))
        rates: dict[bool, list[float]] = {False: [], True: []}
        for number in range(rounds):
            sealed = bool(number % 2)
            rates[sealed].append(_round(url, processes, entries // rounds, log, sealed))
            with db.connection():
                while log.seal():
                    pass
        with db.connection(), db.database.atomic():
            audit.snapshot()
            began = time.perf_counter()
            verifier, faults = log.verify()
            found = list(faults)
            verified = time.perf_counter() - began
            count = AuditSeal.select().count()
        made.close_all()
    without, with_sealer = (statistics.median(rates[sealed]) for sealed in (False, True))
    slower = 1 - with_sealer / without
    print(
        f"{kind}: {processes} processes, {count} entries\n"
        f"  without sealer {without:.0f}/s ({min(rates[False]):.0f} to {max(rates[False]):.0f})\n"
        f"  with sealer    {with_sealer:.0f}/s ({min(rates[True]):.0f} to {max(rates[True]):.0f})\n"
        f"  slower by {slower:.1%}, goal below {GOAL:.0%}\n"
        f"  verified in {verified:.0f} s: {verifier.sealed} sealed, {len(found)} faults",
        flush=True,
    )
    whole = not found and count == verifier.sealed == processes * (entries // rounds) * rounds
    return whole and slower < GOAL


def _round(url: str, processes: int, entries: int, log: AuditLog, sealed: bool) -> float:
    """Return how many entries were written in a second."""
    start = SPAWN.Barrier(processes + 1)
    writers = [
        SPAWN.Process(target=_write, args=(url, entries, start), daemon=True)
        for _ in range(processes)
    ]
    for writer in writers:
        writer.start()
    start.wait(120)
    began = time.perf_counter()
    over = threading.Event()
    sealer = threading.Thread(target=_seal, args=(log, over))
    if sealed:
        sealer.start()
    start.wait(600)
    seconds = time.perf_counter() - began
    over.set()
    if sealed:
        sealer.join()
    for writer in writers:
        writer.join()
    return processes * entries / seconds


def _write(url: str, entries: int, start: Barrier) -> None:
    made = db.connect(url)
    log = AuditLog(Vault(VAULT_KEY))
    who = Who("api:benchmark", "10.0.0.1", "复核")
    with db.connection():
        start.wait()
        for number in range(entries):
            with db.transaction():
                log.record(who, "customer.look", f"customer wm_{number}", reason="benchmark")
        start.wait()
    made.close_all()


def _seal(log: AuditLog, over: threading.Event) -> None:
    while not over.wait(SEAL_EVERY_SECONDS):
        with db.connection():
            while log.seal() == SEALED_AT_ONCE and not over.is_set():
                pass


if __name__ == "__main__":
    raise SystemExit(main())
