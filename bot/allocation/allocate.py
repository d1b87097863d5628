"""Give a new customer an owner, or show that two members are after one."""

from collections.abc import Sequence
from dataclasses import replace

from bot import clock
from bot.allocation.rules import Decision, Rule, choose_owner, first_contact, rules_from
from bot.customers.conflicts import open_conflict
from bot.handover import handovers
from bot.kegui import Kegui
from bot.models import Allocation, Conflict, Customer, Ownership, Relation, Staff
from bot.models.conflict import RESOLVED
from bot.models.customer import LIVE_RELATIONS
from bot.router import Received
from bot.staff import staff
from bot.staff.candidate import Candidate
from config import table

KEPT = "kept"
OWNED = "owned"
TRANSFER = "transfer"
NOBODY = "nobody"


def allocate(received: Received, kegui: Kegui) -> Allocation:
    """Settle whose customer it is after ``received`` brought a member and a customer together.

    A customer who has an owner stays with that owner: the second contact is a conflict. One
    conditional write decides, so that of two members at the same moment only one can win. The
    decision is stored with its reason, once for each event.
    """
    decided = Allocation.get_or_none(Allocation.event_id == received.id)
    if decided is None:
        decided = _decide(received, kegui)
    _carry_out(decided, received, kegui)
    return decided


def _decide(received: Received, kegui: Kegui) -> Allocation:
    event = received.event
    rules_table = table("allocation")
    owner = Ownership.current(event.external_userid)
    everybody: list[Candidate] = []
    if owner is not None and _still_serves(owner):
        decision = Decision(owner.userid, "the customer has an owner already", None)
        outcome = KEPT
    else:
        staff.has_met_a_customer(event.userid, kegui)
        everybody = staff.candidates(kegui)
        first = first_contact(_contacts_before(received), everybody)
        if Customer.get_by_id(event.external_userid).review:
            decision = Decision(None, "several members are in contact: a person decides", None)
        elif first is not None:
            decision = Decision(first, "the first member in contact, of whom no event spoke", None)
        else:
            rules = _as_spelled(rules_from(rules_table))
            decision = choose_owner(event.state, event.userid, rules, everybody)
        outcome = TRANSFER if decision.transfer else OWNED if decision.owner else NOBODY
    Allocation.insert(
        event_id=received.id,
        external_userid=event.external_userid,
        added_userid=event.userid,
        channel=event.state,
        owner=decision.owner,
        outcome=outcome,
        rule=decision.rule,
        rules_version=rules_table["version"],
        reason=decision.reason,
        candidates=_shown(everybody, decision),
        excluded=[{"userid": userid, "why": why} for userid, why in decision.excluded],
        decided_at=clock.now(),
    ).on_conflict_ignore().execute()
    return Allocation.get(Allocation.event_id == received.id)


def _as_spelled(rules: Sequence[Rule]) -> list[Rule]:
    """A rule may name a member by a userid that they had before."""
    return [replace(rule, userids=Staff.each_spelled(rule.userids)) for rule in rules]


def _shown(everybody: list[Candidate], decision: Decision) -> list[dict[str, object]]:
    """The members who could have been chosen, as they stood at that moment."""
    barred = dict(decision.excluded)
    return [
        {"userid": one.userid, "customers": one.customers, "capacity": one.capacity}
        for one in everybody
        if one.userid not in barred
    ]


def _contacts_before(received: Received) -> list[str]:
    """The other members in contact with the customer, the first one first."""
    event = received.event
    others = Relation.select(Relation.userid).where(
        Relation.external_userid == event.external_userid,
        Relation.userid != event.userid,
        Relation.state.in_(LIVE_RELATIONS),
        Relation.added_at < event.created_at,
    )
    return [relation.userid for relation in others.order_by(Relation.added_at, Relation.userid)]


def _still_serves(owner: Ownership) -> bool:
    """An owner keeps the customer while there is a contact between the two."""
    relation = Relation.of(owner.external_userid, owner.userid)
    return relation is not None and relation.is_live


def _carry_out(decided: Allocation, received: Received, kegui: Kegui) -> None:
    external_userid, added_userid = decided.external_userid, decided.added_userid
    if decided.outcome in (OWNED, TRANSFER):
        held = Ownership.current(external_userid)
        Ownership.move(
            external_userid,
            # Until WeCom has moved the customer, the member whom the customer knows is the owner.
            added_userid if decided.outcome == TRANSFER else str(decided.owner),
            held_by=held.userid if held and not _still_serves(held) else None,
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
