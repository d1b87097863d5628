"""Give a new customer an owner, or show that two members are after one."""

import secrets

from bot import clock
from bot.allocation import facts, rule_sets
from bot.allocation.rules import (
    BY_STRATEGY,
    HAS_OWNER,
    Decision,
    Firm,
    decide,
)
from bot.customers.conflicts import open_conflict
from bot.handover import handovers
from bot.kegui import Kegui
from bot.models import Allocation, Conflict, Ownership, Relation
from bot.models.allocation import packed
from bot.models.conflict import RESOLVED
from bot.reason import Reason
from bot.router import Received
from bot.staff import staff

KEPT = "kept"
OWNED = "owned"
TRANSFER = "transfer"
NOBODY = "nobody"
# A seed says who of those alike comes first; JSON has no larger numbers for everybody.
SEEDS = 2**31


def allocate(received: Received, kegui: Kegui) -> Allocation:
    """Settle whose customer it is after ``received`` brought a member and a customer together.

    A customer who has an owner stays with that owner: the second contact is a conflict. One
    conditional write decides, so that of two members at the same moment only one can win. The
    decision is stored with its reason and all that it was given, once for each event.
    """
    decided = Allocation.get_or_none(Allocation.event_id == received.id)
    if decided is None:
        decided = _decide(received, kegui)
    _carry_out(decided, received, kegui)
    return decided


def _decide(received: Received, kegui: Kegui) -> Allocation:
    event = received.event
    rule_set, rules = rule_sets.deciding(kegui)
    arrival = facts.arrival_of(received, kegui)
    if arrival.owner is None:
        staff.has_met_a_customer(event.userid, kegui)
    settings = kegui.settings
    firm = Firm(
        () if arrival.owner is not None else facts.people(settings.default_capacity, settings.zone)
    )
    counted = facts.numbers(rules, arrival.at, settings.zone)
    seed = secrets.randbelow(SEEDS)
    decision = decide(arrival, rules, firm, counted, seed)
    Allocation.insert(
        event_id=received.id,
        external_userid=event.external_userid,
        added_userid=event.userid,
        channel=event.state,
        owner=decision.owner,
        outcome=outcome_of(decision),
        rule=decision.rule,
        rule_set_id=rule_set.id,
        rules_version=rules.version,
        seed=seed,
        **reason_of(decision).columns(),
        arrival=facts.arrival_kept(arrival),
        explained=packed(facts.explanation(decision, arrival, rules, firm, counted)),
        decided_at=arrival.at,
    ).on_conflict_ignore().execute()
    return Allocation.get(Allocation.event_id == received.id)


def outcome_of(decision: Decision) -> str:
    """Say what is to be done after a decision."""
    if decision.code == HAS_OWNER:
        return KEPT
    if decision.owner is None:
        return NOBODY
    return TRANSFER if decision.transfer else OWNED


def reason_of(decision: Decision) -> Reason:
    """Return why it was decided so, as it is remembered."""
    if decision.code == BY_STRATEGY:
        return Reason(f"by_{decision.facts['strategy']}")
    return Reason(decision.code, decision.facts)


def replay(row: Allocation, kegui: Kegui) -> bool:
    """Decide again from what was kept; whether the answer and its explanation are the same.

    Raises:
        NothingKept: the decision is older than its explanation.
    """
    kept, body = row.explanation, rule_sets.body_of(row.rule_set_id)
    if not kept or body is None:
        raise NothingKept
    written = rule_sets.rules_of(body, facts.products_read(kept))
    rules = rule_sets.spelled(written, kept["spellings"])
    arrival = facts.arrival_read(row, kegui.settings.zone)
    firm, counted = facts.firm_read(kept["people"]), facts.numbers_read(kept)
    decision = decide(arrival, rules, firm, counted, row.seed)
    again = facts.explanation(decision, arrival, rules, firm, counted)
    names = ("owner", "rule", "code", "facts", "candidates", "passed")
    return all(again[name] == kept[name] for name in names)


class NothingKept(Exception):
    """A decision of which no facts were kept cannot be taken again."""


def _carry_out(decided: Allocation, received: Received, kegui: Kegui) -> None:
    external_userid, added_userid = decided.external_userid, decided.added_userid
    if decided.outcome in (OWNED, TRANSFER):
        held = Ownership.current(external_userid)
        Ownership.move(
            external_userid,
            # Until WeCom has moved the customer, the member whom the customer knows is the owner.
            added_userid if decided.outcome == TRANSFER else str(decided.owner),
            held_by=held.userid if held and not facts.still_serves(held) else None,
            at=clock.now(),
            reason=decided.reason,
            allocation_id=decided.id,
        )
    owner = Ownership.current(external_userid)
    is_added_ones = owner is not None and owner.userid == added_userid
    if decided.outcome == TRANSFER and decided.owner and is_added_ones:
        handovers.move_by_rule(decided, kegui)
    if owner is not None and not is_added_ones and not _is_over(received):
        open_conflict(external_userid, owner.userid, added_userid, received, kegui)


def _is_over(received: Received) -> bool:
    """Whether nothing is left to decide of an event that is tried again: the contact has ended,
    or somebody has settled whose customer it is since the event came."""
    event = received.event
    relation = Relation.of(event.external_userid, event.userid)
    if relation is None or not relation.is_live:
        return True
    settled = Conflict.select().where(
        Conflict.external_userid == event.external_userid,
        Conflict.state == RESOLVED,
        Conflict.resolved_at >= received.received_at,
    )
    return any(event.userid in (one.owner, *one.contenders) for one in settled)
