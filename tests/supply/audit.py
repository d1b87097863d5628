"""Ask whether what the image installs has known weaknesses, and say what could not be asked.

    python -m tests.supply.audit .venv-tools/bin/pip-audit requirements.lock

Ends with 1 where a weakness is known. Where no list of weaknesses can be reached it says so and
ends with 0: a missing network is no weakness.
"""

import json
import subprocess
import sys
from collections.abc import Sequence
from typing import Any

# Lists of known weaknesses that pip-audit can ask; the second is asked for what the first lacks.
SERVICES = ("pypi", "osv")
SECONDS = 60
NAMED = 5


def main(tool: str, lock: str) -> int:
    known: list[str] = []
    unasked: list[str] | None = None
    for service in SERVICES:
        report = _report(tool, lock, service)
        if report is None:
            continue
        found, skipped = judged(report)
        known = list(dict.fromkeys([*known, *found]))
        unasked = skipped if unasked is None else [one for one in unasked if one in skipped]
        if not unasked:
            break
    for one in known:
        print(f"known weakness: {one}")
    if unasked is None:
        print("audit of dependencies: NOT DONE, no list of known weaknesses can be reached")
    elif unasked:
        named = ", ".join(unasked[:NAMED]) + ("…" if len(unasked) > NAMED else "")
        print(f"audit of dependencies: NOT DONE for {len(unasked)}: {named}")
    elif not known:
        print("audit of dependencies: done, no weakness is known")
    return 1 if known else 0


def judged(report: dict[str, Any]) -> tuple[list[str], list[str]]:
    """Return the known weaknesses, and the packages that the service could say nothing about:
    pip-audit calls them skipped, and the whole all the same free of weaknesses."""
    known, unasked = [], []
    for package in report["dependencies"]:
        if "skip_reason" in package:
            unasked.append(package["name"])
        for weakness in package.get("vulns", ()):
            repaired = ", ".join(weakness["fix_versions"]) or "no release yet"
            named = f"{package['name']} {package['version']}: {weakness['id']}"
            known.append(f"{named}, repaired in {repaired}")
    return known, unasked


def _report(tool: str, lock: str, service: str) -> dict[str, Any] | None:
    """Return what the tool found with the help of a service; None where that is out of reach."""
    options = ["--disable-pip", "--require-hashes", "--progress-spinner", "off", "--timeout", "5"]
    command = [tool, *options, "--format", "json", "--vulnerability-service", service]
    try:
        done = subprocess.run(
            [*command, "--requirement", lock],
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
        )
        report: dict[str, Any] = json.loads(done.stdout)
    except (subprocess.TimeoutExpired, ValueError):
        return None
    return report


def _run(arguments: Sequence[str]) -> int:
    tool, lock = arguments
    return main(tool, lock)


if __name__ == "__main__":
    sys.exit(_run(sys.argv[1:]))
