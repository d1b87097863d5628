"""Try a rule set on past arrivals: who would have got whom. It changes its own row alone."""

import hashlib
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import structlog
from peewee import fn

from bot import clock
from bot.allocation import facts, rule_sets
from bot.allocation.allocate import KEPT
from bot.allocation.rules import Arrival, Decision, Firm, Numbers, Rules, decide
from bot.audit.log import Who
from bot.db import is_over, transaction
from bot.kegui import Kegui
from bot.models import Allocation, DryRun, Ownership, RuleSet
from bot.models.allocation import DONE, FAILED, RUNNING, WAITING
from bot.queue import Lane
from bot.staff import duty

log = structlog.get_logger(__name__)

MESSAGE = "dry_run"
PAGE = 1_000
# Welcomes are sent by threads of the same process.
PAUSE_EVERY, PAUSE_SECONDS = 100, 0.001
LEASE = timedelta(seconds=60)
MOST_VIOLATIONS = 100
LONGEST = timedelta(days=3 * 366)


class NoPeriod(Exception):
    """The end is not after the beginning, or years later."""


def ask(row: RuleSet, since: datetime, until: datetime, by: Who, kegui: Kegui) -> DryRun:
    """Have a rule set tried on the arrivals from one moment on and before another.

    Raises:
        NoPeriod: there is no such time.
    """
    if not timedelta() < until - since <= LONGEST:
        raise NoPeriod
    with transaction():
        run = DryRun.create(
            rule_set_id=row.id, since=since, until=until, asked_by=by.actor, asked_at=clock.now()
        )
        kegui.audit.record(
            by,
            "ruleset.dry_run",
            rule_sets.subject_of(row),
            dry_run=run.id,
            since=since,
            until=until,
        )
    kegui.queue.wake(Lane.WORK, f"{MESSAGE}:{run.id}")
    return run


def wake_waiting(kegui: Kegui) -> None:
    """Wake a worker for each run that nobody works on."""
    waiting = DryRun.select(DryRun.id).where(_is_due(clock.now()))
    for run in list(waiting.order_by(DryRun.id)):
        kegui.queue.wake(Lane.WORK, f"{MESSAGE}:{run.id}")


def carry_out(number: int, kegui: Kegui) -> None:
    """Do one run, if nobody else does; it begins anew after a crash."""
    run = _claim(number)
    if run is None:
        return
    try:
        found = _try_all(run, kegui)
    except rule_sets.Faulty as error:
        _finish(run, FAILED, error=str(error))
        return
    if found is not None:
        _finish(run, DONE, result=found)


def _is_due(now: datetime) -> Any:
    lost = (DryRun.state == RUNNING) & is_over(DryRun.claimed_until, now)
    return (DryRun.state == WAITING) | lost


def _claim(number: int) -> DryRun | None:
    now = clock.now()
    taken = DryRun.update(state=RUNNING, claimed_until=now + LEASE, tried=0).where(
        DryRun.id == number, _is_due(now)
    )
    return DryRun.get_by_id(number) if taken.execute() else None


def _hold(run: DryRun, tried: int) -> bool:
    """Keep the run for another while; False when another worker has it."""
    until = clock.now() + LEASE
    held = DryRun.update(claimed_until=until, tried=tried).where(
        DryRun.id == run.id, DryRun.state == RUNNING, DryRun.claimed_until == run.claimed_until
    )
    if not held.execute():
        return False
    run.claimed_until = until
    return True


def _finish(run: DryRun, state: str, **values: Any) -> None:
    DryRun.update(state=state, finished_at=clock.now(), claimed_until=None, **values).where(
        DryRun.id == run.id, DryRun.claimed_until == run.claimed_until
    ).execute()


def _try_all(run: DryRun, kegui: Kegui) -> dict[str, Any] | None:
    """Return what came of it; None when another worker has taken the run meanwhile."""
    body = rule_sets.body_of(run.rule_set_id)
    if body is None:
        raise LookupError(f"dry run {run.id} has no rule set")
    rules = rule_sets.spelled(rule_sets.rules_of(body, facts.products()))
    settings = kegui.settings
    firm = Firm(facts.people(settings.default_capacity, settings.zone))
    trial = Trial(rules, firm, Numbers(load=_owned_at(run.since)))
    for page in _pages(run):
        for row in page:
            trial.take(row, facts.arrival_read(row, settings.zone))
            if trial.arrivals % PAUSE_EVERY == 0:
                time.sleep(PAUSE_SECONDS)
        if not _hold(run, trial.arrivals):
            return None
    return trial.result()


def _owned_at(moment: datetime) -> dict[str, int]:
    """Count the customers whom each member had at a moment."""
    query = (
        Ownership.select(Ownership.userid, fn.COUNT(Ownership.id))
        .where(Ownership.since <= moment, Ownership.until.is_null() | (Ownership.until > moment))
        .group_by(Ownership.userid)
    )
    rows: Any = query.tuples()
    return dict(rows)


def _pages(run: DryRun) -> Iterator[list[Allocation]]:
    """The arrivals of a run in their order, a page at a time: memory does not grow with them."""
    last = 0
    while True:
        rows = list(
            Allocation.select(
                Allocation.id,
                Allocation.external_userid,
                Allocation.added_userid,
                Allocation.channel,
                Allocation.owner,
                Allocation.arrival,
                Allocation.decided_at,
            )
            .where(
                Allocation.id > last,
                Allocation.decided_at >= run.since,
                Allocation.decided_at < run.until,
                Allocation.outcome != KEPT,
            )
            .order_by(Allocation.id)
            .limit(PAGE)
        )
        if not rows:
            return
        yield rows
        last = rows[-1].id


@dataclass
class Trial:
    """Arrivals decided anew, one after another: what each got counts for the next."""

    rules: Rules
    firm: Firm
    numbers: Numbers
    arrivals: int = 0
    changed: int = 0
    unplaced: int = 0
    by_rule: Counter[str] = field(default_factory=Counter)
    received_before: Counter[str] = field(default_factory=Counter)
    received_after: Counter[str] = field(default_factory=Counter)
    violations: list[dict[str, Any]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._began_with = dict(self.numbers.load)
        self._digest = hashlib.sha256()
        self._day: Any = None

    def take(self, row: Allocation, arrival: Arrival) -> None:
        """Decide one arrival by the rules that are tried."""
        if arrival.day != self._day:
            self._day = arrival.day
            self.numbers.today.clear()
        # The same run gives the same result: its seeds hang on the arrivals alone.
        decision = decide(arrival, self.rules, self.firm, self.numbers, row.id, explain=False)
        self.arrivals += 1
        self.changed += decision.owner != row.owner
        self.by_rule[decision.rule or ""] += 1
        if row.owner is not None:
            self.received_before[row.owner] += 1
        if decision.owner is None:
            self.unplaced += 1
        else:
            self._check(row.id, arrival, decision)
            self.received_after[decision.owner] += 1
            self.numbers.note(decision.rule or "", decision.owner, arrival.at)
        self._digest.update(f"{row.id} {decision.owner or '-'} {decision.rule or '-'}\n".encode())

    def _check(self, number: int, arrival: Arrival, decision: Decision) -> None:
        """Look once more at whoever was chosen, by other means than the decision's."""
        if len(self.violations) >= MOST_VIOLATIONS or decision.rule is None:
            return
        person = self.firm.get(str(decision.owner))
        code = "unknown" if person is None else ""
        if person is not None:
            rule = self.rules.by_name[decision.rule]
            needed = self.rules.licences_for(rule, self.rules.products_of(arrival.tags))
            load, today = self.numbers.load, self.numbers.today
            code = (
                person.unfit
                or duty.lacking(needed, person.licences, arrival.day)[0]
                or duty.away(person.availability, arrival.at)
                or ("full" if _is_at(person.capacity, load.get(person.userid, 0)) else "")
                or ("quota" if _is_at(person.daily_quota, today.get(person.userid, 0)) else "")
            )
        if code:
            self.violations.append(
                {
                    "allocation": number,
                    "userid": decision.owner,
                    "code": code,
                    "rule": decision.rule,
                }
            )

    def result(self) -> dict[str, Any]:
        """Return what came of it."""
        return {
            "arrivals": self.arrivals,
            "changed": self.changed,
            "unplaced": self.unplaced,
            "violations": self.violations,
            "rules": [
                {"rule": rule.name, "arrivals": self.by_rule[rule.name]}
                for rule in self.rules.rules
            ],
            "load": [
                {
                    "userid": userid,
                    "before": self._began_with.get(userid, 0) + self.received_before[userid],
                    "after": self._began_with.get(userid, 0) + self.received_after[userid],
                    "received_before": self.received_before[userid],
                    "received_after": self.received_after[userid],
                }
                for userid in self._shown()
            ],
            "result_sha256": self._digest.hexdigest(),
        }

    def _shown(self) -> Iterable[str]:
        """Whoever got somebody, and whoever of the firm has or might have."""
        able = (one.userid for one in self.firm.people if not one.unfit)
        return sorted({*able, *self.received_before, *self.received_after})


def _is_at(most: int | None, number: int) -> bool:
    return most is not None and number >= most
