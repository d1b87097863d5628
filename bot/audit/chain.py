"""What makes the audit log tell of any change to it: digests, and the search for the first fault.

Pure: an auditor runs this over an export on another machine, with or without the key.

- An entry's ``mac`` is keyed: who can write to the database and has not the key cannot make one.
- The entries of one writer (a thread of one process) are numbered without gaps, and the writer's
  head, keyed as well, says how many there are: a removed entry leaves a hole, sealed or not.
- A seal gives an entry its place in one chain: ``link`` is a digest of the link before and of the
  entry. What is changed, removed or put elsewhere breaks the chain at that place.
- Anybody can compute links. So an entry says, under its mac, where the chain stood when it was
  written (its detail ``chain``): who makes a part of the chain anew, without some entries or in
  another order, is told of by every entry that was written afterwards.
- The end of the chain is kept in one row, keyed as well, and moved in the transaction of the
  seals: a chain that stops before it, or goes on behind it, is told of. The sealer makes the row
  with the first seal, and never again.
- An anchor is a signed link; a copy kept elsewhere shows that the end of the chain was cut off, or
  that all of it was made anew by somebody who has the key.
"""

import hashlib
import hmac
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta
from tempfile import SpooledTemporaryFile
from typing import Protocol

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

THE_END = "the kept end of the chain"
# The link before the first.
BEGINNING = "0" * 64
# The detail of an entry that says where the chain stood, and how much of the link it names.
CHAIN = "chain"
NAMED_BYTES = 16
POSITION = re.compile("[0-9]{1,18}")
# No chain is as long: a seal beyond was not made by the sealer, who does not go on from there.
LAST_POSITION = 10**17
# The links that entries may name stand in memory up to so many bytes, then in a file.
STOOD_IN_MEMORY = 32 << 20
# No transaction is open for as long: what the sealer passed by until then, it was kept from.
LONGEST_UNSEALED = timedelta(hours=1)


@dataclass(frozen=True)
class Entry:
    """Who did or saw what, on whom, when, from where and what for; ``details`` by their names."""

    writer: str
    number: int
    at: datetime
    actor: str
    act: str
    subject: str
    purpose: str = ""
    origin: str = ""
    details: Mapping[str, str] = field(default_factory=dict)

    def canonical(self) -> bytes:
        """Return the one way in which these fields are written down."""
        # Not asdict, which copies all of it first: this is done for every act and every seal.
        values = {**vars(self), "at": self.at.isoformat(timespec="microseconds")}
        return _canonical(values)

    def mac(self, key: bytes) -> str:
        return hmac.new(key, b"entry " + self.canonical(), hashlib.sha256).hexdigest()


@dataclass(frozen=True)
class Head:
    """How many entries a writer has made."""

    writer: str
    number: int

    def mac(self, key: bytes) -> str:
        return hmac.new(key, b"head " + _canonical(asdict(self)), hashlib.sha256).hexdigest()


@dataclass(frozen=True)
class End:
    """The last seal of the chain."""

    position: int
    link: str

    def mac(self, key: bytes) -> str:
        return hmac.new(key, b"end " + _canonical(asdict(self)), hashlib.sha256).hexdigest()


@dataclass(frozen=True)
class Anchor:
    """The chain as it was at a moment, up to and with ``position``."""

    position: int
    link: str
    at: datetime

    def message(self) -> bytes:
        values = {**asdict(self), "at": self.at.isoformat(timespec="microseconds")}
        return b"anchor " + _canonical(values)


@dataclass(frozen=True)
class Kept:
    """An entry as it stands in a database or an export; not sealed yet where ``position`` is None.

    ``place`` names it for people; a seal whose entry is gone has none. ``wrong`` is the kind of
    fault of a row that cannot be what Kegui wrote, whatever else is said of it.
    """

    place: str
    entry: Entry | None
    mac: str
    position: int | None = None
    link: str = ""
    wrong: str = ""


@dataclass(frozen=True)
class Fault:
    """What is wrong, and where it was found first."""

    kind: str
    place: str
    position: int | None = None


(
    CHANGED,
    MISSING,
    MOVED,
    HEAD,
    CUT,
    FORGED,
    REWRITTEN,
    PASSED_BY,
    NO_END,
    END,
    CUT_OFF,
    BEHIND,
    COUNT,
    EXPORT,
    UNREADABLE,
    STRAY,
) = (
    "changed",
    "missing",
    "moved",
    "head",
    "cut",
    "anchor",
    "rewritten",
    "passed by",
    "no end",
    "end",
    "cut off",
    "behind",
    "count",
    "export",
    "unreadable",
    "stray",
)


class Linked(Protocol):
    """What stands in a chain: it is written down in one way."""

    def canonical(self) -> bytes: ...


def link(before: str, entry: Linked, mac: str) -> str:
    """Return the link of an entry that follows the link ``before``.

    Args:
        mac: a digest that nobody can compute who has not what it is over.
    """
    return hashlib.sha256(f"{before} {mac} ".encode() + entry.canonical()).hexdigest()


def stand(position: int, last: str) -> str:
    """Return what an entry says of the chain that ended with the link ``last``."""
    return f"{position} {last[: 2 * NAMED_BYTES]}"


def export_mac(key: bytes, said: Mapping[str, object]) -> str:
    """Return the mac of what the last line of an export says of all of it."""
    return hmac.new(key, b"export " + _canonical(said), hashlib.sha256).hexdigest()


def is_mac(given: str, expected: str) -> bool:
    # Bytes: what somebody else wrote need not be ASCII.
    return hmac.compare_digest(given.encode(), expected.encode())


def sign(anchor: Anchor, private: Ed25519PrivateKey) -> str:
    return private.sign(anchor.message()).hex()


def is_signed(anchor: Anchor, signature: str, public: Ed25519PublicKey) -> bool:
    try:
        public.verify(bytes.fromhex(signature), anchor.message())
    except (InvalidSignature, ValueError):
        return False
    return True


class Verifier:
    """Goes once through the log, sealed entries in their order and then the others.

    Args:
        key: of the macs; None: only the chain and the anchors are checked.
        public: of the anchors; None: their signatures are not checked.
        elsewhere: links by their positions, as they were noted outside of the database.
    """

    def __init__(
        self,
        anchors: Iterable[tuple[Anchor, str]],
        key: bytes | None = None,
        public: Ed25519PublicKey | None = None,
        elsewhere: Mapping[int, str] | None = None,
    ) -> None:
        self._anchors = {anchor.position: (anchor, signature) for anchor, signature in anchors}
        self._key = key
        self._public = public
        self._elsewhere = dict(elsewhere or {})
        self._numbers: dict[str, int] = {}
        self._link = BEGINNING
        self._stood = _Links(0)
        self._newest = datetime.min.replace(tzinfo=UTC)
        self.sealed = 0
        self.unsealed = 0

    def faults(self, log: Iterable[Kept], heads: Iterable[tuple[Head, str]]) -> Iterator[Fault]:
        """Yield what is wrong in the order in which it is met; what follows the first fault may
        be its consequence."""
        for kept in log:
            yield from self._check(kept)
        for head, mac in heads:
            yield from self._check_head(head, mac)
        for writer in self._numbers:
            # Every writer has a head; heads that were met were taken out.
            yield Fault(HEAD, f"writer {writer}")
        for position, (anchor, signature) in sorted(self._anchors.items()):
            if self._public is not None and not is_signed(anchor, signature, self._public):
                yield Fault(FORGED, f"anchor {position}", position)
            elif position > self.sealed:
                yield Fault(CUT, f"anchor {position}", position)
        for position in sorted(self._elsewhere):
            if position > self.sealed:
                yield Fault(CUT, f"anchor {position}", position)

    def faults_of_end(self, end: tuple[End, str] | None) -> Iterator[Fault]:
        """Yield what is wrong with the kept end of the chain, after all of it was gone through."""
        if end is None:
            if self.sealed:
                yield Fault(NO_END, THE_END, self.sealed)
            return
        kept, mac = end
        if self._key is not None and not is_mac(mac, kept.mac(self._key)):
            yield Fault(END, THE_END, kept.position)
        elif kept.position > self.sealed:
            yield Fault(CUT_OFF, THE_END, kept.position)
        elif kept.position < self.sealed:
            yield Fault(BEHIND, THE_END, kept.position)
        elif kept.link != self._link:
            yield Fault(END, THE_END, kept.position)

    def _check(self, kept: Kept) -> Iterator[Fault]:
        if kept.position is not None:
            self.sealed += 1
            if kept.position != self.sealed:
                yield Fault(MISSING, f"position {self.sealed}", self.sealed)
                self.sealed = kept.position
                self._stood = _Links(kept.position - 1)
        if kept.wrong:
            yield Fault(kept.wrong, kept.place, kept.position)
            if kept.position is None:
                return
        if kept.entry is not None:
            yield from self._check_entry(kept.entry, kept)
        if kept.position is None:
            self.unsealed += 1
            if kept.entry is not None and self._newest - kept.entry.at > LONGEST_UNSEALED:
                yield Fault(PASSED_BY, kept.place)
            return
        if kept.entry is None:
            if not kept.wrong:
                yield Fault(MISSING, kept.place, kept.position)
        elif link(self._link, kept.entry, kept.mac) != kept.link:
            yield Fault(MOVED if self._key is not None else CHANGED, kept.place, kept.position)
        # From here on against what is written, so that one fault is not found a million times.
        self._link = kept.link
        self._stood.add(_named(kept.link))
        if kept.position in self._anchors and self._anchors[kept.position][0].link != kept.link:
            yield Fault(FORGED, f"anchor {kept.position}", kept.position)
        if self._elsewhere.get(kept.position, kept.link) != kept.link:
            yield Fault(REWRITTEN, f"anchor {kept.position}", kept.position)

    def _check_entry(self, entry: Entry, kept: Kept) -> Iterator[Fault]:
        if self._key is not None and not is_mac(kept.mac, entry.mac(self._key)):
            yield Fault(CHANGED, kept.place, kept.position)
        expected = self._numbers.get(entry.writer, 0) + 1
        if entry.number != expected:
            kind = MISSING if entry.number > expected else MOVED
            yield Fault(kind, f"{kept.place}: number {expected} of its writer", kept.position)
        self._numbers[entry.writer] = entry.number
        if CHAIN in entry.details and not self._has_stood(entry.details[CHAIN]):
            yield Fault(REWRITTEN, kept.place, kept.position)
        if kept.position is not None:
            self._newest = max(self._newest, entry.at)

    def _has_stood(self, written: str) -> bool:
        position, _, named = written.partition(" ")
        if not POSITION.fullmatch(position):
            return False
        return self._stood.at(int(position)) == _named(named)

    def _check_head(self, head: Head, mac: str) -> Iterator[Fault]:
        found = self._numbers.pop(head.writer, 0)
        if self._key is not None and not is_mac(mac, head.mac(self._key)):
            yield Fault(HEAD, f"writer {head.writer}")
        elif found < head.number:
            yield Fault(MISSING, f"writer {head.writer}: {head.number - found} at its end")
        elif found > head.number:
            yield Fault(HEAD, f"writer {head.writer}")


class _Links:
    """What entries may name of the links that follow a position; however long the chain is, little
    of it is in memory."""

    def __init__(self, before: int) -> None:
        self._before, self._count = before, 0
        self._file = SpooledTemporaryFile(STOOD_IN_MEMORY)  # noqa: SIM115 - lives as long as we do

    def __del__(self) -> None:
        self._file.close()

    def add(self, named: bytes) -> None:
        self._file.seek(self._count * NAMED_BYTES)
        self._file.write(named)
        self._count += 1

    def at(self, position: int) -> bytes | None:
        number = position - self._before
        if not 0 < number <= self._count:
            return None
        self._file.seek((number - 1) * NAMED_BYTES)
        return self._file.read(NAMED_BYTES)


def _named(written: str) -> bytes:
    """The beginning of a link; what is none is like no link."""
    try:
        return bytes.fromhex(written[: 2 * NAMED_BYTES]).ljust(NAMED_BYTES, b"\0")
    except ValueError:
        return bytes(NAMED_BYTES)


def _canonical(values: Mapping[str, object]) -> bytes:
    text = json.dumps(values, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return text.encode()
