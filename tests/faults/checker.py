"""Compare what the sandbox executed with what Kegui recorded; knows nothing of Kegui's inside.

``python -m tests.faults.checker --sandbox URL --kegui URL`` with an API token that may read in
``KEGUI_TOKEN`` prints every violation and exits 1 if there is one. It reads the sandbox's books
(docs/sandbox.md) and the REST API, nothing else: no module of Kegui is imported here.
"""

import argparse
import json
import os
import re
import sys
import urllib.request
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, fields, replace
from datetime import datetime
from typing import Any
from urllib.parse import quote, urlencode

Row = dict[str, Any]
Pair = tuple[str, str]

GAP_SECONDS = 60
TIMEOUT_SECONDS = 30
ADDS = ("add_external_contact", "add_half_external_contact")
AGREED = "msg_audit_approved"
LIVE_IN_KEGUI = ("active", "half")
LIVE_AT_WECOM = ("full", "half")
# The customer deleted the member: the relation is one-way, but the member still has it.
KEPT_AT_WECOM = (*LIVE_AT_WECOM, "deleted_by_customer")
LEFT = 5
CASE_ENDS = ("done", "done_with_exceptions", "cancelled")
ITEM_OPEN = ("planned", "submitted", "waiting")
ITEM_EXCEPTIONS = ("refused", "limit", "failed")
ABOUT_CONFLICTS = "撞单"
DIGEST = "存档告知提醒"
DIGEST_LINE = "· "
# Which attempts say that WeCom never took the transfer on.
NOT_TAKEN = ("not_sent", "unfit", "limit", "failed")
# The leave came between: WeCom shows nothing of it, whether it ever began it or not.
IN_DOUBT = "overtaken"


@dataclass
class Books:
    """What both sides say: the sandbox's books as they are, and what Kegui's REST API lists.

    ``timelines`` by external_userid, ``items`` by the number of their case, ``kegui_events`` with
    their fields. ``now`` is real time in unix seconds; ``gap_seconds`` how long after its last
    add event a pair must stand in the gap list.
    """

    events: list[Row] = field(default_factory=list)
    executed: list[Row] = field(default_factory=list)
    deliveries: list[Row] = field(default_factory=list)
    calls: list[Row] = field(default_factory=list)
    state: Row = field(default_factory=dict)
    kegui_events: list[Row] = field(default_factory=list)
    gaps: list[Row] = field(default_factory=list)
    customers: list[Row] = field(default_factory=list)
    timelines: dict[str, list[Row]] = field(default_factory=dict)
    cases: list[Row] = field(default_factory=list)
    items: dict[int, list[Row]] = field(default_factory=dict)
    conflicts: list[Row] = field(default_factory=list)
    alarms: list[Row] = field(default_factory=list)
    now: float = 0.0
    gap_seconds: float = GAP_SECONDS
    planted_dead: frozenset[str] = frozenset()

    def effects(self, name: str) -> list[Row]:
        return [row for row in self.executed if row["effect"] == name]

    def notices(self, pair: Pair) -> list[Row]:
        """Return what Kegui says of the notices of one (userid, external_userid)."""
        userid, external_userid = pair
        return [
            entry
            for entry in self.timelines.get(external_userid, ())
            if entry["kind"] == "notice" and entry["userid"] == userid
        ]

    def answered(self) -> list[Row]:
        """Return the platform's events of which at least one delivery was answered 200."""
        seqs = {row["event_seq"] for row in self.deliveries if row["status"] == 200}
        return [event for event in self.events if event["seq"] in seqs]

    def items_of(self, external_userid: str) -> list[tuple[Row, Row]]:
        """Return (case, item) for each item that moves this customer."""
        return [
            (case, item)
            for case in self.cases
            for item in self.items.get(case["id"], ())
            if item["kind"] == "customer" and item["external_userid"] == external_userid
        ]


# What nobody can read stands as a mark in what Kegui says.
ODD = re.compile("[\x00-\x1f\ud800-\udfff]")
Rule = Callable[[Books], Iterator[str]]
# What either side says; the rest is how the checker was called.
CHANGED = [one for one in fields(Books) if one.name not in ("now", "gap_seconds", "planted_dead")]


def identity(event: Row) -> tuple[str, ...]:
    """What makes two events the same, as far as both sides show it (codes are hidden)."""
    fields = event["fields"] or {}
    source = event.get("door") or event.get("source") or ""
    names = ("FromUserName", "CreateTime", "Event", "ChangeType", "UserID", "ExternalUserID")
    return (str(source), *(str(fields.get(name, "")) for name in (*names, "ChatId")))


def _shown(key: tuple[str, ...]) -> str:
    return " ".join(part for part in (key[0], *key[3:]) if part)


def answered_callbacks_are_events(books: Books) -> Iterator[str]:
    """Every callback that was answered 200 is exactly one event, and no other event exists."""
    known = Counter(identity(event) for event in books.kegui_events)
    answered, sent = _different(books.answered()), _different(books.events)
    for key, number in answered.items():
        if known[key] < number:
            yield f"answered 200, but {known[key]} events of {number}: {_shown(key)}"
    for key, times in known.items():
        if key not in sent:
            yield f"an event that the platform never sent: {_shown(key)}"
        elif times > sent[key]:
            yield f"one event stands there {times} times: {_shown(key)}"


def _different(events: Iterable[Row]) -> dict[tuple[str, ...], int]:
    """Count the events of each identity that differ all the same: by a code that is hidden."""
    found: dict[tuple[str, ...], set[str]] = defaultdict(set)
    for event in events:
        found[identity(event)].add(json.dumps(event["fields"], sort_keys=True))
    return {key: len(bodies) for key, bodies in found.items()}


def events_have_ended(books: Books) -> Iterator[str]:
    """Every event is done or ignored; dead only where that was planted."""
    for event in books.kegui_events:
        planted = event["state"] == "dead" and (
            event["change_type"] in books.planted_dead or _names_nobody(event)
        )
        if event["state"] not in ("done", "ignored") and not planted:
            yield f"event {event['id']} ({_shown(identity(event))}) is {event['state']}" + (
                f": {event['error']}" if event["error"] else ""
            )


def _names_nobody(event: Row) -> bool:
    """Whether it lacks the id that Kegui says it lacks."""
    if event["error_code"] != "event_lacks":
        return False
    ids = ("UserID", "ExternalUserID")
    return any(one in event["error"] and one not in event["fields"] for one in ids)


def welcomes_were_sent_once(books: Books) -> Iterator[str]:
    """One welcome for each code, and not more for a pair than it had add events."""
    sent = books.effects("welcome_sent")
    for code, times in Counter(row["welcome_code"] for row in sent).items():
        if times > 1:
            yield f"welcome code {code[:6]}… was used {times} times"
    adds = Counter(
        (event["fields"].get("UserID"), event["fields"].get("ExternalUserID"))
        for event in books.events
        if event["change_type"] in ADDS
    )
    for pair, times in Counter(_pair(row) for row in sent).items():
        if times > max(adds[pair], 1):
            yield f"{_named(pair)} was welcomed {times} times for {adds[pair]} adds"


def _pair(row: Mapping[str, Any]) -> Pair:
    return (str(row["userid"]), str(row["external_userid"]))


def _named(pair: Pair) -> str:
    return f"{pair[1]} by {pair[0]}"


def messages_were_sent_once(books: Books) -> Iterator[str]:
    """Nobody gets the same text twice, also when a name in it was not known the first time.

    One about a conflict may come once for each conflict of the customer.
    """
    conflicts = Counter(conflict["external_userid"] for conflict in books.conflicts)
    sent: Counter[tuple[str, str]] = Counter()
    about: dict[str, str] = {}
    for row in books.effects("app_message"):
        text = _with_ids(books, str(row["content"]))
        if DIGEST not in text:
            sent[str(row["recipient"]), text] += 1
            about[text] = next((one for one in conflicts if f"“{one}”" in text), "")
    for (recipient, text), times in sent.items():
        allowed = max(conflicts[about[text]], 1) if ABOUT_CONFLICTS in text else 1
        if times > allowed:
            yield f"{recipient} got one message {times} times: {text[:80]}"


def _with_ids(books: Books, text: str) -> str:
    """Put the ids in the place of names: a text must not differ by what was known when."""
    for customer in books.state["customers"]:
        name = ODD.sub("\ufffd", customer["name"])
        text = text.replace(f"“{name}”", f"“{customer['external_userid']}”")
    for member in books.state["staff"]:
        text = text.replace(str(member["name"]), str(member["userid"]))
    return text


def digests_name_nobody_twice(books: Books) -> Iterator[str]:
    """No member is asked twice to tell one customer by hand."""
    ids = {one["name"]: one["external_userid"] for one in books.state["customers"]}
    asked: Counter[Pair] = Counter()
    for row in books.effects("app_message"):
        if DIGEST in str(row["content"]):
            for line in str(row["content"]).splitlines():
                if line.startswith(DIGEST_LINE):
                    name = line.removeprefix(DIGEST_LINE)
                    asked[str(row["recipient"]), ids.get(name, name)] += 1
    adds = Counter(
        (event["fields"].get("UserID"), event["fields"].get("ExternalUserID"))
        for event in books.events
        if event["change_type"] in ADDS
    )
    for pair, times in asked.items():
        if times > max(adds[pair], 1):
            yield f"{pair[0]} was asked {times} times to tell {pair[1]}"


def conflicts_were_told(books: Books) -> Iterator[str]:
    """All whom a conflict concerns and who still serve have heard of it."""
    here = {str(one["userid"]) for one in books.state["staff"] if one["left_at"] is None}
    told: dict[str, list[str]] = defaultdict(list)
    for row in books.effects("app_message"):
        told[str(row["recipient"])].append(_with_ids(books, str(row["content"])))
    for conflict in books.conflicts:
        customer = f"“{conflict['external_userid']}”"
        for userid in sorted({conflict["owner"], *conflict["contenders"]} & here):
            if not any(ABOUT_CONFLICTS in text and customer in text for text in told[userid]):
                yield f"{userid} never heard of conflict {conflict['id']} about {customer}"


def transfers_began_once(books: Books) -> Iterator[str]:
    """Every transfer that WeCom began is one attempt of Kegui's, and the other way round."""
    began = Counter(_move(row) for row in books.effects("transfer_started"))
    attempts: Counter[tuple[str, str, str]] = Counter()
    in_doubt: Counter[tuple[str, str, str]] = Counter()
    for case in books.cases:
        for item in books.items.get(case["id"], ()):
            if item["kind"] == "customer":
                for attempt in item["attempts"]:
                    if attempt["status"] not in NOT_TAKEN:
                        move = (case["userid"], attempt["takeover_userid"], item["external_userid"])
                        attempts[move] += 1
                        in_doubt[move] += attempt["status"] == IN_DOUBT
    for move, times in began.items():
        if times > attempts[move] + _taken_after_all(books, move):
            yield f"{_moved(move)} began {times} times, {attempts[move]} attempts say so"
        if times > 1 and times > _failed(books, move) + 1:
            yield f"{_moved(move)} began {times} times"
    for move, times in attempts.items():
        sure = times - in_doubt[move]
        if sure > max(began[move], 1) or (sure and not began[move]):
            yield f"{times} attempts, but {_moved(move)} began {began[move]} times"


def _move(row: Mapping[str, Any]) -> tuple[str, str, str]:
    return (str(row["handover"]), str(row["takeover"]), str(row["external_userid"]))


def _moved(move: tuple[str, str, str]) -> str:
    return f"the transfer of {move[2]} from {move[0]} to {move[1]}"


def _failed(books: Books, move: tuple[str, str, str]) -> int:
    return sum(_move(row) == move for row in books.effects("transfer_failed"))


def _taken_after_all(books: Books, move: tuple[str, str, str]) -> int:
    """WeCom took some on and ended them as full: their attempts say ``limit``."""
    return min(
        _failed(books, move),
        sum(
            attempt["status"] == "limit" and attempt["takeover_userid"] == move[1]
            for case, item in books.items_of(move[2])
            if case["userid"] == move[0]
            for attempt in item["attempts"]
        ),
    )


def transfers_ended_as_recorded(books: Books) -> Iterator[str]:
    """A customer whom WeCom has moved is done in Kegui; one whom it has not has the reason."""
    for move in sorted({_move(row) for row in books.effects("transfer_completed")}):
        ends = [
            item["state"]
            for case, item in books.items_of(move[2])
            if case["userid"] == move[0] and item["takeover_userid"] == move[1]
        ]
        if "done" not in ends:
            yield f"{_moved(move)} is complete, but Kegui says {ends or 'nothing'}"
    done = {_move(row) for row in books.effects("transfer_completed")}
    for case in books.cases:
        for item in books.items.get(case["id"], ()):
            name = item.get("external_userid") or item["chat_id"]
            where = f"item {item['id']} ({name}) of {case['kind']} {case['id']}"
            if item["state"] in ITEM_EXCEPTIONS and not item["reason"]:
                yield f"{where} is {item['state']} without a reason"
            if item["kind"] != "customer" or item["state"] != "done":
                continue
            move = (case["userid"], str(item["takeover_userid"]), name)
            if item["reason"] != "already_contact" and move not in done:
                yield f"{where} is done, but WeCom never completed {_moved(move)}"


def groups_moved_once(books: Books) -> Iterator[str]:
    """A group goes once to one new owner, and every group that moved is done in Kegui."""
    moved = [
        (str(row["handover"]), str(row["takeover"]), str(row["chat_id"]))
        for row in books.effects("group_transferred")
    ]
    for (handover, _, chat_id), times in Counter(moved).items():
        if times > 1:
            yield f"group {chat_id} of {handover} was transferred {times} times"
    done = {
        (case["userid"], item["takeover_userid"], item["chat_id"])
        for case in books.cases
        for item in books.items.get(case["id"], ())
        if item["kind"] == "group" and item["state"] == "done"
    }
    for handover, takeover, chat_id in sorted(set(moved) - done):
        yield f"group {chat_id} went from {handover} to {takeover}, but Kegui does not say done"
    owners = {str(group["chat_id"]): str(group["owner"]) for group in books.state["groups"]}
    for handover, takeover, chat_id in sorted(done):
        if owners.get(chat_id) == handover:
            yield f"group {chat_id} is done for {takeover}, but WeCom shows {handover} as its owner"


def welcomes_are_recorded(books: Books) -> Iterator[str]:
    """Every welcome that was executed is recorded as delivered or unknown, and none is made up."""
    sent = Counter(_pair(row) for row in books.effects("welcome_sent"))
    pairs = set(sent) | {
        (str(entry["userid"]), external_userid)
        for external_userid, timeline in books.timelines.items()
        for entry in timeline
        if entry["kind"] == "notice"
    }
    for pair in sorted(pairs):
        states = Counter(notice["state"] for notice in books.notices(pair))
        if sent[pair] > states["delivered"] + states["unknown"]:
            yield f"{_named(pair)} was welcomed, but recorded is {dict(states) or 'nothing'}"
        if states["delivered"] > sent[pair]:
            yield f"{_named(pair)} is recorded as delivered, but WeCom sent {sent[pair]} welcomes"


def untold_pairs_are_gaps(books: Books) -> Iterator[str]:
    """A pair whose welcome was not delivered for certain stands in the gap list with a reason.

    It may stay away while less than a minute has passed since its last add event, while it waits
    for the customer's agreement, and where one alarm stands for all pairs of a silent member.
    """
    gaps = {_pair(gap): gap for gap in books.gaps}
    silent = {alarm["subject"] for alarm in books.alarms if alarm["kind"] == "no_welcome_codes"}
    for pair, added_at in sorted(_last_adds(books).items()):
        states = [notice["state"] for notice in books.notices(pair)]
        told = any(state in ("delivered", "by_hand", "awaiting_consent") for state in states)
        if told or pair[0] in silent or not _is_live(books, pair):
            continue
        if books.now - added_at < books.gap_seconds:
            if "unknown" not in states and not any(
                notice["reason"] for notice in books.notices(pair)
            ):
                yield f"{_named(pair)} was not told, and nothing says why"
        elif pair not in gaps:
            yield f"{_named(pair)} was not told ({', '.join(states) or 'no notice'}), and no gap"
        elif not gaps[pair]["reason"]:
            yield f"the gap of {_named(pair)} has no reason"
    for pair in sorted(gaps):
        if not _is_live(books, pair):
            yield f"a gap of a pair that is not in contact: {_named(pair)}"


def _last_adds(books: Books) -> dict[Pair, float]:
    """Return when the last add event of each pair came, of those that were answered 200."""
    moved = {(move[1], move[2]) for move in map(_move, books.effects("transfer_completed"))}
    answered = {identity(event) for event in books.answered()}
    found: dict[Pair, float] = {}
    for event in books.kegui_events:
        if event["change_type"] in ADDS and identity(event) in answered:
            pair = (str(event["fields"]["UserID"]), str(event["fields"]["ExternalUserID"]))
            at = datetime.fromisoformat(event["received_at"]).timestamp()
            # The add that follows a transfer is no new contact, but the same pair may have one.
            if pair not in moved:
                found[pair] = max(at, found.get(pair, at))
    return found


def _is_live(books: Books, pair: Pair) -> bool:
    return any(
        relation["userid"] == pair[0] and relation["state"] in LIVE_IN_KEGUI
        for customer in books.customers
        if customer["external_userid"] == pair[1]
        for relation in customer["relations"]
    )


def agreements_are_recorded(books: Books) -> Iterator[str]:
    """Every agreement whose callback was answered 200 is recorded for its conversation."""
    agreed = {
        (str(answer["userid"]), str(customer["external_userid"]))
        for customer in books.customers
        for answer in customer["consent"]["platform"]
        if answer["state"] == "agreed" and answer.get("userid")
    }
    for event in books.answered():
        if event["change_type"] == AGREED:
            pair = (str(event["fields"]["UserID"]), str(event["fields"]["ExternalUserID"]))
            if pair not in agreed:
                yield f"the agreement of {_named(pair)} is not recorded"


def customers_have_one_owner(books: Books) -> Iterator[str]:
    """Every customer in contact with somebody has one owner, who has or gets a relation."""
    owners = {one["external_userid"]: one["owner"] for one in books.customers}
    for userid, times in Counter(one["external_userid"] for one in books.customers).items():
        if times > 1:
            yield f"customer {userid} stands there {times} times"
    here = {str(one["userid"]) for one in books.state["staff"] if one["left_at"] is None}
    spoken_of = {
        str(event["fields"].get("ExternalUserID"))
        for event in books.answered()
        if event["change_type"] in ADDS
    }
    for customer in books.state["customers"]:
        external_userid = str(customer["external_userid"])
        kept = {
            str(relation["userid"])
            for relation in customer["relations"]
            if relation["status"] in KEPT_AT_WECOM and relation["userid"] in here
        }
        is_live = any(
            relation["status"] in LIVE_AT_WECOM and relation["userid"] in here
            for relation in customer["relations"]
        )
        if not is_live:
            continue
        if external_userid not in owners:
            yield f"customer {external_userid} of {sorted(kept)} is not known to Kegui"
            continue
        owner = owners[external_userid]
        if owner is None:
            # No event ever told who was first: a person decides (design 3.3).
            if len(kept) == 1 or external_userid in spoken_of:
                yield f"customer {external_userid} of {sorted(kept)} has no owner"
        elif owner["userid"] not in kept and not _is_moving(books, external_userid, owner):
            yield f"{external_userid} belongs to {owner['userid']}, who is not in contact: {kept}"


def _is_moving(books: Books, external_userid: str, owner: Row) -> bool:
    """A handover moves the customer to or from the owner, or says why it could not."""
    return any(
        (
            item["state"] in ITEM_OPEN
            and owner["userid"] in (case["userid"], item["takeover_userid"])
        )
        or (item["state"] in ITEM_EXCEPTIONS and owner["userid"] == case["userid"])
        for case, item in books.items_of(external_userid)
    )


def relations_agree(books: Books) -> Iterator[str]:
    """After the readings Kegui knows the contacts of those who serve, and claims no other."""
    here = {str(one["userid"]) for one in books.state["staff"] if one["left_at"] is None}
    at_wecom = {
        (str(relation["userid"]), str(customer["external_userid"])): str(relation["status"])
        for customer in books.state["customers"]
        for relation in customer["relations"]
        if relation["userid"] in here
    }
    claimed = {
        (str(relation["userid"]), str(customer["external_userid"]))
        for customer in books.customers
        for relation in customer["relations"]
        if relation["state"] in LIVE_IN_KEGUI and relation["userid"] in here
    }
    live = {pair for pair, status in at_wecom.items() if status in LIVE_AT_WECOM}
    for pair in sorted(live - claimed):
        yield f"{_named(pair)} is in contact, and Kegui does not know"
    for pair in sorted(claimed - live):
        # The API still serves a relation that the customer has ended.
        if at_wecom.get(pair) != "deleted_by_customer":
            yield f"Kegui says {_named(pair)} are in contact, WeCom says {at_wecom.get(pair)}"


def cases_have_ended(books: Books) -> Iterator[str]:
    """Every handover ends, and so does each of its items; nobody who left is forgotten."""
    for case in books.cases:
        if case["state"] not in CASE_ENDS:
            yield f"{case['kind']} {case['id']} of {case['userid']} is {case['state']}"
        for item in books.items.get(case["id"], ()):
            if item["state"] in ITEM_OPEN:
                yield f"item {item['id']} of {case['kind']} {case['id']} is {item['state']}"
    leaving = {case["userid"] for case in books.cases if case["kind"] == "offboarding"}
    for member in books.state["staff"]:
        had = any(
            relation["userid"] == member["userid"] and relation["status"] == "full"
            for customer in books.state["customers"]
            for relation in customer["relations"]
        )
        if member["left_at"] is not None and had and member["userid"] not in leaving:
            yield f"{member['userid']} left with customers, and no offboarding was opened"


def nobody_is_left_behind(books: Books) -> Iterator[str]:
    """What a leaver still has at WeCom has its reason in an offboarding."""
    gone = {str(one["userid"]) for one in books.state["staff"] if one["left_at"] is not None}
    for customer in books.state["customers"]:
        external_userid = str(customer["external_userid"])
        for relation in customer["relations"]:
            userid = str(relation["userid"])
            if relation["status"] != "full" or userid not in gone:
                continue
            ends = [
                item
                for case, item in books.items_of(external_userid)
                if case["userid"] == userid and case["kind"] == "offboarding"
            ]
            if not any(
                item["state"] in ITEM_EXCEPTIONS or item["reason"] == "already_contact"
                for item in ends
            ):
                yield f"{external_userid} is still {userid}'s, who has left"
    for group in books.state["groups"]:
        if str(group["owner"]) in gone and not group["is_dismissed"]:
            ends = [
                item["state"]
                for case in books.cases
                for item in books.items.get(case["id"], ())
                if item["kind"] == "group" and item["chat_id"] == group["chat_id"]
            ]
            if not set(ends) & set(ITEM_EXCEPTIONS):
                yield f"group {group['chat_id']} is still {group['owner']}'s, who has left: {ends}"


RULES: tuple[Rule, ...] = (
    answered_callbacks_are_events,
    events_have_ended,
    welcomes_were_sent_once,
    messages_were_sent_once,
    digests_name_nobody_twice,
    conflicts_were_told,
    transfers_began_once,
    transfers_ended_as_recorded,
    groups_moved_once,
    welcomes_are_recorded,
    untold_pairs_are_gaps,
    agreements_are_recorded,
    customers_have_one_owner,
    relations_agree,
    cases_have_ended,
    nobody_is_left_behind,
)


def violations(books: Books, rules: Iterable[Rule] = RULES) -> list[str]:
    """Return every violation, each with the name of its rule."""
    return [f"{rule.__name__}: {text}" for rule in rules for text in rule(books)]


class Reader:
    """Reads JSON over HTTP."""

    def __init__(self, url: str, token: str = "") -> None:
        self._url = url.rstrip("/")
        self._headers = {"Authorization": f"Bearer {token}"} if token else {}

    def get(self, path: str, **query: Any) -> Any:
        address = f"{self._url}{quote(path)}" + (f"?{urlencode(query)}" if query else "")
        request = urllib.request.Request(address, headers=self._headers)
        with urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS) as answer:
            return json.load(answer)

    def every(self, path: str, **query: Any) -> list[Row]:
        """Return all items of a list of the REST API, page by page."""
        items: list[Row] = []
        cursor: str | None = ""
        while cursor is not None:
            page = self.get(path, limit=200, **query, **({"cursor": cursor} if cursor else {}))
            items += page["items"]
            cursor = page["next_cursor"]
        return items


def read_books(sandbox: Reader, kegui: Reader, **more: Any) -> Books:
    """Read both sides; nothing may change meanwhile."""
    books = {
        book: sandbox.get(f"/sandbox/{book}")[book]
        for book in ("events", "executed", "deliveries", "calls")
    }
    customers = kegui.every("/api/v1/customers")
    cases = [*kegui.every("/api/v1/offboardings"), *kegui.every("/api/v1/handovers")]
    read = Books(
        **books,
        state=sandbox.get("/sandbox/state"),
        kegui_events=[
            kegui.get(f"/api/v1/events/{event['id']}") for event in kegui.every("/api/v1/events")
        ],
        gaps=kegui.every("/api/v1/gaps"),
        customers=customers,
        timelines={
            one["external_userid"]: kegui.every(
                f"/api/v1/customers/{one['external_userid']}/timeline"
            )
            for one in customers
        },
        cases=cases,
        items={
            case["id"]: kegui.every(f"/api/v1/{case['kind']}s/{case['id']}/items") for case in cases
        },
        conflicts=kegui.every("/api/v1/conflicts"),
        alarms=kegui.every("/api/v1/alarms"),
        now=datetime.now().astimezone().timestamp(),
        **more,
    )
    names = {
        str(event["fields"]["UserID"]): str(event["fields"]["NewUserID"])
        for event in read.events
        if event["fields"].get("NewUserID")
    }
    return replace(
        read, **{one.name: _named_now(getattr(read, one.name), names) for one in CHANGED}
    )


def _named_now(value: Any, names: Mapping[str, str]) -> Any:
    """Put a member's present userid wherever a former one stands: it is one person."""
    if isinstance(value, Mapping):
        return {name: _named_now(one, names) for name, one in value.items()}
    if isinstance(value, list):
        return [_named_now(one, names) for one in value]
    return names.get(value, value) if isinstance(value, str) else value


def main() -> int:
    """Read, compare, print; 1 if there is a violation."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sandbox", required=True, help="the sandbox's address")
    parser.add_argument("--kegui", required=True, help="the web process's address")
    parser.add_argument("--gap-seconds", type=float, default=GAP_SECONDS)
    parser.add_argument("--dead", action="append", default=[], help="a change type planted to die")
    asked = parser.parse_args()
    books = read_books(
        Reader(asked.sandbox),
        Reader(asked.kegui, os.environ.get("KEGUI_TOKEN", "")),
        gap_seconds=asked.gap_seconds,
        planted_dead=frozenset(asked.dead),
    )
    found = violations(books)
    for one in found:
        print(one)
    print(
        f"{len(books.answered())} answered callbacks, {len(books.executed)} effects,"
        f" {len(books.customers)} customers, {len(books.cases)} cases, {len(books.gaps)} gaps:"
        f" {len(found)} violations",
        file=sys.stderr,
    )
    return 1 if found else 0


if __name__ == "__main__":
    raise SystemExit(main())
