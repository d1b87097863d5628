"""Rule sets: drafted, checked, proposed, decided on by another person, released, taken back."""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import tzinfo
from functools import lru_cache
from typing import Any

from peewee import IntegrityError, fn

from bot import clock
from bot.allocation import facts, work_calendar
from bot.allocation.rule_files import Fault, Lines, check_members, read
from bot.allocation.rules import ANY, Product, Rules
from bot.audit.log import Who
from bot.db import transaction
from bot.identity import proposals
from bot.identity.access import humans_behind
from bot.identity.proposals import NotOpen, SamePerson
from bot.kegui import Kegui
from bot.models import Department, Proposal, RuleSet, Staff, StaffDepartment
from bot.models.allocation import (
    ALLOCATION,
    APPROVED,
    DRAFT,
    FROM_FILE,
    REJECTED,
    RELEASED,
    ROLLED_BACK,
    SUBMITTED,
    SUPERSEDED,
)
from config import table, text

KINDS = (ALLOCATION,)
PROPOSAL = "ruleset"
INSTALLATION = Who("config/allocation.toml")


class Faulty(Exception):
    """The rules cannot stand; ``faults`` says why, line by line."""

    def __init__(self, faults: list[Fault]) -> None:
        super().__init__(f"{len(faults)} faults, the first on line {faults[0].line}")
        self.faults = faults


class WrongState(Exception):
    """The rule set is not in a state that allows this; ``state`` is the one it is in."""

    def __init__(self, state: str) -> None:
        super().__init__(f"it is {state}")
        self.state = state


class NothingBefore(Exception):
    """There is no earlier rule set to go back to."""


def deciding(kegui: Kegui) -> tuple[RuleSet, Rules]:
    """Return the rule set that decides now, its members as they are written here.

    Until one was released here, config/allocation.toml decides: it is the first version.
    """
    row = RuleSet.released(ALLOCATION)
    if row is None or (row.source == FROM_FILE and row.body_sha256 != _sha256(text(ALLOCATION))):
        row = _adopt_file(kegui)
    return row, spelled(rules_of(row.body, facts.products()))


def shown_now() -> tuple[str, Rules]:
    """Return the rules that decide now, to be read: their body and what it says."""
    row = RuleSet.released(ALLOCATION)
    is_ours = row is not None and row.source != FROM_FILE
    body = row.body if row is not None and is_ours else text(ALLOCATION)
    return body, rules_of(body, facts.products())


def rules_of(body: str, products: Mapping[str, Product]) -> Rules:
    """Return the rules of a body that was checked.

    Raises:
        Faulty: it would not be taken any more.
    """
    return _read(body, tuple(sorted(products.items())))


@lru_cache(maxsize=16)
def _read(body: str, products: tuple[tuple[str, Product], ...]) -> Rules:
    rules, faults = read(body, dict(products))
    if rules is None:
        raise Faulty(faults)
    return rules


def body_of(number: int | None) -> str | None:
    """Return what a rule set says."""
    row = RuleSet.get_or_none(RuleSet.id == number)
    return None if row is None else row.body


def numbers_of(ids: Iterable[int | None]) -> dict[int, int]:
    """Return which versions these rule sets are."""
    rows = RuleSet.select(RuleSet.id, RuleSet.number)
    return {row.id: row.number for row in rows.where(RuleSet.id.in_([*filter(None, ids)]))}


def names_in(rules: Rules) -> set[str]:
    """Return the userids that rules name."""
    named = {userid for rule in rules.rules for userid in rule.userids}
    weighted = {
        name for rule in rules.rules if not rule.by_department for name, _weight in rule.weights
    }
    return named | weighted


def spelled(rules: Rules, spellings: Mapping[str, str] | None = None) -> Rules:
    """Return rules that name members by the userids that they have now, however written.

    Args:
        spellings: what each was called then, instead of now.
    """
    named = names_in(rules)
    if not named:
        return rules
    now = Staff.spellings(sorted(named)) if spellings is None else spellings
    return replace(
        rules,
        rules=tuple(
            replace(
                rule,
                userids=tuple(dict.fromkeys(now.get(one, one) for one in rule.userids)),
                weights=tuple((now.get(name, name), weight) for name, weight in rule.weights),
            )
            for rule in rules.rules
        ),
    )


def check(body: str, kegui: Kegui) -> Rules:
    """Hold rules against themselves, the members and the calendar; returns them.

    Raises:
        Faulty: something is wrong.
    """
    rules, faults = read(body, facts.products())
    if rules is None:
        raise Faulty(faults)
    settings = kegui.settings
    found = faults_here(rules, body, settings.default_capacity, settings.zone)
    if found:
        raise Faulty(found)
    return rules


def faults_here(rules: Rules, body: str, default_capacity: int | None, zone: tzinfo) -> list[Fault]:
    """Hold rules against the members, departments and the calendar of this installation."""
    spellings = Staff.spellings(sorted(names_in(rules)))
    rows = Staff.select().where(Staff.userid.in_(list(spellings.values())))
    is_here = {row.userid: row.is_here for row in rows}
    known = {name: is_here[userid] for name, userid in spellings.items() if userid in is_here}
    departments = {row.id for row in Department.select(Department.id)}
    members: Any = StaffDepartment.select(StaffDepartment.department_id).distinct().tuples()
    departments |= {number for (number,) in members}
    everybody = facts.people(default_capacity, zone)
    here = [one for one in everybody if one.unfit_detail not in ("has_left", "not_active")]
    found = check_members(spelled(rules, spellings), body, here, known, departments)
    return sorted([*found, *_check_calendar(rules, body)], key=lambda fault: fault.line)


def _check_calendar(rules: Rules, body: str) -> list[Fault]:
    wrong = list(work_calendar.faults(table("work_calendar")))
    lines = Lines(body)
    return [
        Fault(lines.of(number, "hours"), "calendar", {"rule": rule.name, "said": said})
        for number, rule in enumerate(rules.rules)
        if rule.hours != ANY
        for _place, said in wrong[:1]
    ]


def draft(kind: str, body: str, source: str, by: Who, kegui: Kegui) -> RuleSet:
    """Write a new version down; nothing else changes.

    Raises:
        Faulty: something is wrong with it.
    """
    rules = check(body, kegui)
    # Whatever is drafted here comes after what the installation brought.
    deciding(kegui)
    with transaction():
        row = _add(kind, rules.version, body, source, DRAFT, by)
        kegui.audit.record(by, "ruleset.draft", subject_of(row), number=row.number)
    return row


def submit(row: RuleSet, by: Who, kegui: Kegui, reason: str = "") -> None:
    """Propose to release a draft; another person decides.

    Raises:
        Faulty: it does not stand any more.
        WrongState: it is no draft.
        NotBound: see ``bot.identity.proposals``.
    """
    check(row.body, kegui)
    with transaction():
        _move(row, (DRAFT,), SUBMITTED)
        proposals.propose(
            PROPOSAL,
            subject_of(row),
            by,
            kegui,
            reason=reason,
            number=row.number,
            body_sha256=row.body_sha256,
        )


def approve(row: RuleSet, by: Who, kegui: Kegui, reason: str = "") -> None:
    """Say that a submitted rule set may be released.

    Raises:
        Faulty: it does not stand any more.
        SamePerson: whoever drafted or submitted it does not decide on it.
        WrongState, NotBound: as above.
    """
    check(row.body, kegui)
    _decide(row, by, kegui, reason, APPROVED)


def reject(row: RuleSet, by: Who, kegui: Kegui, reason: str) -> None:
    """Say that a submitted rule set may not be released.

    Raises:
        SamePerson, WrongState, NotBound: as above.
    """
    _decide(row, by, kegui, reason, REJECTED)


def _decide(row: RuleSet, by: Who, kegui: Kegui, reason: str, state: str) -> None:
    with transaction():
        proposal = proposals.open_one(PROPOSAL, subject_of(row))
        if proposal is None:
            raise WrongState(RuleSet.get_by_id(row.id).state)
        if may_not_decide(row, proposal, by):
            raise SamePerson
        try:
            if state == APPROVED:
                proposals.approve(proposal, by, kegui, reason)
            else:
                proposals.reject(proposal, by, kegui, reason)
        except NotOpen:
            raise WrongState(RuleSet.get_by_id(row.id).state) from None
        _move(row, (SUBMITTED,), state)


def may_not_decide(row: RuleSet, proposal: Proposal, by: Who) -> bool:
    """Whether somebody drafted or submitted the rule set; a token decides nothing of its own."""
    own = {row.drafted_by, proposal.proposed_by}
    return by.actor in own or by.is_person(
        *proposals.humans_of(proposal), *humans_behind(row.drafted_by)
    )


def release(row: RuleSet, by: Who, kegui: Kegui) -> None:
    """Let an approved rule set decide from now on.

    Raises:
        Faulty: it does not stand any more.
        WrongState: it is not approved.
    """
    check(row.body, kegui)
    with transaction():
        _take_over(row, (APPROVED,), SUPERSEDED, by)
        kegui.audit.record(by, "ruleset.release", subject_of(row), number=row.number)


def roll_back(row: RuleSet, by: Who, kegui: Kegui) -> RuleSet:
    """Take the released rule set back, or go back to an earlier one; returns what decides now.

    Who decided once was approved once: it needs no second approval, for there may be no time.

    Args:
        row: the one that decides, then the one before it comes back; or an earlier one.

    Raises:
        Faulty: what would decide does not stand any more.
        NothingBefore: none was released before.
        WrongState: this one never decided.
    """
    back = row if row.state == SUPERSEDED else _before(row)
    check(back.body, kegui)
    with transaction():
        _take_over(back, (SUPERSEDED,), ROLLED_BACK, by)
        kegui.audit.record(by, "ruleset.rollback", subject_of(back), number=back.number)
        return RuleSet.get_by_id(back.id)


def _before(row: RuleSet) -> RuleSet:
    if row.state != RELEASED:
        raise WrongState(row.state)
    earlier = RuleSet.select().where(RuleSet.kind == row.kind, RuleSet.state == SUPERSEDED)
    found: RuleSet | None = earlier.order_by(RuleSet.ended_at.desc(), RuleSet.id.desc()).first()
    if found is None:
        raise NothingBefore
    return found


def _take_over(row: RuleSet, states: tuple[str, ...], ends_as: str, by: Who) -> None:
    now = clock.now()
    RuleSet.update(state=ends_as, ended_at=now).where(
        RuleSet.kind == row.kind, RuleSet.state == RELEASED
    ).execute()
    _move(row, states, RELEASED, released_at=now, released_by=by.actor, ended_at=None)


def _move(row: RuleSet, states: tuple[str, ...], state: str, **values: Any) -> None:
    """Bring a rule set from one of these states into another, once."""
    moved = RuleSet.update(state=state, **values).where(
        RuleSet.id == row.id, RuleSet.state.in_(states)
    )
    if not moved.execute():
        raise WrongState(RuleSet.get_by_id(row.id).state)


def subject_of(row: RuleSet) -> str:
    return f"ruleset {row.id}"


def _adopt_file(kegui: Kegui) -> RuleSet:
    """Write config/allocation.toml down as a version, and let it decide."""
    body = text(ALLOCATION)
    rules = rules_of(body, facts.products())
    try:
        with transaction():
            RuleSet.update(state=SUPERSEDED, ended_at=clock.now()).where(
                RuleSet.kind == ALLOCATION, RuleSet.state == RELEASED, RuleSet.source == FROM_FILE
            ).execute()
            row = _add(ALLOCATION, rules.version, body, FROM_FILE, RELEASED, INSTALLATION)
            kegui.audit.record(INSTALLATION, "ruleset.adopt", subject_of(row), number=row.number)
    except IntegrityError:
        # Another process did so in this moment, or somebody released one.
        return RuleSet.get(RuleSet.kind == ALLOCATION, RuleSet.state == RELEASED)
    return row


def _add(kind: str, label: str, body: str, source: str, state: str, by: Who) -> RuleSet:
    """Add a version under the next number; of two at once one fails, and is asked again."""
    last = RuleSet.select(fn.MAX(RuleSet.number)).where(RuleSet.kind == kind).scalar()
    now = clock.now()
    return RuleSet.create(
        kind=kind,
        number=(last or 0) + 1,
        label=label,
        body=body,
        body_sha256=_sha256(body),
        source=source,
        state=state,
        drafted_by=by.actor,
        drafted_at=now,
        released_by=by.actor if state == RELEASED else None,
        released_at=now if state == RELEASED else None,
    )


def _sha256(body: str) -> str:
    return hashlib.sha256(body.encode()).hexdigest()
