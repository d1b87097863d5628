"""What both drills need: customers who keep coming, and the books that prove what was done."""

import shutil
import threading
from collections import Counter
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Any, Protocol

from bot.sandbox.remote import RemoteError
from tests.stack import Stack, until

DAY_SECONDS = 86_401
PAUSE_SECONDS = 0.15
MEMBERS = ("zhangsan", "lisi", "wangwu")
HERE = Path(__file__).resolve().parents[2]


def say(text: str) -> None:
    print(f"  {text}", flush=True)


def check(holds: bool, what: str) -> None:
    """End the drill unless it holds.

    Raises:
        SystemExit: it does not.
    """
    if not holds:
        raise SystemExit(f"the drill failed: {what}")


def copy_code(folder: Path) -> Path:
    """Copy what a process needs, so that it stands in a folder of its own."""
    for name in ("bot", "handlers", "config", "migrations"):
        shutil.copytree(HERE / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    return folder


class Meeting(Protocol):
    """Where customers add members."""

    def meet(self, userid: str, external_userid: str, /) -> Any: ...


class Arrivals:
    """New customers, one after another, each with a member of their own."""

    def __init__(self, stack: Meeting, name: str) -> None:
        self.met: dict[str, str] = {}
        self._stack = stack
        self._name = name

    @contextmanager
    def coming(self) -> Iterator[None]:
        """Let them come while the block runs."""
        ended = threading.Event()
        troubles: list[Exception] = []

        def come() -> None:
            try:
                for number in count(len(self.met)):
                    external_userid = f"wm_{self._name}_{number}"
                    userid = MEMBERS[number % len(MEMBERS)]
                    self._stack.meet(userid, external_userid)
                    self.met[external_userid] = userid
                    if ended.wait(PAUSE_SECONDS):
                        return
            except Exception as trouble:  # shown by the drill itself
                troubles.append(trouble)

        thread = threading.Thread(target=come)
        thread.start()
        try:
            yield
        finally:
            ended.set()
            thread.join()
        check(not troubles, f"no customer could come: {troubles}")

    def have_come(self, number: int) -> None:
        """Wait until so many more have come."""
        goal = len(self.met) + number
        until(lambda: len(self.met) >= goal)


def start_leaving(stack: Stack, leaver: str, department: int, **more: str) -> list[str]:
    """Open the offboarding of a new member with twelve customers and two heirs."""
    heirs = [f"{leaver}_a", f"{leaver}_b"]
    stack.hire(leaver, *heirs, department=department)
    customers = [f"wm_{leaver}_{number}" for number in range(12)]
    stack.customers(leaver, customers)
    stack.offboard(leaver, heirs, **more)
    return customers


def check_nothing_twice(stack: Stack, may_repeat: Collection[tuple[str, str]] = ()) -> None:
    """The platform carried out nothing a second time.

    Args:
        may_repeat: (handover, external_userid) that refused once: a second member may try.
    """
    for effect, fields in {
        "welcome_sent": ("userid", "external_userid"),
        "transfer_started": ("handover", "external_userid"),
        "transfer_completed": ("handover", "external_userid"),
        "app_message": ("recipient", "content"),
    }.items():
        done = Counter(tuple(row[field] for field in fields) for row in stack.executed(effect))
        for pair in may_repeat if effect == "transfer_started" else ():
            check(done.pop(pair) == 2, f"{pair} was not asked a second time, or more often")
        twice = [one for one, times in done.items() if times > 1]
        check(not twice, f"{effect} was done twice: {twice}")
        say(f"{effect}: {len(done)}, none twice")


def check_all_transferred(stack: Stack, leaver: str, customers: Iterable[str]) -> None:
    """Each customer was taken over, once, and belongs to whom the platform gave them."""
    moved = {
        str(row["external_userid"]): str(row["takeover"])
        for row in stack.executed("transfer_completed", handover=leaver)
    }
    check(sorted(moved) == sorted(customers), f"not all of {leaver} were taken over: {moved}")
    check_owners(stack, moved)
    say(f"{len(moved)} customers of {leaver} are with their heirs")


def check_owners(stack: Stack, owners: "dict[str, str]") -> None:
    """Kegui knows each customer, and whose they are."""
    for external_userid, userid in owners.items():
        try:
            owner = stack.owner(external_userid)
        except RemoteError as error:
            owner = f"nobody ({error.status})"
        check(owner == userid, f"{external_userid} is {userid}'s, and Kegui says {owner}")


def log_tail(folder: Path) -> None:
    """Show the last lines of every log, when a drill went wrong."""
    for path in sorted(folder.rglob("*.log")):
        lines = path.read_text("utf-8", "replace").splitlines()
        print(f"--- {path.name}", *lines[-15:], sep="\n")
