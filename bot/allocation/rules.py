"""Who looks after a new customer: rules, and the decision over plain values."""

import random
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from fnmatch import fnmatchcase
from functools import cached_property
from typing import Any, NamedTuple

from bot.staff import duty
from bot.staff.duty import Licence, Period

FIRST, ROUND_ROBIN, WEIGHTED = "first", "round_robin", "weighted"
LEAST_LOADED, FORMER_OWNER = "least_loaded", "former_owner"
STRATEGIES = (FIRST, ROUND_ROBIN, WEIGHTED, LEAST_LOADED, FORMER_OWNER)
WORK, OFF, ANY = "work", "off", "any"
HOURS = (WORK, OFF, ANY)
WECHAT, WECOM = "wechat", "wecom"
# WeCom's own numbers (path 92114).
TYPES: Mapping[str, int] = {WECHAT: 1, WECOM: 2}
EVERY_CHANNEL = "*"

# Why a candidate gets nobody; of the first two bot.staff.duty is the judge.
NO_LICENCE, LICENCE_EXPIRED = duty.NO_LICENCE, duty.LICENCE_EXPIRED
OFF_DUTY, ON_LEAVE = duty.OFF_DUTY, duty.ON_LEAVE
FULL, QUOTA, LEAVING, CONFLICT = "full", "quota", "leaving", "conflict"
EXCLUSIONS = (NO_LICENCE, LICENCE_EXPIRED, OFF_DUTY, ON_LEAVE, FULL, QUOTA, LEAVING, CONFLICT)

# Why a decision is as it is.
HAS_OWNER, UNDER_REVIEW = "has_owner", "under_review"
FIRST_CONTACT = "first_contact"
NO_RULE, ADDED_FITS, BY_STRATEGY = "no_rule", "added_member_fits", "by_strategy"
ADDED_UNFIT, NOBODY_FITS = "added_member_unfit", "nobody_fits"
NOT_IN_RULE = "not_in_rule"

# The place in a draw of whoever has the weight 0.
NEVER = float("inf")


@dataclass(frozen=True)
class Product:
    """A product line: the licences it needs, all of them, and the tags that speak of it."""

    licences: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()


@dataclass(frozen=True)
class Rule:
    """One rule; no departments and no userids: everybody.

    ``transfer`` None: as the strategy wants it. ``returning``: the customer had an owner before.
    ``weights``: of userids, or of departments where the strategy chooses those first.
    """

    name: str
    channels: tuple[str, ...] = (EVERY_CHANNEL,)
    departments: tuple[int, ...] = ()
    userids: tuple[str, ...] = ()
    transfer: bool | None = None
    strategy: str = FIRST
    licences: tuple[str, ...] = ()
    skills: tuple[str, ...] = ()
    product: str = ""
    region: str = ""
    tags: tuple[str, ...] = ()
    types: tuple[str, ...] = ()
    hours: str = ANY
    returning: bool | None = None
    weights: tuple[tuple[str, float], ...] = ()
    by_department: bool = False
    otherwise: str = ""

    @property
    def transfers(self) -> bool:
        """Whether somebody else than the added member may get the customer."""
        return self.strategy != FIRST if self.transfer is None else self.transfer

    @property
    def names_channels(self) -> bool:
        return EVERY_CHANNEL not in self.channels

    @cached_property
    def named(self) -> frozenset[str]:
        """WeCom does not tell upper from lower case in a userid; asked of every member in turn."""
        return frozenset(userid.lower() for userid in self.userids)

    @cached_property
    def weight_of(self) -> Mapping[str, float]:
        return {name.lower(): weight for name, weight in self.weights}

    def allows(self, person: "Person") -> bool:
        """Whether the member is one of those whom the rule is about, able or not."""
        if not set(self.skills) <= person.skills:
            return False
        if not self.departments and not self.userids:
            return True
        return person.userid.lower() in self.named or bool(
            set(self.departments) & set(person.departments)
        )


@dataclass(frozen=True)
class Rules:
    """Rules in their order, and the product lines that they speak of."""

    version: str
    rules: tuple[Rule, ...]
    products: Mapping[str, Product] = field(default_factory=dict)

    @cached_property
    def regions(self) -> frozenset[str]:
        """The regions that some rule names: only these tags say where a customer is."""
        return frozenset(rule.region for rule in self.rules if rule.region)

    @cached_property
    def by_name(self) -> Mapping[str, Rule]:
        return {rule.name: rule for rule in self.rules}

    def products_of(self, tags: frozenset[str]) -> frozenset[str]:
        """Return the products of which a customer's tags speak."""
        return frozenset(
            name
            for name, product in self.products.items()
            if name in tags or not tags.isdisjoint(product.tags)
        )

    def licences_for(self, rule: Rule, products: frozenset[str]) -> tuple[str, ...]:
        """Return the licences needed of whoever gets such a customer by this rule."""
        needed = dict.fromkeys(rule.licences)
        for name in (rule.product, *sorted(products)):
            if name in self.products:
                needed |= dict.fromkeys(self.products[name].licences)
        return tuple(needed)


@dataclass(frozen=True)
class Arrival:
    """A customer and the member they added.

    ``day``: by the firm's clock. ``former_owners``: the last one first. ``disputed``: members who
    are after this customer in an open conflict. ``owner``: who has the customer and is in contact
    with them. ``contacts_before``: members in contact of whom no event spoke, the first one first.
    """

    external_userid: str
    added_userid: str
    channel: str
    at: datetime
    day: date
    is_work_time: bool = True
    type: int | None = None
    tags: frozenset[str] = frozenset()
    former_owners: tuple[str, ...] = ()
    disputed: frozenset[str] = frozenset()
    owner: str | None = None
    is_under_review: bool = False
    contacts_before: tuple[str, ...] = ()


@dataclass(frozen=True)
class Person:
    """A member who might own a customer. ``capacity`` None: WeCom's own limit decides.

    ``unfit``: one of ``EXCLUSIONS`` that holds whatever the hour, or ""; ``unfit_detail`` says it
    more closely.
    """

    userid: str
    departments: tuple[int, ...] = ()
    capacity: int | None = None
    daily_quota: int | None = None
    licences: tuple[Licence, ...] = ()
    skills: frozenset[str] = frozenset()
    availability: tuple[Period, ...] = ()
    unfit: str = ""
    unfit_detail: str = ""


@dataclass
class Numbers:
    """What changes with every customer: how many each has, how many each got today, and by rule
    when each got the last one (seconds of the epoch)."""

    load: dict[str, int] = field(default_factory=dict)
    today: dict[str, int] = field(default_factory=dict)
    turns: dict[str, dict[str, float]] = field(default_factory=dict)

    def note(self, rule: str, userid: str, at: datetime) -> None:
        """Count a customer whom somebody got."""
        self.load[userid] = self.load.get(userid, 0) + 1
        self.today[userid] = self.today.get(userid, 0) + 1
        self.turns.setdefault(rule, {})[userid] = at.timestamp()


class Judged(NamedTuple):
    """A candidate as the decision saw them; ``excluded_by`` "": eligible."""

    userid: str
    excluded_by: str
    detail: str
    load: int


@dataclass(frozen=True)
class Decision:
    """The owner and why; ``transfer`` says that WeCom must move the customer first.

    ``code`` and ``facts`` are the reason; ``passed``: the rules that found nobody, before.
    """

    owner: str | None
    code: str
    facts: Mapping[str, Any] = field(default_factory=dict)
    rule: str | None = None
    transfer: bool = False
    candidates: tuple[Judged, ...] = ()
    passed: tuple[str, ...] = ()


class Firm:
    """The members, in an order that no database changes, and whom each rule is about."""

    def __init__(self, people: Iterable[Person]) -> None:
        self.people = tuple(sorted(people, key=lambda one: one.userid))
        self._pools: dict[Rule, tuple[Person, ...]] = {}
        self._able: dict[Rule, tuple[object, tuple[Person, ...]]] = {}
        self._by_id = {one.userid.lower(): one for one in self.people}

    def get(self, userid: str) -> Person | None:
        return self._by_id.get(userid.lower())

    def pool(self, rule: Rule) -> tuple[Person, ...]:
        """Return the members whom a rule is about, able or not."""
        if rule not in self._pools:
            self._pools[rule] = tuple(one for one in self.people if rule.allows(one))
        return self._pools[rule]

    def able(self, rule: Rule, needed: tuple[str, ...], day: date) -> tuple[Person, ...]:
        """Return those of a rule's pool who have the licences on a day, and whom nothing keeps
        whatever the hour."""
        known, found = self._able.get(rule, (None, ()))
        if known != (needed, day):
            found = tuple(
                one
                for one in self.pool(rule)
                if not one.unfit and not duty.lacking(needed, one.licences, day)[0]
            )
            # Arrivals come day by day: the last one is enough.
            self._able[rule] = ((needed, day), found)
        return found


def covering(arrival: Arrival, rules: Rules) -> Rule | None:
    """Return the first rule whose conditions an arrival meets."""
    products = rules.products_of(arrival.tags) if arrival.tags else frozenset()
    regions = arrival.tags & rules.regions if arrival.tags else frozenset()
    return next((one for one in rules.rules if _covers(one, arrival, products, regions)), None)


def _covers(
    rule: Rule, arrival: Arrival, products: frozenset[str], regions: frozenset[str]
) -> bool:
    """Product and region hold for whoever comes by a channel that the rule names, and otherwise
    for those whose tags say so; never for those whose tags say another one."""
    if not any(fnmatchcase(arrival.channel, pattern) for pattern in rule.channels):
        return False
    if rule.product and not _fits(rule.product, products, rule):
        return False
    if rule.region and not _fits(rule.region, regions, rule):
        return False
    if not arrival.tags.issuperset(rule.tags):
        return False
    if rule.types and arrival.type not in [TYPES[one] for one in rule.types]:
        return False
    if rule.hours != ANY and arrival.is_work_time != (rule.hours == WORK):
        return False
    return rule.returning is None or bool(arrival.former_owners) == rule.returning


def _fits(wanted: str, known: frozenset[str], rule: Rule) -> bool:
    return wanted in known if known else rule.names_channels


def decide(
    arrival: Arrival,
    rules: Rules,
    firm: Firm,
    numbers: Numbers,
    seed: int,
    *,
    explain: bool = True,
) -> Decision:
    """Choose the owner of a customer.

    An owner in contact keeps the customer. Of several members in contact a person decides; whoever
    serves the customer already, and no event said so, keeps them, room or not. Otherwise the first
    rule that covers the arrival decides; where it finds nobody, the rule that it names
    in ``otherwise`` does. Its strategy puts the candidates in an order, and the first of them
    whom nothing excludes gets the customer. The same values always give the same answer: where
    several are alike, the seed says who comes first.

    Args:
        numbers: read, never changed.
        explain: name every candidate of the rule, and why they are excluded.
    """
    if arrival.owner is not None:
        return Decision(arrival.owner, HAS_OWNER)
    if arrival.is_under_review:
        return Decision(None, UNDER_REVIEW)
    rule = covering(arrival, rules)
    products = rules.products_of(arrival.tags) if arrival.tags else frozenset()
    first = _first_contact(arrival, firm, rules.licences_for(rule or Rule(""), products))
    if first is not None:
        return Decision(first, FIRST_CONTACT)
    if rule is None:
        return Decision(None, NO_RULE)
    passed: list[str] = []
    while True:
        judge = _Judge(arrival, firm, numbers, rules.licences_for(rule, products))
        chosen, code, facts = _choose(rule, judge, seed)
        following = rules.by_name.get(rule.otherwise)
        if chosen is not None or following is None or following.name in (*passed, rule.name):
            break
        passed.append(rule.name)
        rule = following
    return Decision(
        chosen,
        code,
        facts,
        rule.name,
        chosen is not None and chosen.lower() != arrival.added_userid.lower(),
        tuple(judge.judged(one) for one in firm.pool(rule)) if explain else (),
        tuple(passed),
    )


def _first_contact(arrival: Arrival, firm: Firm, needed: tuple[str, ...]) -> str | None:
    judge = _Judge(arrival, firm, Numbers(), needed)
    for userid in arrival.contacts_before:
        person = firm.get(userid)
        # Nothing is counted: they have this customer already.
        if person is not None and judge.excludes(person)[0] in ("", FULL, QUOTA):
            return person.userid
    return None


def _choose(rule: Rule, judge: "_Judge", seed: int) -> tuple[str | None, str, dict[str, Any]]:
    """Return the chosen member and the reason."""
    arrival = judge.arrival
    added = judge.firm.get(arrival.added_userid)
    why = NOT_IN_RULE
    if added is not None and rule.allows(added):
        why = judge.excludes(added)[0]
    if not why and added is not None and (rule.strategy == FIRST or not rule.transfers):
        return added.userid, ADDED_FITS, {}
    if not rule.transfers:
        return None, ADDED_UNFIT, {"why": why}
    able = judge.firm.able(rule, judge.needed, arrival.day)
    for person in _in_order(rule, able, judge, seed):
        if not judge.excludes(person)[0]:
            facts = {"strategy": rule.strategy, **({"why": why} if why else {})}
            return person.userid, BY_STRATEGY, facts
    return None, NOBODY_FITS, {"candidates": len(judge.firm.pool(rule))}


def _in_order(rule: Rule, pool: Sequence[Person], judge: "_Judge", seed: int) -> Iterator[Person]:
    """The candidates of a rule, the one who should get the customer first."""
    if rule.strategy == FORMER_OWNER:
        before = (*judge.arrival.former_owners, judge.arrival.added_userid)
        former = (judge.firm.get(userid) for userid in before)
        yield from (one for one in former if one is not None and rule.allows(one))
    if rule.strategy == FIRST and rule.userids:
        named = (judge.firm.get(userid) for userid in rule.userids)
        yield from (one for one in named if one is not None and rule.allows(one))
    if rule.by_department:
        for some in _departments_in_order(rule, pool, judge, seed):
            yield from _persons_in_order(rule, some, judge, seed)
    else:
        yield from _persons_in_order(rule, pool, judge, seed)


def _persons_in_order(
    rule: Rule, pool: Sequence[Person], judge: "_Judge", seed: int
) -> Iterator[Person]:
    count = len(pool)
    if not count:
        return
    keys = _keys(rule, pool, judge, seed)
    # Of those alike the seed says where to begin.
    start = -seed % count
    while (best := min(keys)) != NEVER:
        try:
            place = keys.index(best, start)
        except ValueError:
            place = keys.index(best)
        keys[place] = NEVER
        yield pool[place]


def _keys(rule: Rule, pool: Sequence[Person], judge: "_Judge", seed: int) -> list[float]:
    """The place of each candidate in the rule's order; the lowest comes first."""
    if rule.strategy == WEIGHTED:
        # The first of a sample without replacement (Efraimidis and Spirakis, 2006).
        draw = random.Random(seed)  # noqa: S311 - it decides, it keeps no secret
        if not rule.weights:
            return [draw.random() for _one in pool]
        weight_of = rule.weight_of
        return [_drawn(draw.random(), weight_of.get(one.userid.lower(), 1.0)) for one in pool]
    if rule.strategy == ROUND_ROBIN:
        turns = judge.numbers.turns.get(rule.name, {})
        return [turns.get(one.userid, 0.0) for one in pool]
    load = judge.numbers.load
    return [load.get(one.userid, 0) for one in pool]


def _drawn(number: float, weight: float) -> float:
    """The place of a candidate in a weighted draw, the lowest first; weight 0 is never drawn."""
    return NEVER if weight <= 0 else -((1.0 - number) ** (1.0 / weight))


def _departments_in_order(
    rule: Rule, pool: Sequence[Person], judge: "_Judge", seed: int
) -> list[list[Person]]:
    """The rule's departments with their members, the one whose turn it is first."""
    numbers = judge.numbers
    groups = [
        (number, [one for one in pool if number in one.departments]) for number in rule.departments
    ]
    filled = [(number, some) for number, some in groups if some]
    if rule.strategy == WEIGHTED:
        draw = random.Random(seed)  # noqa: S311 - it decides, it keeps no secret
        drawn = [
            (_drawn(draw.random(), rule.weight_of.get(str(number), 1.0)), some)
            for number, some in filled
        ]
        keyed = [(key, some) for key, some in drawn if key != NEVER]
    elif rule.strategy == ROUND_ROBIN:
        turns = numbers.turns.get(rule.name, {})
        keyed = [
            (max(turns.get(one.userid, 0.0) for one in some), some) for _number, some in filled
        ]
    else:
        keyed = [
            (sum(numbers.load.get(one.userid, 0) for one in some) / len(some), some)
            for _number, some in filled
        ]
    return [some for _key, some in sorted(keyed, key=lambda one: one[0])]


class _Judge:
    """Says of each candidate what keeps them from one arrival."""

    def __init__(
        self, arrival: Arrival, firm: Firm, numbers: Numbers, needed: tuple[str, ...]
    ) -> None:
        self.arrival, self.firm, self.numbers = arrival, firm, numbers
        self.needed = needed

    def excludes(self, person: Person) -> tuple[str, str]:
        """Return one of ``EXCLUSIONS`` with its detail, or two empty texts."""
        if person.unfit:
            return person.unfit, person.unfit_detail
        if self.needed:
            why, kind = duty.lacking(self.needed, person.licences, self.arrival.day)
            if why:
                return why, kind
        if person.availability and (why := duty.away(person.availability, self.arrival.at)):
            return why, ""
        if person.userid in self.arrival.disputed:
            return CONFLICT, ""
        load, today = self.numbers.load, self.numbers.today
        if person.capacity is not None and load.get(person.userid, 0) >= person.capacity:
            return FULL, ""
        quota = person.daily_quota
        if quota is not None and today.get(person.userid, 0) >= quota:
            return QUOTA, ""
        return "", ""

    def judged(self, person: Person) -> Judged:
        why, detail = self.excludes(person)
        return Judged(person.userid, why, detail, self.numbers.load.get(person.userid, 0))
