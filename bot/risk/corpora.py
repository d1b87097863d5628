"""Messages with the labels that a trained reviewer gave them."""

import json
from collections.abc import Container
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bot.risk.located import Fault
from bot.risk.packs import SENDERS

FOLDER = "corpora"
TRAINING = ("corpus_train.jsonl", "corpus_train_2.jsonl")
SHOWN = ("corpus_dev.jsonl", "corpus_dev_hard.jsonl")
"""Whoever wrote the training lines had read these, and the words were tuned on the first: shown
beside the rest, and no evidence."""
EVERYDAY = "benign"
LONGEST_TEXT = 20_000


class BadMessage(ValueError):
    """A line is no message; the text says why, and nothing of the message."""


@dataclass(frozen=True)
class Line:
    """A labelled message.

    Attributes:
        everyday: ordinary chat, not even close to a violation.
    """

    text: str
    sender: str
    labels: tuple[str, ...]
    everyday: bool


def message(line: str) -> dict[str, Any]:
    """Read a message from a line of JSON.

    Raises:
        BadMessage: it is none.
    """
    try:
        found = json.loads(line)
    except (ValueError, RecursionError):
        raise BadMessage("no JSON") from None
    if not isinstance(found, dict):
        raise BadMessage("no JSON object")
    if isinstance(found.get("id"), bool) or not isinstance(found.get("id"), str | int):
        raise BadMessage("id must be a text or a number")
    if not isinstance(found.get("text"), str):
        raise BadMessage("text must be a text")
    if len(found["text"]) > LONGEST_TEXT:
        raise BadMessage(f"text is longer than {LONGEST_TEXT} characters")
    if found.get("sender") not in SENDERS:
        raise BadMessage("sender must be staff or customer")
    return found


def read(path: Path, categories: Container[str]) -> tuple[list[Line], list[Fault]]:
    """Read the lines of a file, and what is wrong with it."""
    lines, faults = [], []
    try:
        body = path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        return [], [Fault(path.name, 1, "not_utf8")]
    except FileNotFoundError:
        return [], [Fault(path.name, 1, "missing_file")]
    for number, one in enumerate(body.splitlines(), 1):
        if not one.strip():
            continue
        try:
            found = message(one)
        except BadMessage as error:
            faults.append(Fault(path.name, number, "bad_message", {"why": str(error)}))
            continue
        labels = found.get("labels")
        if not isinstance(labels, list) or any(label not in categories for label in labels):
            faults.append(Fault(path.name, number, "bad_labels"))
            continue
        everyday = str(found.get("note", "")).startswith(EVERYDAY)
        lines.append(Line(found["text"], found["sender"], tuple(labels), everyday))
    return lines, faults
