"""A business day of a small branch, played through real callbacks: what `make run` shows."""

import sys
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote
from zoneinfo import ZoneInfo

from bot.sandbox import day_chats
from bot.sandbox.place import Place
from bot.sandbox.remote import Remote

FIRST, SECOND, HEAD_OFFICE = 2, 3, 4
DEPARTMENTS = [
    {"id": FIRST, "name": "理财一部", "department_leader": ["chenjing"]},
    {"id": SECOND, "name": "理财二部", "department_leader": ["chenjing"]},
    {"id": HEAD_OFFICE, "name": "总部"},
]
MEMBERS = {
    "zhangsan": ("张三", FIRST),
    "lisi": ("李四", FIRST),
    "wangwu": ("王五", FIRST),
    "zhaoliu": ("赵六", SECOND),
    "sunqi": ("孙琪", SECOND),
    "zhouba": ("周霸", SECOND),
}
MANAGER = {"userid": "chenjing", "name": "陈静", "departments": [1], "follow": False}
# Who serves no customer and looks after the house: userid, name, role.
OFFICE = (
    ("linhui", "林慧", "compliance_officer"),
    ("shenyue", "沈悦", "reviewer"),
    ("heping", "何平", "hr"),
    ("guyan", "顾妍", "auditor"),
    ("xujie", "徐杰", "administrator"),
    ("tangwei", "唐伟", "administrator"),
)
CHANNELS = {
    "pudong-branch": ["zhangsan", "lisi"],
    "app-banner": ["wangwu"],
    "seminar": ["zhaoliu", "sunqi", "zhouba"],
}
# 40 customers, each with the member whom they add.
ARRIVALS = (
    ["zhangsan"] * 7
    + ["lisi"] * 5
    + ["wangwu"] * 13
    + ["zhaoliu"] * 5
    + ["sunqi"] * 5
    + ["zhouba"] * 5
)
SURNAMES = "赵钱孙李周吴郑王冯陈褚卫蒋沈韩杨朱秦尤许何吕施张孔曹严华金魏陶姜戚谢邹喻柏水窦章"
LEAVER = "wangwu"
# Lisi has room for two customers of the leaver and no more.
ROOM_OF_LISI = 2
DAY_SECONDS = 86_400
MESSAGES = 60
DEADLINE_SECONDS = 90
OPEN_STATES = ("waiting", "claimed", "failed")
NO_CODE = ("zhangsan", "wm_01")
TOO_LATE = ("lisi", "wm_07")


@dataclass
class Day:
    """The stage of the story and what was found at its end."""

    place: Place
    sandbox: Remote
    api: Remote
    rows: list[tuple[str, Any, Any]] = field(default_factory=list)

    def expect(self, what: str, should: Any, did: Any) -> None:
        self.rows.append((what, should, did))

    @property
    def keys(self) -> Path:
        """Where Kegui looks for the private keys of the archive."""
        return Path(self.place.environment["KEGUI_ARCHIVE_PRIVATE_KEYS"])

    def give_public_key(self, version: int) -> None:
        """Make the firm's key of a version, and upload the public part."""
        pem = day_chats.make_key(self.keys, version)
        self.sandbox.post("/sandbox/archive/keys", pem=pem)

    @property
    def held(self) -> bool:
        return all(should == did for _, should, did in self.rows)

    def add(self, userid: str, external_userid: str, **more: Any) -> None:
        """A customer scans a member's code."""
        self.sandbox.post(
            "/sandbox/customers", userid=userid, external_userid=external_userid, **more
        )

    def act(self, external_userid: str, act: str, **more: Any) -> None:
        self.sandbox.post(f"/sandbox/customers/{external_userid}/{act}", **more)

    def settle(self) -> None:
        """Wait until every callback is delivered and answered."""
        self.sandbox.post("/sandbox/callbacks/wait", timeout_seconds=30)
        wait_for(lambda: not any(self._events_in(state) for state in OPEN_STATES))

    def _events_in(self, state: str) -> list[Any]:
        return list(self.api.get("/events", state=state)["items"])

    def case(self, path: str, number: int) -> dict[str, Any]:
        return dict(self.api.get(f"/{path}/{number}"))

    def counts(self, path: str, number: int) -> dict[str, int]:
        return dict(self.case(path, number)["counts"])


def wait_for(holds: Callable[[], bool], seconds: float = DEADLINE_SECONDS) -> bool:
    """Wait until something holds; False when it did not in time, and the table will show it."""
    until = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > until:
            return False
        time.sleep(0.2)
    return True


def say(line: str) -> None:
    """Tell the reader of the terminal what happens."""
    clock = datetime.now(ZoneInfo("Asia/Shanghai")).strftime("%H:%M:%S")
    sys.stdout.write(f"{clock}  {line}\n")
    sys.stdout.flush()


def begin(place: Place, token: str) -> Day:
    """Set the stage in the running sandbox: the branch as it is before Kegui comes.

    Args:
        place: the corporation, and where Kegui and the sandbox listen.
        token: of Kegui's REST API, an administrator's.
    """
    api = Remote(f"{place.web_url}/api/v1", token, {"Kegui-Purpose": quote(day_chats.PURPOSE)})
    day = Day(place, Remote(place.sandbox_url), api)
    day.sandbox.wait_until_it_answers("/sandbox/state", 30)
    # The readers of the console live in real time, however the clock of the platform jumps.
    day.sandbox.post("/sandbox/reset", **place.corporation(event_time="real"))
    day.sandbox.post("/sandbox/departments", departments=DEPARTMENTS)
    # The firm's public key is with WeCom, and its private one here.
    day.give_public_key(1)
    day_chats.put_key(day.keys, 1)
    staff = [
        {
            "userid": userid,
            "name": name,
            "departments": [department],
            "direct_leader": [MANAGER["userid"]],
        }
        for userid, (name, department) in MEMBERS.items()
    ]
    office = [
        {"userid": userid, "name": name, "departments": [HEAD_OFFICE], "follow": False}
        for userid, name, _role in OFFICE
    ]
    day.sandbox.post("/sandbox/staff", staff=[*staff, MANAGER, *office])
    day.add("zhangsan", "wm_old_friend", name="老客户 常先生", silent=True)
    return day


def play(day: Day, *, stay: bool) -> int:
    """Play the day against the running processes and print what happened beside what should.

    Args:
        stay: leave the console open afterwards, until the process is ended.

    Returns:
        0 when every expectation held, else 1.
    """
    kegui_starts(day)
    arrivals(day)
    consents(day)
    chats(day)
    day.settle()
    look_at_the_archive(day)
    look_at_the_morning(day)
    moved = manager_moves_three(day)
    leaver = a_member_leaves(day)
    finish_transfers(day, moved, leaver)
    look_at_the_handovers(day, moved, leaver)
    look_at_the_notices(day)
    print_outcome(day)
    if stay:
        leave_something_to_do(day)
        say(f"the console is open on {day.place.web_url}   (Ctrl-C ends everything)")
        say("choose there whom to be: a manager, compliance, HR, an auditor, an administrator")
        while True:
            time.sleep(3600)
    return 0 if day.held else 1


def leave_something_to_do(day: Day) -> None:
    """After the day: somebody will leave next week, and no manager has approved it yet."""
    last_day = datetime.now(ZoneInfo("Asia/Shanghai")).date() + timedelta(days=7)
    day.api.post("/offboardings", userid="zhouba", last_day=last_day.isoformat(), reason="个人原因")


def kegui_starts(day: Day) -> None:
    say("Kegui starts at a branch of 6 members, and reads what is there")
    Remote(day.place.web_url).wait_until_it_answers("/readyz", 60)
    wait_for(lambda: bool(day.api.every("/customers", owner="zhangsan")))
    for door in ("customer", "contacts", "archive"):
        answer = day.sandbox.post("/sandbox/callbacks/verify", door=door)
        day.expect(f"WeCom verifies the {door} URL", True, answer["ok"])
    for state, userids in CHANNELS.items():
        day.api.post("/contact-ways", userids=userids, state=state, remark=state, channel=state)
    make_a_way_past_kegui(day)


def make_a_way_past_kegui(day: Day) -> None:
    """The same app's other tool made a contact way of which Kegui knows nothing."""
    secrets = day.place.environment
    token = day.sandbox.get(
        "/cgi-bin/gettoken",
        corpid=secrets["KEGUI_CORP_ID"],
        corpsecret=secrets["KEGUI_APP_SECRET"],
    )["access_token"]
    day.sandbox.post(
        f"/cgi-bin/externalcontact/add_contact_way?access_token={token}",
        type=2,
        scene=2,
        user=[LEAVER, "zhouba"],
        state="old-tool",
    )


def arrivals(day: Day) -> None:
    """40 customers; some of the ways in which the platform makes life hard."""
    say("40 customers add 6 members: some callbacks come twice, late, or without a welcome code")
    hard: dict[int, dict[str, Any]] = {
        0: {"deliver": {"times": 3}},
        1: {"with_code": False},
        7: {"deliver": {"delay_seconds": 21}},
        3: {"must_agree": True},
        12: {"deliver": {"create_time": int(time.time())}},
        13: {"deliver": {"create_time": int(time.time())}},
        20: {"deliver": {"times": 2}},
    }
    channel_of = {userid: state for state, userids in CHANNELS.items() for userid in userids}
    for number, userid in enumerate(ARRIVALS):
        day.add(
            userid,
            f"wm_{number:02}",
            name=f"{SURNAMES[number]}{'女士' if number % 2 else '先生'}",
            state=channel_of[userid],
            **hard.get(number, {}),
        )
    say("one customer of zhangsan's adds lisi as well")
    day.add("lisi", "wm_old_friend")


def consents(day: Day) -> None:
    say("12 customers agree to archiving; one of them had to before anything could be said")
    agreeing = [(number, userid) for number, userid in enumerate(ARRIVALS) if number % 3 == 0]
    # The first notices must be out: agreeing before would change nothing in the story.
    wait_for(lambda: len(_welcomed(day)) >= 38)
    for number, userid in agreeing[:12]:
        day.act(f"wm_{number:02}", "agree", userid=userid)


def chats(day: Day) -> None:
    say(f"{MESSAGES} messages are archived: pictures, a recall, one customer's refusal")
    group = day.sandbox.post("/sandbox/groups", owner=LEAVER, members=["wm_12"], name="浦东沙龙群")[
        "chat_id"
    ]
    talk = day_chats.Chats(day.sandbox)
    # What was agreed to stands in the archive as well.
    talk.sent = 12
    day.act("wm_05", "refuse_archive", userid="zhangsan")
    talk.sent += 1
    refused = talk.say(talk.text("wm_05", "zhangsan", "我拒绝存档之后说的话"))
    day.expect("said after the refusal, and not delivered", [], refused)
    talk.play(group, MESSAGES - 1)
    day.give_public_key(2)
    talk.say(talk.text("zhaoliu", "wm_25", "这条消息用新公钥加密，私钥稍后才到"))


def look_at_the_archive(day: Day) -> None:
    def complete() -> dict[str, Any]:
        return dict(day.api.get("/archive/completeness"))

    wait_for(lambda: complete()["last_seq"] == str(MESSAGES))
    locked = [(one["publickey_ver"], one["count"]) for one in complete()["undecryptable"]]
    day.expect("a message whose private key comes late", [(2, 1)], locked)
    day_chats.put_key(day.keys, 2)
    wait_for(lambda: not complete()["undecryptable"])
    feed = [one for one in day_chats.everything(day.api) if one["state"] == "stored"]
    day.expect("messages archived, each once", MESSAGES, len({one["msgid"] for one in feed}))
    day.expect("and no more than that", MESSAGES, len(feed))
    recalled = [one["text"] for one in feed if one["recalled_by"]]
    day.expect("recalled, and still there", [day_chats.LOUD], recalled)
    found = day.api.post("/archive/search", q="不保證收益")["items"]
    day.expect("found by words in another script", 3, len(found))
    stored: Callable[[], bool] = lambda: _files_in(day) == ["stored"] * 3  # noqa: E731
    wait_for(stored)
    day.expect("files fetched, decrypted nowhere but for readers", ["stored"] * 3, _files_in(day))


def _files_in(day: Day) -> list[str]:
    feed = day_chats.everything(day.api)
    return [media["state"] for one in feed for media in one["media"]]


def _welcomed(day: Day) -> list[dict[str, Any]]:
    return list(day.sandbox.get("/sandbox/executed", effect="welcome_sent")["executed"])


def look_at_the_morning(day: Day) -> None:
    customers = day.api.every("/customers")
    events = Counter(event["state"] for event in day.api.every("/events"))
    adds = day.api.every("/events", type="add_external_contact")
    day.expect("customers known", 41, len(customers))
    day.expect("add events, repeated deliveries counted once", 41, len(adds))
    day.expect("events that did not end", 0, events.total() - events["done"] - events["ignored"])
    owners = {one["external_userid"]: (one["owner"] or {}).get("userid") for one in customers}
    should = {f"wm_{number:02}": userid for number, userid in enumerate(ARRIVALS)}
    should["wm_old_friend"] = "zhangsan"
    day.expect("customers who belong to the member they added", 41, _same(should, owners))
    conflicts = day.api.every("/conflicts", state="open")
    day.expect(
        "conflicts",
        [("wm_old_friend", "zhangsan", ("lisi",))],
        [(one["external_userid"], one["owner"], tuple(one["contenders"])) for one in conflicts],
    )
    told = [
        row["recipient"]
        for row in day.sandbox.get("/sandbox/executed", effect="app_message")["executed"]
        if "撞单" in str(row)
    ]
    day.expect("told of the conflict", ["chenjing", "lisi", "zhangsan"], sorted(told))
    day.expect("agreements recorded", 12, len(day.api.every("/customers", consent="agreed")))


def _same(should: dict[str, str], did: dict[str, str | None]) -> int:
    return sum(did.get(key) == value for key, value in should.items())


def manager_moves_three(day: Day) -> int:
    say("a manager moves three customers from zhaoliu to sunqi")
    moving = [f"wm_{number:02}" for number, userid in enumerate(ARRIVALS) if userid == "zhaoliu"]
    case = day.api.post(
        "/handovers",
        handover_userid="zhaoliu",
        external_userids=moving[:3],
        takeover_userid="sunqi",
    )
    return int(case["id"])


def a_member_leaves(day: Day) -> int:
    say("wangwu leaves today: 15 customers and 2 groups, of some of which no callback ever spoke")
    for name in ("wm_unheard_1", "wm_unheard_2"):
        day.add(LEAVER, name, name="未通知客户", silent=True)
    day.sandbox.post(
        "/sandbox/groups", owner=LEAVER, members=["wm_13"], name="老客户群", silent=True
    )
    # Five customers of lisi's own, the one of the conflict, and then room for two.
    day.sandbox.patch("/sandbox/staff/lisi", customer_limit=6 + ROOM_OF_LISI)
    today = datetime.now(ZoneInfo("Asia/Shanghai")).date().isoformat()
    case = day.api.post(
        "/offboardings",
        userid=LEAVER,
        last_day=today,
        reason="离职",
    )
    number = int(case["id"])
    wait_for(lambda: day.case("offboardings", number)["state"] == "awaiting_approval")
    say("the plan is made; the manager approves it")
    day.api.post(f"/offboardings/{number}/approve")
    return number


def finish_transfers(day: Day, moved: int, leaver: int) -> None:
    """One customer refuses, the account is deleted while all others wait, a day passes."""
    wait_for(lambda: day.counts("handovers", moved).get("waiting") == 3)
    wait_for(lambda: day.counts("offboardings", leaver).get("waiting") == 15)
    refusing = next(
        item["external_userid"]
        for item in day.api.every(f"/offboardings/{leaver}/items", state="waiting")
        if item["takeover_userid"] == "zhangsan" and len(item["attempts"]) == 1
    )
    say(f"{refusing} refuses zhangsan and is asked again for somebody else")
    day.act(refusing, "refuse_transfer")
    wait_for(lambda: _is_waiting_again(day, leaver, refusing))
    say("wangwu's account is deleted while 15 customers wait; then WeCom's 24 hours pass")
    day.sandbox.post(f"/sandbox/staff/{LEAVER}/leave")
    day.settle()
    day.sandbox.post("/sandbox/clock", advance_seconds=DAY_SECONDS)
    wait_for(lambda: day.case("handovers", moved)["state"] == "done")
    ended = ("done", "done_with_exceptions")
    wait_for(lambda: day.case("offboardings", leaver)["state"] in ended)
    day.settle()


def _is_waiting_again(day: Day, number: int, external_userid: str) -> bool:
    return any(
        item.get("external_userid") == external_userid
        and item["attempts"][0]["status"] == "refused"
        for item in day.api.every(f"/offboardings/{number}/items", state="waiting")
    )


def look_at_the_handovers(day: Day, moved: int, leaver: int) -> None:
    day.expect("customers moved by the manager", {"done": 3}, day.counts("handovers", moved))
    case = day.case("offboardings", leaver)
    items = day.api.every(f"/offboardings/{leaver}/items")
    day.expect("the offboarding", "done", case["state"])
    done = Counter(item["kind"] for item in items if item["state"] == "done")
    day.expect("handed over", {"customer": 15, "group": 2}, dict(done))
    heirs = Counter(item["takeover_userid"] for item in items if item["kind"] == "customer")
    day.expect("customers whom lisi, then full, took over", ROOM_OF_LISI, heirs["lisi"])
    again = [
        tuple(attempt["status"] for attempt in item["attempts"])
        for item in items
        if any(attempt["status"] == "refused" for attempt in item["attempts"])
    ]
    day.expect("tries with the customer who refused", [("refused", "done")], again)
    calls = day.sandbox.get("/sandbox/calls", endpoint="externalcontact/transfer_customer")
    # wangwu to zhangsan and to lisi, those for whom lisi had no room, the refused one, zhaoliu's.
    day.expect("transfer calls, the least possible", 5, len(calls["calls"]))
    day.expect("customers still of wangwu", 0, len(day.api.every("/customers", owner=LEAVER)))
    ways = [way["state"] for way in day.api.every("/contact-ways") if LEAVER in way["userids"]]
    day.expect("contact ways that still lead to wangwu", [], ways)
    day.expect("left to a person: a contact way made elsewhere", 1, len(case["hand_work"]))


def look_at_the_notices(day: Day) -> None:
    say("who was not told is known a minute after the add")
    wait_for(lambda: len(day.api.every("/gaps")) == 2)
    wait_for(lambda: len(_digests(day)) == 2)
    day.expect("consent notices delivered, each once", 39, len(_welcomed(day)))
    gaps = {(gap["userid"], gap["external_userid"]) for gap in day.api.every("/gaps")}
    day.expect("not told: no code, code too late", [TOO_LATE, NO_CODE], sorted(gaps))
    day.expect("members asked to say it by hand", ["lisi", "zhangsan"], sorted(_digests(day)))
    events = Counter(event["state"] for event in day.api.every("/events"))
    day.expect("events that did not end well", 0, events.total() - events["done"])
    day.expect("alarms", [], [alarm["text"] for alarm in day.api.every("/alarms", state="open")])


def _digests(day: Day) -> list[str]:
    messages = day.sandbox.get("/sandbox/executed", effect="app_message")["executed"]
    return [row["recipient"] for row in messages if "存档告知提醒" in str(row)]


def print_outcome(day: Day) -> None:
    """Print what happened beside what should have."""
    width = max(len(what) for what, _, _ in day.rows)
    lines = ["", f"{'what':{width}}  {'':3} should / did", "-" * (width + 40)]
    for what, should, did in day.rows:
        if should == did:
            lines.append(f"{what:{width}}  ok   {_short(should)}")
        else:
            lines.append(f"{what:{width}}  NO   {_short(should)} / {_short(did)}")
    held = sum(should == did for _, should, did in day.rows)
    lines += ["", f"{held} of {len(day.rows)} expectations held", ""]
    sys.stdout.write("\n".join(lines))
    sys.stdout.flush()


def _short(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{number} {name}" for name, number in value.items()) or "none"
    if isinstance(value, list):
        return ", ".join(_short(one) for one in value) or "none"
    if isinstance(value, tuple):
        return "/".join(_short(one) for one in value)
    return "yes" if value is True else str(value)
