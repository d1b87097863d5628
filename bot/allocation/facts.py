"""What a decision is given: members, arrivals and numbers, as plain values and as they are kept."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime, time, timedelta, tzinfo
from typing import Any

from bot import clock
from bot.allocation import work_calendar
from bot.allocation.rule_files import products_from
from bot.allocation.rules import (
    LEAVING,
    OFF_DUTY,
    ON_LEAVE,
    ROUND_ROBIN,
    Arrival,
    Decision,
    Firm,
    Numbers,
    Person,
    Product,
    Rules,
)
from bot.allocation.work_calendar import WorkCalendar
from bot.kegui import Kegui
from bot.models import Allocation, Conflict, Customer, Ownership, Relation, Staff
from bot.models.conflict import OPEN
from bot.models.customer import LIVE_RELATIONS
from bot.models.staff import LEFT
from bot.router import Received
from bot.staff import duty, staff
from bot.staff.duty import Licence, Period
from config import table

# So far back a turn is remembered.
LONGEST_TURN = timedelta(days=90)


def people(default_capacity: int | None, zone: tzinfo) -> list[Person]:
    """Return the members as the rules see them, whoever may own customers or not."""
    gone = staff.leaving()
    return [
        _person(member, member.userid in gone, default_capacity, zone) for member in Staff.select()
    ]


def _person(member: Staff, is_leaving: bool, default_capacity: int | None, zone: tzinfo) -> Person:
    unfit, detail = _unfit(member, is_leaving)
    return Person(
        userid=member.userid,
        departments=tuple(member.departments),
        capacity=default_capacity if member.capacity is None else member.capacity,
        daily_quota=member.daily_quota,
        licences=duty.licences_of(member.licences),
        skills=frozenset(member.skills),
        availability=duty.periods_of(member.availability, zone),
        unfit=unfit,
        unfit_detail=detail,
    )


def _unfit(member: Staff, is_leaving: bool) -> tuple[str, str]:
    if member.left_at is not None or member.status == LEFT:
        return LEAVING, "has_left"
    if is_leaving:
        return LEAVING, ""
    if not member.is_here:
        return OFF_DUTY, "not_active"
    if not member.serves:
        return OFF_DUTY, "no_customer_contact"
    if member.on_leave:
        return ON_LEAVE, ""
    return ("", "") if member.on_duty else (OFF_DUTY, "")


def numbers(rules: Rules, now: datetime, zone: tzinfo) -> Numbers:
    """Count what each member has, got today by the firm's clock, and got last by a rule."""
    midnight = datetime.combine(now.astimezone(zone).date(), time(), zone)
    turns: dict[str, dict[str, float]] = {}
    for rule in rules.rules:
        if rule.strategy == ROUND_ROBIN:
            last = Allocation.last_turns(rule.name, now - LONGEST_TURN)
            turns[rule.name] = {userid: at.timestamp() for userid, at in last.items()}
    return Numbers(staff.customers_owned(), Allocation.received_since(midnight), turns)


def products() -> dict[str, Product]:
    """Return the product lines of config/products.toml."""
    return products_from(table("products"))


def calendar() -> WorkCalendar:
    """Return the calendar of config/work_calendar.toml."""
    return work_calendar.read(table("work_calendar"))


def arrival_of(received: Received, kegui: Kegui) -> Arrival:
    """Return what is known of a customer whom an event brought to a member."""
    event, zone = received.event, kegui.settings.zone
    external_userid = event.external_userid
    customer = Customer.get_by_id(external_userid)
    disputes = Conflict.select().where(
        Conflict.external_userid == external_userid, Conflict.state == OPEN
    )
    now = clock.now()
    return Arrival(
        external_userid=external_userid,
        added_userid=event.userid,
        channel=event.state,
        at=now,
        day=now.astimezone(zone).date(),
        is_work_time=calendar().is_work_time(now, zone),
        type=customer.type,
        tags=frozenset(customer.tags),
        former_owners=_former_owners(external_userid),
        disputed=frozenset(
            userid for one in disputes for userid in (one.owner, *one.contenders) if userid
        ),
        owner=_owner_in_contact(external_userid),
        is_under_review=bool(customer.review),
        contacts_before=_contacts_before(received),
    )


def _owner_in_contact(external_userid: str) -> str | None:
    owner = Ownership.current(external_userid)
    return owner.userid if owner is not None and still_serves(owner) else None


def still_serves(owner: Ownership) -> bool:
    """An owner keeps the customer while there is a contact between the two."""
    relation = Relation.of(owner.external_userid, owner.userid)
    return relation is not None and relation.is_live


def _former_owners(external_userid: str) -> tuple[str, ...]:
    """The members to whom the customer belonged, the last one first."""
    rows = Ownership.select(Ownership.userid).where(Ownership.external_userid == external_userid)
    newest_first = rows.order_by(Ownership.since.desc(), Ownership.id.desc())
    return tuple(dict.fromkeys(row.userid for row in newest_first))


def _contacts_before(received: Received) -> tuple[str, ...]:
    """The other members in contact with the customer, the first one first."""
    event = received.event
    others = Relation.select(Relation.userid).where(
        Relation.external_userid == event.external_userid,
        Relation.userid != event.userid,
        Relation.state.in_(LIVE_RELATIONS),
        Relation.added_at < event.created_at,
    )
    in_order = others.order_by(Relation.added_at, Relation.userid)
    return tuple(relation.userid for relation in in_order)


def arrival_kept(arrival: Arrival) -> dict[str, Any]:
    """Return an arrival as it is kept, beside the columns that say who came, to whom and when."""
    return {
        "day": arrival.day.isoformat(),
        "is_work_time": arrival.is_work_time,
        "type": arrival.type,
        "tags": sorted(arrival.tags),
        "former_owners": list(arrival.former_owners),
        "disputed": sorted(arrival.disputed),
        "owner": arrival.owner,
        "is_under_review": arrival.is_under_review,
        "contacts_before": list(arrival.contacts_before),
    }


def arrival_read(row: Allocation, zone: tzinfo) -> Arrival:
    """Read the arrival of a decision as it was kept."""
    kept = row.arrival
    day = kept.get("day")
    return Arrival(
        external_userid=row.external_userid,
        added_userid=row.added_userid,
        channel=row.channel,
        at=row.decided_at,
        day=date.fromisoformat(day) if day else row.decided_at.astimezone(zone).date(),
        is_work_time=kept.get("is_work_time", True),
        type=kept.get("type"),
        tags=frozenset(kept.get("tags", ())),
        former_owners=tuple(kept.get("former_owners", ())),
        disputed=frozenset(kept.get("disputed", ())),
        owner=kept.get("owner"),
        is_under_review=kept.get("is_under_review", False),
        contacts_before=tuple(kept.get("contacts_before", ())),
    )


def explanation(
    decision: Decision, arrival: Arrival, rules: Rules, firm: Firm, counted: Numbers
) -> dict[str, Any]:
    """Return what is kept so that a decision can be read, and decided again."""
    by_id = {one.userid: one for one in firm.people}
    concerned = _concerned(decision, arrival, rules, firm)
    ids = {one.userid for one in concerned}
    return {
        "owner": decision.owner,
        "rule": decision.rule,
        "candidates": [
            {
                "userid": one.userid,
                "eligible": not one.excluded_by,
                "excluded_by": one.excluded_by or None,
                "detail": one.detail or None,
                "load": one.load,
                "capacity": by_id[one.userid].capacity,
            }
            for one in decision.candidates
        ],
        "passed": list(decision.passed),
        "code": decision.code,
        "facts": dict(decision.facts),
        "people": [_kept(one, arrival.at) for one in concerned],
        "today": {userid: number for userid, number in counted.today.items() if userid in ids},
        "load": {userid: number for userid, number in counted.load.items() if userid in ids},
        "turns": {
            rule: {userid: at for userid, at in last.items() if userid in ids}
            for rule, last in counted.turns.items()
        },
        "spellings": {userid: userid for rule in rules.rules for userid in rule.userids},
        "products": {
            name: [list(one.licences), list(one.tags)] for name, one in rules.products.items()
        },
    }


def _concerned(decision: Decision, arrival: Arrival, rules: Rules, firm: Firm) -> list[Person]:
    """The members on whom the decision hung: others could not have changed it."""
    asked = [rules.by_name[name] for name in (*decision.passed, decision.rule) if name]
    named = {arrival.added_userid, *arrival.former_owners, *arrival.contacts_before}
    return [
        one for one in firm.people if one.userid in named or any(rule.allows(one) for rule in asked)
    ]


def _kept(person: Person, at: datetime) -> list[Any]:
    return [
        person.userid,
        list(person.departments),
        person.capacity,
        person.daily_quota,
        [
            [one.kind, one.number, _iso(one.valid_from), _iso(one.valid_to)]
            for one in person.licences
        ],
        sorted(person.skills),
        [
            [one.start.isoformat(), one.end.isoformat(), one.kind]
            for one in duty.as_of(person.availability, at)
        ],
        person.unfit,
        person.unfit_detail,
    ]


def firm_read(kept: Iterable[Sequence[Any]]) -> Firm:
    """Read the members of a decision as they were."""
    return Firm(
        Person(
            userid,
            tuple(departments),
            capacity,
            quota,
            tuple(
                Licence(kind, number, _date(begins), _date(ends))
                for kind, number, begins, ends in licences
            ),
            frozenset(skills),
            tuple(
                Period(datetime.fromisoformat(start), datetime.fromisoformat(end), kind)
                for start, end, kind in periods
            ),
            unfit,
            detail,
        )
        for userid, departments, capacity, quota, licences, skills, periods, unfit, detail in kept
    )


def numbers_read(kept: Mapping[str, Any]) -> Numbers:
    """Read the numbers of a decision as they were."""
    return Numbers(dict(kept["load"]), dict(kept["today"]), dict(kept["turns"]))


def products_read(kept: Mapping[str, Any]) -> dict[str, Product]:
    """Read the product lines of a decision as they were."""
    return {name: Product(tuple(one[0]), tuple(one[1])) for name, one in kept["products"].items()}


def _iso(day: date | None) -> str | None:
    return None if day is None else day.isoformat()


def _date(text: str | None) -> date | None:
    return None if text is None else date.fromisoformat(text)
