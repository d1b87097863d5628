"""The chain of messages: what makes it tell of any change, and who goes through it.

It is the audit log's kind of chain (``bot.audit.chain``), with messages in it:

- A message's ``hash`` is over a salt, its content and all that is said of it. Salt and content are
  sealed, so that whoever steals the database cannot try what a short message may have said.
- Its ``link`` is over the link before, the hash, and its place: what is changed, removed or put
  elsewhere breaks the chain there.
- The end of the chain stands in one row under a MAC, and moves in the transaction of the messages.
- A daily anchor signs the chain under the audit log's key; a copy kept elsewhere shows a chain
  that was made anew.
"""

import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from bot.archive.day_keys import MESSAGE, DayKeys
from bot.audit.chain import BEGINNING, Anchor, End, is_mac, is_signed, link, sign
from bot.db import transaction
from bot.models import ArchiveAnchor, ArchiveMessage, ArchiveState
from bot.vault import Vault, VaultError

SALT_BYTES = 16
READ_AT_ONCE = 500
END = "the kept end of the chain"
CHANGED, MOVED, LOST, CUT, FORGED, REWRITTEN = (
    "is not what was stored",
    "does not stand where it was stored",
    "is missing",
    "is missing in the chain: its last messages were removed",
    "does not match the chain, or is not signed by this installation",
    "knew another chain than this one: what was stored before it is no longer the same",
)


@dataclass(frozen=True)
class Place:
    """Where a message stands in the chain."""

    position: int
    seq: int
    msgid: str
    state: str

    def canonical(self) -> bytes:
        return _canonical(vars(self))

    @property
    def row(self) -> str:
        """The row's identity, for which its content is sealed."""
        return f"{self.position} {self.seq} {self.state} {self.msgid}"


@dataclass(frozen=True)
class Said:
    """What is said of a message, beside its content."""

    place: Place
    publickey_ver: int
    msgtype: str
    action: str
    sender: str
    chat_id: str
    sent_at: datetime
    is_estimated: bool
    pulled_at: datetime
    recalls: str | None

    def hash(self, salted: bytes) -> str:
        """Return the digest of a message with its salt and content."""
        said = {
            "publickey_ver": self.publickey_ver,
            "msgtype": self.msgtype,
            "action": self.action,
            "sender": self.sender,
            "chat_id": self.chat_id,
            "sent_at": self.sent_at.isoformat(timespec="microseconds"),
            "is_estimated": self.is_estimated,
            "pulled_at": self.pulled_at.isoformat(timespec="microseconds"),
            "recalls": self.recalls,
            "content_sha256": hashlib.sha256(salted).hexdigest(),
        }
        return hashlib.sha256(self.place.canonical() + b" " + _canonical(said)).hexdigest()


def new_salt() -> bytes:
    return os.urandom(SALT_BYTES)


def place_of(row: ArchiveMessage) -> Place:
    return Place(row.position, row.seq, row.msgid, row.state)


def said_of(row: ArchiveMessage) -> Said:
    return Said(
        place_of(row),
        row.publickey_ver,
        row.msgtype,
        row.action,
        row.sender,
        row.chat_id,
        row.sent_at,
        row.is_estimated,
        row.pulled_at,
        row.recalls,
    )


class Chain:
    """The end of the chain, and what signs it."""

    def __init__(self, vault: Vault) -> None:
        self._key = vault.key("archive chain")
        # The audit log's: an auditor needs one public key.
        self._private = Ed25519PrivateKey.from_private_bytes(vault.key("audit anchors"))

    @property
    def public_key(self) -> Ed25519PublicKey:
        return self._private.public_key()

    def kept(self, end: End) -> dict[str, Any]:
        """Return the columns of an end."""
        return {"position": end.position, "link": end.link, "mac": end.mac(self._key)}

    def end(self, state: ArchiveState | None) -> End:
        """Return where the chain ends.

        Raises:
            ChainBroken: somebody else wrote that row.
        """
        if state is None or (state.position == 0 and not state.mac):
            return End(0, BEGINNING)
        end = End(state.position, state.link)
        if not is_mac(state.mac, end.mac(self._key)):
            raise ChainBroken(END)
        return end

    def anchor(self, now: datetime) -> Anchor | None:
        """Sign the chain as it is; None where nothing was added since the last time."""
        with transaction():
            end = self.end(ArchiveState.now())
            there = ArchiveAnchor.get_or_none(ArchiveAnchor.position == end.position)
            if not end.position or there is not None:
                return None
            made = Anchor(end.position, end.link, now)
            ArchiveAnchor.create(
                position=end.position, link=end.link, at=now, signature=sign(made, self._private)
            )
        return made

    def sign_end(self) -> tuple[Anchor, str] | None:
        """Sign the chain as it is, for somebody outside; None where nothing is stored.

        The same end is signed in the same words: its moment is that of its last message.

        Raises:
            ChainBroken: somebody else moved the end.
        """
        end = self.end(ArchiveState.now())
        last = ArchiveMessage.get_or_none(ArchiveMessage.position == end.position)
        if last is None:
            return None
        made = Anchor(end.position, end.link, last.pulled_at)
        return made, sign(made, self._private)

    def faults(
        self, day_keys: DayKeys, elsewhere: Mapping[int, str] | None = None
    ) -> Iterator[str]:
        """Go through all messages and yield what is wrong, by msgid or position, the first first.

        Args:
            day_keys: opens what they hold.
            elsewhere: anchors that were kept outside of the database, link by position.
        """
        outside = dict(elsewhere or {})
        last, position, seq = BEGINNING, 0, 0
        anchors = {row.position: row for row in ArchiveAnchor.select()}
        while rows := list(
            ArchiveMessage.select()
            .where(ArchiveMessage.position > position)
            .order_by(ArchiveMessage.position)
            .limit(READ_AT_ONCE)
        ):
            for row in rows:
                if row.position != position + 1:
                    yield f"position {position + 1} ({_between(seq, row.seq)}) {LOST}"
                position, seq = row.position, row.seq
                yield from _faults_of(row, last, day_keys)
                # From here on against what is written: one fault is not found a million times.
                last = row.link
                anchor = anchors.pop(position, None)
                if outside.pop(position, last) != last:
                    yield f"anchor {position} {REWRITTEN}"
                if anchor and (anchor.link != last or not self._is_signed(anchor)):
                    yield f"anchor {position} {FORGED}"
        state = ArchiveState.now()
        try:
            end = self.end(state)
        except ChainBroken:
            yield f"{END} {CHANGED}"
        else:
            if end.position > position:
                where = _between(seq, state.cursor + 1 if state else seq)
                yield f"position {position + 1} ({where}) {CUT}"
            elif (end.position, end.link) != (position, last):
                yield f"{END} {CHANGED}"
        for number in sorted({*anchors, *outside}):
            yield f"anchor {number} {CUT}"

    def _is_signed(self, row: ArchiveAnchor) -> bool:
        made = Anchor(row.position, row.link, row.at)
        return is_signed(made, row.signature, self.public_key)


class ChainBroken(Exception):
    """The end of the chain is not what Kegui wrote: nothing is added before a person looked."""


def _faults_of(row: ArchiveMessage, before: str, day_keys: DayKeys) -> Iterator[str]:
    name = f"message {row.msgid} (seq {row.seq})"
    said = said_of(row)
    try:
        salted = day_keys.open(row.day, MESSAGE, said.place.row, row.sealed)
    except VaultError:
        yield f"{name} {CHANGED}"
    else:
        if said.hash(salted) != row.hash:
            yield f"{name} {CHANGED}"
    if link(before, said.place, row.hash) != row.link:
        yield f"{name} {MOVED}"


def _between(before: int, after: int) -> str:
    """Say which seq is missing, as far as its neighbours tell."""
    return f"seq {before + 1}" if after == before + 2 else f"after seq {before}, before {after}"


def _canonical(values: Any) -> bytes:
    text = json.dumps(values, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return text.encode("utf-8", "surrogatepass")
