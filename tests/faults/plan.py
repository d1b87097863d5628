"""A busy time and its faults, drawn from a seed before anything happens."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from random import Random
from typing import Any

from bot.sandbox.switches import CHOICES

STAYING = ("zhangsan", "lisi", "wangwu", "zhaoliu")
LEAVING = ("leaver1", "leaver2")
# One of those who stay, and the userid that they get.
RENAMED = ("zhaoliu", "e2042")
BUSY_SECONDS = 11.0
# A raw control character, half an emoji, NUL.
ODD_NAMES = ("陈\x14", "赵\ud83d", "钱\x00")
ACTS = 46


@dataclass(frozen=True)
class Moment:
    """What happens ``at`` seconds after the beginning: a name of people's or of trouble's."""

    at: float
    name: str
    what: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Plan:
    """All that is decided by the seed; two plans of one seed are equal."""

    seed: int
    acts: list[Moment]
    troubles: list[Moment]
    old_customers: dict[str, list[str]]
    switches: dict[str, str] = field(default_factory=dict)

    @property
    def names(self) -> list[str]:
        return [moment.name for moment in self.troubles]


# Troubles on the way to WeCom: one after the other. (name, seconds, keywords of the fault)
AT_WECOM: tuple[tuple[str, float, dict[str, Any]], ...] = (
    ("slow", 3.0, {"latency_seconds": 5}),
    ("hangs", 3.0, {"hang": True, "hang_seconds": 6, "probability": 0.4}),
    ("wrong_json", 1.5, {"body": '{"errcode": 0, "errmsg": '}),
    ("not_json", 1.5, {"body": "<html>busy</html>", "probability": 0.6}),
    ("http_502", 1.5, {"http_status": 502, "body": "bad gateway"}),
    ("busy_-1", 2.0, {"errcode": -1, "probability": 0.6}),
    ("limit_45009", 1.0, {"errcode": 45009, "probability": 0.5}),
    ("limit_45033", 1.5, {"errcode": 45033, "probability": 0.5}),
    ("token_40014", 1.5, {"errcode": 40014}),
    ("untrusted_60020", 1.0, {"errcode": 60020}),
    ("forbidden_48002", 1.0, {"errcode": 48002, "probability": 0.5}),
    ("lost_answers", 2.5, {"after_execute": True, "probability": 0.5}),
    ("late_answers", 2.5, {"after_execute": True, "latency_seconds": 2, "drop": True}),
    ("token_revoked", 0.1, {}),
    ("secret_changed", 1.5, {"endpoint": "gettoken", "errcode": 40001}),
    ("refused", 2.0, {}),
    ("half_open", 3.0, {}),
)
# Troubles in the house: these may come at any moment, also together. (name, seconds)
IN_THE_HOUSE: tuple[tuple[str, float], ...] = (
    ("kill_web", 0.3),
    ("kill_worker", 0.5),
    ("kill_worker", 2.5),
    ("kill_clock", 0.5),
    ("two_workers", 3.0),
    ("two_clocks", 4.0),
    ("held_and_shuffled", 1.5),
)
WITH_SERVERS: tuple[tuple[str, float], ...] = (("postgres", 0.2), ("redis", 1.0))


def plan(seed: int, *, servers: bool) -> Plan:
    """Draw everything.

    Args:
        servers: PostgreSQL and Redis are there to be killed as well.
    """
    chance = Random(seed)  # noqa: S311 - repeatable moments, not secrets
    old = {
        one: [f"wm_old_{one}_{number}" for number in range(chance.randint(2, 6))]
        for one in (*STAYING[:2], *LEAVING)
    }
    acts = list(_acts(chance, old))
    # Drawn apart from the rest, which stays as it was.
    acts += _oddities(Random(f"odd {seed}"), acts)  # noqa: S311 - repeatable moments
    troubles = [*_at_wecom(chance), *_in_the_house(chance, servers)]
    # By the seed alone: what WeCom writes oddly changes nothing of what happens.
    switches = {
        "odd_characters": "raw" if seed % 2 else "escaped",
        "empty_lists": "null" if seed % 3 else "list",
        "event_characters": CHOICES["event_characters"][seed % 5],
    }
    return Plan(
        seed,
        sorted(acts, key=lambda one: one.at),
        sorted(troubles, key=lambda one: one.at),
        old,
        switches,
    )


def _delivery(chance: Random) -> dict[str, Any]:
    """How the callback goes: mostly well, else twice, late, or never."""
    how = chance.random()
    if how < 0.12:
        return {"times": chance.randint(2, 3)}
    if how < 0.22:
        return {"delay_seconds": round(chance.uniform(0.5, 4), 2)}
    return {"drop": True} if how < 0.28 else {}


def _acts(chance: Random, old: dict[str, list[str]]) -> Iterator[Moment]:
    met: list[tuple[str, str]] = []
    movable = {one: list(old.get(one, ())) for one in STAYING}
    leaves = sorted(chance.sample(range(12, ACTS - 4), len(LEAVING)))
    here = [*STAYING, *LEAVING]
    for number in range(ACTS):
        at = round(BUSY_SECONDS * (number + chance.random()) / ACTS, 2)
        if number in leaves:
            leaver = LEAVING[leaves.index(number)]
            here.remove(leaver)
            yield Moment(at, "leave", _leave(chance, leaver))
            continue
        dice = chance.random()
        if dice < 0.55 or not met:
            customer = f"wm_{number}"
            member = chance.choice(here)
            met.append((member, customer))
            more: dict[str, Any] = {"must_agree": True} if chance.random() < 0.1 else {}
            more |= {"with_code": False} if chance.random() < 0.06 else {}
            more |= (
                {"name": ODD_NAMES[number % 5] + str(number)} if number % 5 < len(ODD_NAMES) else {}
            )
            yield Moment(at, "meet", _meeting(chance, member, customer) | more)
        elif dice < 0.68:
            member, customer = chance.choice(met)
            second = chance.choice([one for one in here if one != member])
            if (second, customer) not in met:
                met.append((second, customer))
                yield Moment(at, "meet", _meeting(chance, second, customer))
        elif dice < 0.80:
            member, customer = chance.choice(met)
            yield Moment(at, "agree", _meeting(chance, member, customer))
        elif dice < 0.85:
            member, customer = chance.choice(met)
            yield Moment(at, "edit", _meeting(chance, member, customer))
        elif dice < 0.90:
            owner = chance.choice(here)
            what = {"owner": owner, "name": f"群{number}", "chat_id": f"wr_{number}"}
            yield Moment(at, "group", what)
        else:
            giving = chance.choice([one for one in STAYING if one in here])
            lot, movable[giving] = movable[giving][:2], movable[giving][2:]
            if lot:
                taking = chance.choice([one for one in STAYING if one != giving])
                what = {"handover_userid": giving, "takeover_userid": taking}
                yield Moment(at, "move", {**what, "external_userids": lot})


def _oddities(chance: Random, acts: list[Moment]) -> Iterator[Moment]:
    """Contacts that end soon, groups that go to another, an event that names nobody, and a member
    who has another userid from some moment on."""
    met = [one for one in acts if one.name == "meet"]
    times = Counter(one.what["external_userid"] for one in met)
    once = [one for one in met if times[one.what["external_userid"]] == 1]
    for one in chance.sample(once, min(4, len(once))):
        how = chance.choice(("delete_member", "delete_customer"))
        pair = _meeting(chance, one.what["userid"], one.what["external_userid"])
        yield Moment(_soon(chance, one), "part", pair | {"how": how})
    for one in acts:
        if one.name == "group" and one.what["owner"] in STAYING and chance.random() < 0.7:
            others = [member for member in STAYING if member != one.what["owner"]]
            what = {"chat_id": one.what["chat_id"], "owner": chance.choice(others)}
            yield Moment(_soon(chance, one), "regroup", what)
    unnamed = chance.choice(met)
    pair = {name: unnamed.what[name] for name in ("userid", "external_userid")}
    without = {"deliver": {"without": ["ExternalUserID"]}}
    yield Moment(_soon(chance, unnamed), "edit", pair | without)
    delivery = {"deliver": {"times": 2}} if chance.random() < 0.5 else {}
    at = round(chance.uniform(2, BUSY_SECONDS - 2), 2)
    yield Moment(at, "rename", {"userid": RENAMED[0], "new_userid": RENAMED[1]} | delivery)


def _soon(chance: Random, after: Moment) -> float:
    return round(after.at + chance.uniform(0.05, 2), 2)


def _meeting(chance: Random, userid: str, external_userid: str) -> dict[str, Any]:
    row: dict[str, Any] = {"userid": userid, "external_userid": external_userid}
    deliver = _delivery(chance)
    return row | ({"deliver": deliver} if deliver else {})


def _leave(chance: Random, userid: str) -> dict[str, Any]:
    """The account goes, with and without word of it; or a manager opens the case before."""
    deliver = _delivery(chance)
    how = chance.choice(("gone", "gone", "offboarded", "offboarded_then_gone"))
    return {"userid": userid, "how": how} | ({"deliver": deliver} if deliver else {})


def _at_wecom(chance: Random) -> Iterator[Moment]:
    """Four or five troubles, one after the other, with some peace in between."""
    at = chance.uniform(0.5, 1.5)
    for name, seconds, fault in chance.sample(AT_WECOM, len(AT_WECOM)):
        if at + seconds > BUSY_SECONDS:
            return
        repeatable = {"seed": chance.randrange(10_000)} if "probability" in fault else {}
        lift = chance.random() < 0.7
        yield Moment(round(at, 2), name, {"seconds": seconds, **fault, **repeatable, "lift": lift})
        at += seconds + chance.uniform(0.2, 1.2)


def _in_the_house(chance: Random, servers: bool) -> Iterator[Moment]:
    picked = chance.sample(IN_THE_HOUSE, 4)
    if servers:
        picked += chance.sample(WITH_SERVERS, chance.randint(1, 2))
    for name, seconds in picked:
        at = round(chance.uniform(1, BUSY_SECONDS - 1), 2)
        yield Moment(at, name, {"seconds": seconds})
