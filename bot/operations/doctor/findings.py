"""What a check found: plain data, without words and without secrets."""

from collections.abc import Mapping
from dataclasses import dataclass, field

OK, WARNING, FAILED, NOT_CHECKED = "ok", "warning", "failed", "not checked"


@dataclass(frozen=True)
class Finding:
    """One line of the output.

    ``problem`` names the sentences of ``bot.operations.doctor.words``; ``facts`` fill them in and
    never hold the value of a setting.
    """

    check: str
    status: str
    problem: str
    facts: Mapping[str, object] = field(default_factory=dict)


def ok(check: str, **facts: object) -> Finding:
    return Finding(check, OK, "ok", facts)


def warning(check: str, problem: str, **facts: object) -> Finding:
    return Finding(check, WARNING, problem, facts)


def failed(check: str, problem: str, **facts: object) -> Finding:
    return Finding(check, FAILED, problem, facts)


def not_checked(check: str, because: str) -> Finding:
    """``because``: the check that has to be in order first, or the settings that are not set."""
    return Finding(check, NOT_CHECKED, "needs", {"because": because})


def exit_code(findings: list[Finding]) -> int:
    """1 if anything failed; warnings and what could not be checked are no failure."""
    return int(any(finding.status == FAILED for finding in findings))
