"""What the doctor prints: one line for each check, or JSON."""

import json

from bot.operations.doctor.findings import Finding
from bot.operations.doctor.words import CHECKS, LANGUAGES, SENTENCES, STATUSES


def lines(findings: list[Finding], language: str) -> list[str]:
    """Return one line for each finding: status, check, what was seen, what to do."""
    return [_line(finding, language) for finding in findings]


def as_json(findings: list[Finding], language: str) -> str:
    rows = []
    for finding in findings:
        seen, to_do = SENTENCES[finding.problem].in_language(language, finding)
        rows.append(
            {
                "check": finding.check,
                "status": finding.status,
                "problem": finding.problem,
                "seen": seen,
                "what_to_do": to_do,
                "facts": dict(finding.facts),
            }
        )
    return json.dumps(rows, ensure_ascii=False, indent=2)


def _line(finding: Finding, language: str) -> str:
    status = STATUSES[language][finding.status]
    name = CHECKS[finding.check][LANGUAGES.index(language)]
    seen, to_do = SENTENCES[finding.problem].in_language(language, finding)
    shown = ", ".join(f"{key}={value}" for key, value in finding.facts.items())
    seen = seen or shown
    arrow = f" → {to_do}" if to_do else ""
    return f"[{status}] {name}" + (f": {seen}" if seen else "") + arrow
