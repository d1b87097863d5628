"""``python -m tests.faults --seeds 50``: play many seeds and print a table of how they ended."""

import argparse
from contextlib import ExitStack
from pathlib import Path

from tests.faults.plan import plan
from tests.faults.play import Servers, play
from tests.faults.servers import own_postgres, own_redis


def main() -> int:
    """Play; 1 if a seed ended with a violation."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=50, help="how many")
    parser.add_argument("--first", type=int, default=1, help="the first seed")
    parser.add_argument("--on", choices=("sqlite", "postgres", "both"), default="both")
    parser.add_argument("--keep", type=Path, help="where to keep the folders of bad seeds")
    asked = parser.parse_args()
    bad = 0
    with ExitStack() as house:
        servers = None
        if asked.on != "sqlite":
            servers = Servers(house.enter_context(own_postgres()), house.enter_context(own_redis()))
        print("| seed | on | troubles | seconds | what was checked | violations |")
        print("|---|---|---|---|---|---|", flush=True)
        for seed in range(asked.first, asked.first + asked.seeds):
            for on in ("sqlite", "postgres") if asked.on == "both" else (asked.on,):
                drawn = plan(seed, servers=on == "postgres")
                try:
                    result = play(drawn, servers if on == "postgres" else None, asked.keep)
                except (AssertionError, TimeoutError) as trouble:
                    bad += 1
                    print(f"| {seed} | {on} | {', '.join(drawn.names)} | {trouble!r} |", flush=True)
                    continue
                bad += bool(result.violations)
                print(
                    f"| {seed} | {on} | {', '.join(drawn.names)} | {result.seconds:.0f}"
                    f" | {result.summary.rpartition(':')[0]} | {len(result.violations)} |",
                    flush=True,
                )
                for one in result.violations:
                    print(f"  {one}", flush=True)
    return 1 if bad else 0


if __name__ == "__main__":
    raise SystemExit(main())
