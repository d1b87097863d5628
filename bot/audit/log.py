"""The audit log: who did or saw what. No entry, no act.

An entry is written in the transaction of its act. A sealer chains what was committed, a daily
anchor is signed. ``bot.audit.chain`` says what that proves.
"""

import itertools
import json
import os
import re
import secrets
import sqlite3
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from operator import attrgetter
from typing import IO, Any, NamedTuple

import psycopg
import structlog
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from peewee import EXCLUDED, JOIN, PeeweeException, PostgresqlDatabase, Select, fn

from bot import clock
from bot.audit.chain import (
    BEGINNING,
    CHAIN,
    COUNT,
    EXPORT,
    LAST_POSITION,
    STRAY,
    Anchor,
    End,
    Entry,
    Fault,
    Head,
    Kept,
    Verifier,
    export_mac,
    is_mac,
    link,
    sign,
    stand,
)
from bot.audit.chain import UNREADABLE as UNREADABLE_ENTRY
from bot.db import database, is_unreadable, transaction
from bot.models import AuditAnchor, AuditEnd, AuditEntry, AuditSeal, AuditSealed, AuditWriter
from bot.vault import Vault

log = structlog.get_logger(__name__)

FORMAT = 1
# What waits is asked for writer by writer: few large batches cost less than many small ones.
SEALED_AT_ONCE = 2_000
READ_AT_ONCE = 2000
# What a column can hold.
MOST = 2**63 - 1
# How drivers say that a value cannot be read, among other things.
UNREADABLE = (
    PeeweeException,
    psycopg.Error,
    sqlite3.Error,
    ArithmeticError,
    RecursionError,
    TypeError,
    ValueError,
)
# However somebody writes one: 138 0013 8000, (0755) 2676-5114. A day is none.
PHONE = re.compile(
    r"(?<!\d)(?!(?:19|20)\d\d[-./]\d\d?[-./]\d\d?(?!\d))"
    r"\d(?:[\s()\uff08\uff09./\uff0d\u2010-\u2015-]*\d){6,}"
)
_FIELDS = (
    AuditEntry.writer,
    AuditEntry.number,
    AuditEntry.at,
    AuditEntry.actor,
    AuditEntry.act,
    AuditEntry.subject,
    AuditEntry.purpose,
    AuditEntry.origin,
    AuditEntry.details,
)


class AuditUnwritable(Exception):
    """The entry of an act could not be written, so the act was not done."""


class NotAnExport(Exception):
    """A file is not what ``export`` wrote; the text says where it stops being one."""


def without_phones(text: str) -> str:
    """What was looked for, as the log may keep it: no phone number is ever in it."""
    return PHONE.sub(lambda number: re.sub(r"\D", "", number[0])[:3] + "…", text)


# How those begin who act and are no people: tokens of the REST API, terminals.
NOT_PEOPLE = ("api:", "cli:")


@dataclass(frozen=True)
class Who:
    """Who acts, from where (an address), and what for.

    ``humans`` stand behind the act, as ``bot.identity.access.humans_behind`` knows them. Where it
    is not given, it is the person who acts, and nobody for a system. ``is_proved``: they have just
    proved a second factor, or come in where none is asked for.
    """

    actor: str
    origin: str = ""
    purpose: str = ""
    humans: frozenset[str] | None = None
    is_proved: bool = True

    @property
    def people(self) -> frozenset[str]:
        """Those who act, by themselves, through a token or under another name."""
        if self.humans is not None:
            return self.humans
        return frozenset() if self.actor.startswith(NOT_PEOPLE) else frozenset({self.actor})

    def is_person(self, *actors: str) -> bool:
        """Whether one of these people acts."""
        return not self.people.isdisjoint(actors)


class AuditLog:
    """Writes the log, under keys of its own."""

    def __init__(self, vault: Vault) -> None:
        self._key = vault.key("audit entries")
        self._reached: End | None = None
        self._private = Ed25519PrivateKey.from_private_bytes(vault.key("audit anchors"))

    @property
    def key(self) -> bytes:
        """What an auditor needs to prove on another machine that no entry was forged."""
        return self._key

    @property
    def public_key(self) -> Ed25519PublicKey:
        return self._private.public_key()

    def record(self, who: Who, act: str, subject: str, /, **details: object) -> None:
        """Write the entry of an act; the caller's transaction does the act as well.

        Args:
            act: noun and verb, as ``offboarding.approve``.
            subject: on whom or what, as ``offboarding 7``.
            details: what else is needed to understand it; no message text, no phone number.

        Raises:
            AuditUnwritable: it cannot be written; the transaction must not be committed.
        """
        if not database.in_transaction():
            raise RuntimeError("an audit entry belongs in the transaction of its act")
        try:
            writer = _writer()
            number, chain = self._stand(writer)
            if chain:
                details |= {CHAIN: chain}
            entry = Entry(
                writer,
                number + 1,
                clock.now(),
                who.actor[:160],
                act[:64],
                subject[:160],
                who.purpose,
                who.origin[:64],
                {name: str(value) for name, value in details.items() if value is not None},
            )
            AuditEntry.insert(**asdict(entry), mac=entry.mac(self._key)).execute()
            new = Head(writer, entry.number)
            AuditWriter.insert(**asdict(new), mac=new.mac(self._key)).on_conflict(
                conflict_target=[AuditWriter.writer],
                update={AuditWriter.number: EXCLUDED.number, AuditWriter.mac: EXCLUDED.mac},
            ).execute()
        except PeeweeException as error:
            raise AuditUnwritable(type(error).__name__) from error

    def _stand(self, writer: str) -> tuple[int, str]:
        """Return how many entries the writer has made, and where the chain stands."""
        end, seal = AuditEnd.alias(), AuditSeal.alias()
        kept = end.select(end.position).where(end.id == 1)
        answer = Select(
            columns=(
                AuditWriter.select(AuditWriter.number).where(AuditWriter.writer == writer),
                kept,
                end.select(end.mac).where(end.id == 1),
                seal.select(seal.link).where(seal.position == kept),
            )
        )
        [(number, position, mac, last)] = database.execute(answer)
        stands = End(position, last) if position and last else None
        if stands is None or not is_mac(mac, stands.mac(self._key)):
            stands = _highest_seal()
        return number or 0, stand(stands.position, stands.link) if stands.position else ""

    def wrote_last_entry(self) -> bool:
        """Whether the last entry is under our key; so it is where there is none."""
        last = AuditEntry.select().order_by(AuditEntry.id.desc()).first()
        return last is None or is_mac(last.mac, _entry(last).mac(self._key))

    def seal(self, limit: int = SEALED_AT_ONCE) -> int:
        """Give the next committed entries their place in the chain; returns how many.

        Raises:
            IntegrityError: somebody else seals at this moment.
        """
        waiting = _waiting(limit)
        if not waiting:
            return 0
        with transaction():
            before = end = self._last_seal()
            entries, strays = _entries([one.id for one in waiting]), _strays(waiting, end.position)
            sealed: list[Entry] = []
            numbers: dict[str, int] = {}
            seals, passed_by, handled = [], [], 0
            for one in waiting:
                while (there := strays.links.get(end.position + 1)) is not None:
                    end = End(end.position + 1, there)
                if end.position >= strays.until:
                    # Whatever stands further on is looked at the next time.
                    break
                handled += 1
                numbers[one.writer] = max(one.number, numbers.get(one.writer, 0))
                entry, mac = entries.get(one.id, (None, ""))
                if entry is None or one.id in strays.entries:
                    passed_by.append(one.id)
                    continue
                end = End(end.position + 1, link(end.link, entry, mac))
                seals.append({"position": end.position, "entry_id": one.id, "link": end.link})
                sealed.append(entry)
            if seals:
                AuditSeal.insert_many(seals).execute()
            if numbers:
                rows = [{"writer": one, "number": number} for one, number in numbers.items()]
                AuditSealed.insert_many(rows).on_conflict(
                    conflict_target=[AuditSealed.writer],
                    update={AuditSealed.number: EXCLUDED.number},
                ).execute()
            self._move_end(before, end, sealed)
        self._reached = end
        if passed_by:
            # The verifier names each of them as a fault.
            log.error("audit_entries_passed_by", number=len(passed_by), first=passed_by[0])
        return handled

    def _last_seal(self) -> End:
        """Return the last seal that the sealer made: not the highest that somebody may have put."""
        kept = _end()
        proven = kept[0] if kept and is_mac(kept[1], kept[0].mac(self._key)) else None
        known = [one for one in (proven, self._reached) if one and _stands(one)]
        last = max(known, key=attrgetter("position"), default=None) or _highest_seal()
        while True:
            before = last
            # Somebody may have put a seal where the next stands.
            for seal in _seals_after(last.position, last.position + READ_AT_ONCE):
                if seal.position != last.position + 1:
                    break
                last = End(seal.position, str(seal.link))
            if last.position - before.position < READ_AT_ONCE:
                return last

    def _move_end(self, before: End, end: End, sealed: Iterable[Entry]) -> None:
        """Keep the end of the chain where it was kept before this batch, and nowhere else: whoever
        cut the chain off must not have the sealer keep what is left."""
        moved = (
            AuditEnd.update(**self._kept(end))
            .where(
                AuditEnd.id == 1,
                AuditEnd.position == before.position,
                AuditEnd.link == before.link,
                AuditEnd.mac == before.mac(self._key),
            )
            .execute()
        )
        if moved:
            return
        if _was_never_kept(before, sealed):
            AuditEnd.insert(id=1, **self._kept(end)).execute()
        else:
            log.error("audit_end_lost", position=before.position)

    def keep_end(self, who: Who) -> None:
        """Keep the end of the chain as it is now, whatever became of the one before; the log says
        who did so.

        Raises:
            IntegrityError: the clock seals at this moment.
        """
        with transaction():
            was = _end()
            self.record(who, "audit.keep_end", "audit log", was=was and was[0].position)
            # With the entry itself: nobody can take it away without being told of.
            while self.seal():
                pass
            AuditEnd.insert(id=1, **self._kept(self._last_seal())).on_conflict(
                conflict_target=[AuditEnd.id],
                update={
                    AuditEnd.position: EXCLUDED.position,
                    AuditEnd.link: EXCLUDED.link,
                    AuditEnd.mac: EXCLUDED.mac,
                },
            ).execute()

    def _kept(self, end: End) -> dict[str, Any]:
        return asdict(end) | {"mac": end.mac(self._key)}

    def anchor(self, now: datetime) -> Anchor | None:
        """Sign the chain as it is; None where nothing was added since the last time."""
        # SQLite's trigger refuses what is there already, also where it would be ignored.
        with transaction():
            last = self._last_seal()
            if not last.position or AuditAnchor.get_or_none(AuditAnchor.position == last.position):
                return None
            made = Anchor(last.position, last.link, now)
            AuditAnchor.insert(
                **asdict(made), signature=sign(made, self._private)
            ).on_conflict_ignore().execute()
        return made

    def sign_end(self) -> tuple[Anchor, str] | None:
        """Sign the chain as it is, for somebody outside; None where nothing is sealed.

        The same end is signed in the same words: its moment is that of its last entry.
        """
        last = self._last_seal()
        seal = AuditSeal.get_or_none(AuditSeal.position == last.position)
        if seal is None:
            return None
        entry, _mac = _entries([seal.entry_id]).get(seal.entry_id, (None, ""))
        made = Anchor(last.position, last.link, entry.at if entry else clock.now())
        return made, sign(made, self._private)

    def verify(
        self, elsewhere: Mapping[int, str] | None = None
    ) -> tuple[Verifier, Iterator[Fault]]:
        """Return what goes through the log of the database, and its faults as they are met.

        The caller holds a ``snapshot``.

        Args:
            elsewhere: anchors that were kept outside of the database, link by position.
        """
        verifier = Verifier(_anchors(), self._key, self.public_key, elsewhere)
        faults = verifier.faults(_log(), _heads())
        return verifier, itertools.chain(faults, verifier.faults_of_end(_end()))

    def export(self, file: IO[str]) -> int:
        """Write the whole log, one JSON object in a line; returns the number of entries.

        The caller holds a ``snapshot``.
        """

        def write(kind: str, row: Mapping[str, Any]) -> None:
            file.write(json.dumps({"kind": kind, **row}, ensure_ascii=False, default=_iso) + "\n")

        count, at = 0, _iso(clock.now())
        write("audit", {"format": FORMAT, "exported_at": at})
        for anchor, signature in _anchors():
            write("anchor", asdict(anchor) | {"signature": signature})
        for kept in _log():
            count += 1
            write("entry", asdict(kept))
        for head, mac in _heads():
            write("head", asdict(head) | {"mac": mac})
        # The end as the database has it: who exports a log that was cut off proves nothing new.
        end = _end()
        chain = end and asdict(end[0]) | {"mac": end[1]}
        mac = export_mac(self._key, {"exported_at": at, "entries": count, "chain": chain})
        write("end", {"entries": count, "chain": chain, "mac": mac})
        return count


def snapshot() -> None:
    """Let the transaction that was just begun see the log as it is now, to its end."""
    if isinstance(database.obj, PostgresqlDatabase):
        database.execute_sql("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")


def verify_export(
    lines: Iterable[str],
    key: bytes | None,
    public: Ed25519PublicKey | None,
    elsewhere: Mapping[int, str] | None = None,
) -> tuple[Verifier, Iterator[Fault]]:
    """Return what goes through an export, and its faults as they are met; needs no database.

    Raises:
        NotAnExport: while the faults are read, where the file is damaged.
    """
    rows = _rows(lines)
    header = next(rows)
    if header["kind"] != "audit":
        raise NotAnExport("the first line does not name an audit export")
    if header.get("format") != FORMAT:
        raise NotAnExport("a newer Kegui made this export: verify it with that version")
    anchors: list[tuple[Anchor, str]] = []
    first: dict[str, Any] = {}
    for row in rows:
        if row["kind"] != "anchor":
            first = row
            break
        anchor = Anchor(row["position"], row["link"], datetime.fromisoformat(row["at"]))
        anchors.append((anchor, row["signature"]))
    heads: list[tuple[Head, str]] = []
    verifier = Verifier(anchors, key, public, elsewhere)

    def faults() -> Iterator[Fault]:
        count, last = 0, first

        def log() -> Iterator[Kept]:
            nonlocal count, last
            while last["kind"] == "entry":
                count += 1
                yield _kept(last)
                last = next(rows)
            while last["kind"] == "head":
                heads.append((Head(last["writer"], last["number"]), last["mac"]))
                last = next(rows)
            if last["kind"] != "end":
                raise NotAnExport(f"a line of the kind {last['kind']!r} stands where it must not")

        yield from verifier.faults(log(), heads)
        if last.get("entries") != count:
            yield Fault(COUNT, f"the export has {count} entries and")
        yield from _faults_of_last_line(last, verifier, key, header.get("exported_at"))

    return verifier, faults()


def _faults_of_last_line(
    row: Mapping[str, Any], verifier: Verifier, key: bytes | None, exported_at: object
) -> Iterator[Fault]:
    try:
        chain = row["chain"]
        end = chain and (End(int(chain["position"]), str(chain["link"])), str(chain["mac"]))
        said = {"exported_at": exported_at, "entries": row["entries"], "chain": chain}
        mac = str(row["mac"])
    except (KeyError, TypeError, ValueError):
        raise NotAnExport("the end line cannot be read") from None
    if key is not None and not is_mac(mac, export_mac(key, said)):
        yield Fault(EXPORT, "the export")
    yield from verifier.faults_of_end(end)


def _rows(lines: Iterable[str]) -> Iterator[dict[str, Any]]:
    number = 0
    for number, text in enumerate(lines, 1):
        try:
            row = json.loads(text)
            row["kind"]
        except (ValueError, KeyError, TypeError):
            raise NotAnExport(f"line {number} is not one of an audit export") from None
        yield row
    raise NotAnExport(f"the file ends in line {number}, before its end line")


def _kept(row: Mapping[str, Any]) -> Kept:
    try:
        entry = row["entry"]
        read = entry and Entry(**entry | {"at": datetime.fromisoformat(entry["at"])})
        return Kept(row["place"], read, row["mac"], row["position"], row["link"], row["wrong"])
    except (KeyError, TypeError, ValueError):
        raise NotAnExport(f"an entry cannot be read: {row.get('place', 'unnamed')}") from None


class _Thread(threading.local):
    """The name of this thread as a writer; a forked process has threads of its own."""

    process = 0
    writer = ""


_thread = _Thread()


def _writer() -> str:
    if _thread.process != os.getpid():
        _thread.process, _thread.writer = os.getpid(), secrets.token_hex(16)
    return _thread.writer


def _was_never_kept(before: End, sealed: Iterable[Entry]) -> bool:
    """Whether no end of the chain was kept so far, by what the entries say under their macs.

    Args:
        before: the last seal before this batch.
        sealed: the entries of the batch.
    """
    if before.position or AuditEnd.select().exists():
        return False
    return not any(CHAIN in entry.details for entry in sealed)


def _highest_seal() -> End:
    """Return the last seal where no end of the chain is kept that can be believed."""
    last = (
        AuditSeal.select()
        .where(AuditSeal.position.between(1, LAST_POSITION))
        .order_by(AuditSeal.position.desc())
        .first()
    )
    return End(last.position, str(last.link)) if last else End(0, BEGINNING)


def _stands(end: End) -> bool:
    if not end.position:
        return not AuditSeal.select().exists()
    place = (AuditSeal.position == end.position) & (AuditSeal.link == end.link)
    return bool(AuditSeal.select().where(place).exists())


def _seals_after(position: int, until: int) -> list[AuditSeal]:
    return list(
        AuditSeal.select(AuditSeal.position, AuditSeal.link)
        .where(AuditSeal.position > position, AuditSeal.position <= until)
        .order_by(AuditSeal.position)
    )


@dataclass(frozen=True)
class _Strays:
    """Seals that stand where the sealer is about to work, and are not its own: links by their
    positions, which are known up to ``until``, and the entries that have one."""

    until: int
    links: Mapping[int, str]
    entries: frozenset[int]


def _strays(waiting: Sequence["_Waiting"], position: int) -> _Strays:
    until = position + 2 * len(waiting)
    of: Any = (
        AuditSeal.select(AuditSeal.entry_id)
        .where(AuditSeal.entry_id.in_([one.id for one in waiting]))
        .tuples()
    )
    return _Strays(
        until,
        {seal.position: str(seal.link) for seal in _seals_after(position, until)},
        frozenset(one for (one,) in of),
    )


def _end() -> tuple[End, str] | None:
    row = AuditEnd.get_or_none(AuditEnd.id == 1)
    return (End(row.position, row.link), row.mac) if row else None


class _Waiting(NamedTuple):
    """An entry that has no seal, whatever else stands in it."""

    id: int
    writer: str
    number: int


def _waiting(limit: int) -> list[_Waiting]:
    """Return committed entries that are not sealed, in the order in which they were begun.

    They are asked for by writer, along an index: however many are sealed, none of them is read.
    Of what many writers have waiting only the numbers are, but for those that are given.
    """
    sealed = fn.COALESCE(AuditSealed.number, 0)
    behind: Any = (
        AuditWriter.select(AuditWriter.writer, sealed)
        .join(AuditSealed, JOIN.LEFT_OUTER, on=(AuditSealed.writer == AuditWriter.writer))
        .where(AuditWriter.number > sealed)
        .tuples()
    )
    found: list[_Waiting] = []
    for writer, number in list(behind):
        rows: Any = (
            AuditEntry.select(AuditEntry.id, AuditEntry.number)
            .where(AuditEntry.writer == writer, AuditEntry.number.between(number + 1, MOST))
            .order_by(AuditEntry.number)
            .limit(limit)
            .tuples()
        )
        found += [_Waiting(one, writer, at) for one, at in rows]
    return sorted(found)[:limit]


def _entries(ids: Sequence[int]) -> dict[int, tuple[Entry | None, str]]:
    """Read entries with their macs, by their ids; None for what stands there and is no entry."""
    try:
        rows = list(AuditEntry.select().where(AuditEntry.id.in_(ids)))
    except UNREADABLE as error:
        if not is_unreadable(error):
            raise
        if len(ids) == 1:
            return {ids[0]: (None, "")}
        half = len(ids) // 2
        return _entries(ids[:half]) | _entries(ids[half:])
    read = ((row.id, _entry(row), row.mac) for row in rows)
    return {
        one: (entry, mac) if _is_readable(entry, mac) else (None, "") for one, entry, mac in read
    }


def _entry(row: AuditEntry) -> Entry:
    return Entry(*(getattr(row, field.name) for field in _FIELDS))


def _is_readable(entry: Entry, mac: str) -> bool:
    texts = [entry.writer, entry.actor, entry.act, entry.subject, entry.purpose, entry.origin, mac]
    try:
        "".join([*texts, *itertools.chain(*entry.details.items())]).encode()
    except (AttributeError, TypeError, ValueError):
        return False
    return True


def _log() -> Iterator[Kept]:
    """Yield all entries: the sealed ones in the order of their seals, then the others."""
    position = 0
    while seals := list(
        AuditSeal.select()
        .where(AuditSeal.position.between(position + 1, LAST_POSITION))
        .order_by(AuditSeal.position)
        .limit(READ_AT_ONCE)
    ):
        entries = _entries([seal.entry_id for seal in seals])
        for seal in seals:
            yield _keep(seal.entry_id, entries, seal)
        position = seals[-1].position
    for seal in AuditSeal.select().where(~AuditSeal.position.between(1, LAST_POSITION)):
        yield Kept(f"the seal of entry {seal.entry_id} at {seal.position}", None, "", wrong=STRAY)
    last = -MOST
    while ids := _unsealed_after(last):
        entries = _entries(ids)
        for one in ids:
            yield _keep(one, entries, None)
        last = ids[-1]


def _unsealed_after(last: int) -> list[int]:
    rows: Any = (
        AuditEntry.select(AuditEntry.id)
        .join(AuditSeal, JOIN.LEFT_OUTER, on=(AuditSeal.entry_id == AuditEntry.id))
        .where(AuditSeal.entry_id.is_null(), AuditEntry.id > last)
        .order_by(AuditEntry.id)
        .limit(READ_AT_ONCE)
        .tuples()
    )
    return [one for (one,) in rows]


def _keep(
    number: int, entries: Mapping[int, tuple[Entry | None, str]], seal: AuditSeal | None
) -> Kept:
    entry, mac = entries.get(number, (None, ""))
    return Kept(
        f"entry {number}",
        entry,
        mac,
        seal.position if seal else None,
        str(seal.link) if seal else "",
        UNREADABLE_ENTRY if number in entries and entry is None else "",
    )


def _heads() -> Iterator[tuple[Head, str]]:
    last = ""
    while rows := list(
        AuditWriter.select()
        .where(AuditWriter.writer > last)
        .order_by(AuditWriter.writer)
        .limit(READ_AT_ONCE)
    ):
        for row in rows:
            yield Head(row.writer, row.number), row.mac
        last = rows[-1].writer


def _anchors() -> list[tuple[Anchor, str]]:
    return [
        (Anchor(row.position, row.link, row.at), row.signature)
        for row in AuditAnchor.select().order_by(AuditAnchor.position)
    ]


def _iso(value: datetime) -> str:
    return value.isoformat(timespec="microseconds")
