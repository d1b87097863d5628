"""What `kegui audit verify` says: whether the log is whole, and if not, where it breaks first."""

import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from itertools import islice

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from bot import db
from bot.audit import log
from bot.audit.chain import (
    BEHIND,
    CHANGED,
    COUNT,
    CUT,
    CUT_OFF,
    END,
    EXPORT,
    FORGED,
    HEAD,
    MISSING,
    MOVED,
    NO_END,
    PASSED_BY,
    REWRITTEN,
    STRAY,
    UNREADABLE,
    Anchor,
    Fault,
    Verifier,
)
from bot.audit.log import AuditLog
from bot.vault import Vault

# What bot/jobs/audit.py logs every night.
ANCHOR_EVENT = "audit_anchor"
SENTENCES = {
    CHANGED: "is not what was written",
    MISSING: "is missing",
    MOVED: "does not stand where it was sealed",
    HEAD: "has a count of entries that was changed",
    CUT: "was signed, and the chain ends before it",
    FORGED: "does not match the chain, or is not signed by this installation",
    REWRITTEN: "knew another chain than this one: what was sealed before it is no longer the same",
    PASSED_BY: "was never sealed, and much later ones were",
    NO_END: "is missing: somebody took it away (docs/audit.md)",
    END: "is not what the clock kept, or the chain is another one there",
    CUT_OFF: "is missing in the chain: its last entries were removed",
    BEHIND: "is older than the chain: somebody put it back (docs/audit.md)",
    COUNT: "its end line says another number: entries were removed or added",
    UNREADABLE: "cannot be read: it is not what Kegui writes",
    STRAY: "was not made by the clock: no chain is as long",
    EXPORT: "has no end line that this installation wrote: entries may have been removed",
}


@dataclass(frozen=True)
class Found:
    """What there is to say, line by line."""

    is_whole: bool
    lines: list[str]


def verify(vault: Vault, anchors: Iterable[str] | None, show_all: bool) -> Found:
    """Go through the log of the database.

    Args:
        anchors: lines in which anchors were kept elsewhere.

    Raises:
        ValueError: none of these lines is one.
    """
    elsewhere = _elsewhere(anchors)
    with db.database.atomic():
        log.snapshot()
        verifier, faults = AuditLog(vault).verify(elsewhere)
        return _describe(verifier, faults, show_all, "")


def verify_export(
    lines: Iterable[str],
    key_lines: Iterable[str] | None,
    public_key: str,
    anchors: Iterable[str] | None,
    show_all: bool,
) -> Found:
    """Go through an export.

    Args:
        anchors: lines in which anchors were kept elsewhere.

    Raises:
        NotAnExport: it is damaged.
        ValueError: a key is not one, or none of the lines is an anchor.
    """
    key = None if key_lines is None else _key("".join(key_lines))
    public = _public(public_key) if public_key else None
    verifier, faults = log.verify_export(lines, key, public, _elsewhere(anchors))
    unproven = ""
    if not key:
        unproven += "; without --key-file nobody can tell whether entries were forged,"
        unproven += " or removed at the end"
    if not public:
        unproven += "; without --public-key the anchors' signatures were not checked"
    return _describe(verifier, faults, show_all, unproven)


def anchor_line(anchor: Anchor, signature: str, event: str = ANCHOR_EVENT) -> str:
    """Return what is kept of an anchor elsewhere: a line that ``verify`` understands."""
    said = asdict(anchor) | {"at": anchor.at.isoformat(timespec="microseconds")}
    return json.dumps({"event": event, **said, "signature": signature})


def public_hex(key: Ed25519PublicKey) -> str:
    return key.public_bytes_raw().hex()


def _elsewhere(lines: Iterable[str] | None) -> dict[int, str]:
    return {} if lines is None else anchors_in(lines, ANCHOR_EVENT)


def anchors_in(lines: Iterable[str], event: str) -> dict[int, str]:
    """Find the anchors among lines of Kegui's log, whatever a collector put before them.

    Args:
        event: what the anchors of this chain are called.

    Raises:
        ValueError: there are none, or two speak of different chains.
    """
    found: dict[int, str] = {}
    for line in lines:
        try:
            said = json.loads(line[line.find("{") :])
            if said["event"] != event:
                continue
            position, link = int(said["position"]), str(said["link"])
        except (ValueError, KeyError, TypeError):
            continue
        if found.setdefault(position, link) != link:
            raise ValueError(
                f"the anchors of position {position} are not the same: the chain was made anew"
                " between the two, or one of them is forged"
            )
    if not found:
        raise ValueError(f"the file of anchors has no line of the event {event}")
    return found


def _key(text: str) -> bytes:
    try:
        key = bytes.fromhex(text.strip())
    except ValueError:
        key = b""
    if len(key) != 32:
        raise ValueError("the key file does not hold what `kegui audit keys --key-file` writes")
    return key


def _public(text: str) -> Ed25519PublicKey:
    try:
        return Ed25519PublicKey.from_public_bytes(bytes.fromhex(text))
    except ValueError:
        raise ValueError("--public-key is not what `kegui audit keys` prints") from None


def _describe(verifier: Verifier, faults: Iterator[Fault], show_all: bool, unproven: str) -> Found:
    found = list(faults if show_all else islice(faults, 1))
    if found:
        return Found(False, [sentence(fault) for fault in found])
    count = f"{verifier.sealed} entries sealed, {verifier.unsealed} not yet"
    return Found(True, [f"the audit log is whole: {count}{unproven}"])


def sentence(fault: Fault) -> str:
    """Say where a fault is and what is wrong there."""
    where = "" if fault.position is None else f" (position {fault.position})"
    return f"{fault.place}{where} {SENTENCES[fault.kind]}"
