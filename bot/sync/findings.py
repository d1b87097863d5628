"""What the readings of WeCom found: their differences, counted and one by one."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bot.models import SyncCount, SyncRun
from bot.models.sync_run import HEALED, PERSON, UNASSIGNED, WHOLE
from bot.sync import rules

# What a person must do about each kind that no reading can heal.
WHAT_TO_DO: Mapping[str, str] = {
    rules.MEMBER_NOT_READABLE: "请检查该成员是否在应用可见范围内、是否仍有客户联系权限",
    rules.SEVERAL_FOLLOWERS: "有多位成员与该客户联系，请主管指定归属",
    rules.OWNER_WITHOUT_CONTACT: "归属成员已不再与该客户联系，请主管指定归属",
    rules.OWNER_GONE: "归属成员已离职且没有进行中的交接，请主管指定归属",
    rules.MEMBER_NOT_SHOWN: "企业微信不显示该成员：若已离职请发起交接，否则请加入应用可见范围",
    rules.MEMBER_MAYBE_RENAMED: "该成员可能更换了账号：请核实，如属实请执行 kegui rename-member",
    rules.MEMBER_WITHOUT_SERVICE: "该成员名下有客户但没有客户联系权限：请恢复权限，或交接其客户",
    rules.GROUP_NOT_READABLE: "请检查该客户群的群主是否在应用可见范围内",
    rules.CONTACT_WAY_GONE: "该“联系我”已在企业微信中被删除，二维码已失效：请停用印刷品并重新创建",
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
