"""What the readings of WeCom found: their differences, counted and one by one."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bot.models import SyncCount, SyncRun
from bot.models.sync_run import HEALED, PERSON, UNASSIGNED, WHOLE
from bot.reason import Reason
from bot.sync import rules

# What a person must do about each kind that no reading can heal.
WHAT_TO_DO: Mapping[str, Reason] = {
    kind: Reason(f"do_about_difference_{kind}")
    for kind in (
        rules.MEMBER_NOT_READABLE,
        rules.SEVERAL_FOLLOWERS,
        rules.OWNER_WITHOUT_CONTACT,
        rules.OWNER_GONE,
        rules.MEMBER_NOT_SHOWN,
        rules.MEMBER_MAYBE_RENAMED,
        rules.MEMBER_WITHOUT_SERVICE,
        rules.GROUP_NOT_READABLE,
        rules.CONTACT_WAY_GONE,
    )
}


@dataclass(frozen=True)
class Count:
    """How many differences of one kind a run found."""

    kind: str
    healed: int
    person: int


@dataclass(frozen=True)
class Summary:
    """A run and its differences by kind."""

    run: SyncRun
    counts: Sequence[Count]

    @property
    def healed(self) -> int:
        return sum(count.healed for count in self.counts)

    @property
    def person(self) -> int:
        return sum(count.person for count in self.counts)


def summaries(runs: Sequence[SyncRun]) -> list[Summary]:
    """Count the differences of these runs by kind, in one query."""
    found: dict[str, dict[str, dict[str, int]]] = {run.run: {} for run in runs}
    query = SyncCount.select().where(SyncCount.run.in_(list(found))).order_by(SyncCount.kind)
    for row in query:
        found[row.run].setdefault(row.kind, {})[row.outcome] = row.number
    return [
        Summary(
            run,
            [
                Count(kind, numbers.get(HEALED, 0), numbers.get(PERSON, 0))
                for kind, numbers in found[run.run].items()
            ],
        )
        for run in runs
    ]


def summary(run: SyncRun) -> Summary:
    """Count the differences of one run."""
    return summaries([run])[0]


def latest() -> list[Summary]:
    """Summarise the last reading of everything and the last of the unassigned, where there are
    any, finished or not."""
    runs = [
        SyncRun.select().where(SyncRun.kind.in_(kinds)).order_by(SyncRun.started_at.desc()).first()
        for kinds in (WHOLE, (UNASSIGNED,))
    ]
    return summaries([run for run in runs if run is not None])
