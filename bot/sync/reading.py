"""One reading of WeCom: its run, its progress, its findings, and its threads."""

import threading
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any, cast

from peewee import chunked, fn

from bot import clock
from bot.db import connection, transaction
from bot.kegui import Kegui
from bot.models import SyncCount, SyncFinding, SyncProgress, SyncRun
from bot.models.sync_run import HEALED, IMPORT, PERSON, WHOLE
from bot.sync.rules import NOT_READABLE, Difference
from bot.wecom import WeComError

# A run that was interrupted longer ago begins anew: what it read is old by now.
RESUME_WITHIN = timedelta(hours=20)
KEPT = timedelta(days=90)
ROWS_OF_A_KIND = 500
LONGEST_TEXT = 300
# Below what one statement of either database may hold.
CHUNK = 500


class Reading:
    """An unfinished run in this process; its threads share it.

    One thread at a time writes, in short transactions: on SQLite nobody else waits longer than
    one of them takes, and on PostgreSQL two pages cannot lock each other out. What was healed,
    the finding and the progress are one commit, so that after a kill the record is whole.
    """

    def __init__(self, run: SyncRun, kegui: Kegui) -> None:
        self.run = run
        self.kegui = kegui
        self._lock = threading.Lock()
        self._rows = self._rows_kept()
        self._cursors, self._finished = self._progress()

    @property
    def is_import(self) -> bool:
        return self.run.kind == IMPORT

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Hold the only transaction of this reading."""
        with self._lock, transaction():
            yield

    def note(self, differences: Sequence[Difference]) -> None:
        """Record what differed; the caller holds ``writing``.

        A first reading has nothing to compare with: it finds nothing, but whom it could not read.
        """
        if self.is_import:
            differences = [one for one in differences if one.kind in NOT_READABLE]
        if not differences:
            return
        now = clock.now()
        counts = Counter((one.kind, HEALED if one.healed else PERSON) for one in differences)
        for (kind, outcome), number in sorted(counts.items()):
            SyncCount.insert(
                run=self.run.run, kind=kind, outcome=outcome, number=number
            ).on_conflict(
                conflict_target=[SyncCount.run, SyncCount.kind, SyncCount.outcome],
                update={SyncCount.number: SyncCount.number + number},
            ).execute()
        rows = [self._row(one, now) for one in differences if self._has_room(one.kind)]
        for some in chunked(rows, CHUNK):
            SyncFinding.insert_many(some).execute()

    def _has_room(self, kind: str) -> bool:
        self._rows[kind] += 1
        return self._rows[kind] <= ROWS_OF_A_KIND

    def _row(self, one: Difference, now: datetime) -> dict[str, object]:
        return {
            "run": self.run.run,
            "kind": one.kind,
            "subject": one.subject,
            "userid": one.userid,
            "here": one.here[:LONGEST_TEXT],
            "wecom": one.wecom[:LONGEST_TEXT],
            "outcome": HEALED if one.healed else PERSON,
            "found_at": now,
        }

    def _rows_kept(self) -> Counter[str]:
        query = (
            SyncFinding.select(SyncFinding.kind, fn.COUNT(SyncFinding.id))
            .where(SyncFinding.run == self.run.run)
            .group_by(SyncFinding.kind)
        )
        return Counter(dict(cast(Any, query.tuples())))

    def _progress(self) -> tuple[dict[tuple[str, str], str], set[tuple[str, str]]]:
        cursors, finished = {}, set()
        for row in SyncProgress.select().where(SyncProgress.run == self.run.run):
            place = (row.step, row.subject)
            if row.finished_at is not None:
                finished.add(place)
            else:
                cursors[place] = row.cursor
        return cursors, finished

    def is_finished(self, step: str, subject: str = "") -> bool:
        """Whether an earlier process finished this piece of the run."""
        return (step, subject) in self._finished

    def cursor(self, step: str, subject: str = "") -> str:
        """Where an earlier process stopped inside this piece; empty: at its beginning."""
        return self._cursors.get((step, subject), "")

    def go_on(self, step: str, subject: str = "", *, cursor: str) -> None:
        """Record how far a piece has come; the caller holds ``writing``."""
        self._put(step, subject, cursor, None)

    def finish(self, step: str, subject: str = "") -> None:
        """Record that a piece is read; the caller holds ``writing``."""
        self._put(step, subject, "", clock.now())

    def _put(self, step: str, subject: str, cursor: str, finished_at: datetime | None) -> None:
        SyncProgress.insert(
            run=self.run.run, step=step, subject=subject, cursor=cursor, finished_at=finished_at
        ).on_conflict(
            conflict_target=[SyncProgress.run, SyncProgress.step, SyncProgress.subject],
            preserve=[SyncProgress.cursor, SyncProgress.finished_at],
        ).execute()

    def each(self, subjects: Sequence[str], act: Callable[[str], None]) -> None:
        """Do ``act`` for each subject, as many at once as WeCom's budget for one endpoint allows.

        Raises:
            Exception: the first that an ``act`` raised; no further subject was begun then.
        """
        stopping = threading.Event()

        def guarded(subject: str) -> None:
            if stopping.is_set():
                return
            try:
                with connection():
                    act(subject)
            except BaseException:
                stopping.set()
                raise

        with ThreadPoolExecutor(self.kegui.settings.api_parallel) as pool:
            running = [pool.submit(guarded, subject) for subject in subjects]
        for one in running:
            one.result()


def what_was_answered(error: WeComError) -> str:
    """Say of a record that could not be read what WeCom answered, for the record."""
    return "an answer that cannot be read" if error.errcode is None else f"error {error.errcode}"


def resume_or_begin(kind: str, within: timedelta = RESUME_WITHIN) -> SyncRun:
    """Return the unfinished run of this kind, or a new one."""
    return open_run(kind, within) or SyncRun.create(
        run=clock.now().strftime("%Y%m%dT%H%M%S.%f"), kind=kind, started_at=clock.now()
    )


def open_run(kind: str, within: timedelta = RESUME_WITHIN) -> SyncRun | None:
    """Return the run of this kind that was begun and can still go on."""
    return (
        SyncRun.select()
        .where(
            SyncRun.kind == kind,
            SyncRun.finished_at.is_null(),
            SyncRun.started_at > clock.now() - within,
        )
        .order_by(SyncRun.started_at.desc())
        .first()
    )


def finish_run(reading: Reading, **counted: int) -> SyncRun:
    """Close the run, and forget what is older than 90 days and the progress of dead runs."""
    run = reading.run.run
    with reading.writing():
        SyncRun.update(finished_at=clock.now(), **counted).where(SyncRun.run == run).execute()
        SyncProgress.delete().where(SyncProgress.run == run).execute()
    _forget_old()
    return SyncRun.get_by_id(run)


def _forget_old() -> None:
    now = clock.now()
    resumable = SyncRun.select(SyncRun.run).where(
        SyncRun.finished_at.is_null(), SyncRun.started_at > now - RESUME_WITHIN
    )
    SyncProgress.delete().where(SyncProgress.run.not_in(resumable)).execute()
    # The last whole reading says that the firm was imported: it stays.
    last = (
        SyncRun.select(SyncRun.run)
        .where(SyncRun.kind.in_(WHOLE), SyncRun.finished_at.is_null(False))
        .order_by(SyncRun.started_at.desc())
        .first()
    )
    old = [
        row.run
        for row in SyncRun.select(SyncRun.run).where(SyncRun.started_at < now - KEPT).limit(CHUNK)
        if last is None or row.run != last.run
    ]
    for table in (SyncFinding, SyncCount, SyncRun):
        table.delete().where(cast(Any, table).run.in_(old)).execute()
