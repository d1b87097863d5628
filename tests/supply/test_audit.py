"""The audit of dependencies fails for what is known, and says what nobody could be asked."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.supply.audit import main

SOUND: dict[str, Any] = {"name": "flask", "version": "3.1.3", "vulns": []}
SKIPPED = {"name": "flask", "skip_reason": "Dependency not found"}
WEAK = {
    "name": "jinja2",
    "version": "3.1.6",
    "vulns": [{"id": "GHSA-1", "fix_versions": ["3.1.7"], "aliases": [], "description": "x"}],
}


def tool(folder: Path, **answers: list[dict[str, Any]]) -> str:
    """A pip-audit that finds this with the help of each service, and else breaks."""
    lines = ["#!/bin/sh", 'case "$*" in']
    for service, found in answers.items():
        lines.append(f"*{service}*) echo '{json.dumps({'dependencies': found})}';;")
    lines.append("*) echo no network >&2; exit 1;; esac")
    path = folder / "pip-audit"
    path.write_text("\n".join(lines))
    path.chmod(0o700)
    return str(path)


@pytest.mark.parametrize(
    ("answers", "status", "said"),
    [
        ({"pypi": [SOUND]}, 0, "done, no weakness is known"),
        ({"pypi": [SOUND, WEAK]}, 1, "known weakness: jinja2 3.1.6: GHSA-1, repaired in 3.1.7"),
        ({}, 0, "NOT DONE, no list"),
        ({"pypi": [SKIPPED]}, 0, "NOT DONE for 1: flask"),
        ({"pypi": [SKIPPED], "osv": [SOUND]}, 0, "done, no weakness is known"),
        ({"pypi": [SKIPPED], "osv": [WEAK]}, 1, "known weakness: jinja2"),
        ({"pypi": [SKIPPED, WEAK]}, 1, "NOT DONE for 1: flask"),
        ({"pypi": [SKIPPED, WEAK], "osv": [SOUND]}, 1, "known weakness: jinja2"),
    ],
)
def test_what_the_audit_says(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    answers: dict[str, list[dict[str, Any]]],
    status: int,
    said: str,
) -> None:
    assert main(tool(tmp_path, **answers), "requirements.lock") == status
    printed = capsys.readouterr().out
    assert said in printed
    assert ("no weakness is known" in printed) == (said == "done, no weakness is known")
