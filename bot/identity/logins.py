"""Let people in, keep knowing them, and let them out."""

import hashlib
import hmac
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, cast

from peewee import Expression, ModelSelect, PostgresqlDatabase, fn

from bot import clock
from bot.audit.log import Who
from bot.db import database, locked, transaction
from bot.identity.slowdown import FORGOTTEN_AFTER, wait_after
from bot.kegui import Kegui
from bot.models import Login, LoginFailure

OAUTH, QR, LOCAL, SANDBOX = "oauth", "qr", "local", "sandbox"
# These prove a second thing beside the browser: the phone that scans, or the code of an app.
STRONG = (QR, LOCAL)
STATE_LASTS = timedelta(minutes=10)
LONGEST_TARGET = 1024
STEP_UP_LASTS = timedelta(minutes=10)
# Why a login ended that its owner did not end.
BY_AN_ADMINISTRATOR = "by_an_administrator"
TOO_MANY = "too_many_logins"
NEW_PASSWORD = "new_password"  # noqa: S105 - a reason
# A login is looked at with each request and written at most so often.
SEEN_EVERY = timedelta(minutes=1)


class TooManyTries(Exception):
    """Somebody guesses; ``wait`` is how long nobody is listened to."""

    def __init__(self, wait: timedelta) -> None:
        super().__init__(f"wait {wait.total_seconds():.0f} s")
        self.wait = wait


@dataclass(frozen=True)
class Visitor:
    """What a request says of the browser it came from."""

    address: str
    browser: str


def begin(actor: str, method: str, visitor: Visitor, kegui: Kegui) -> str:
    """Let somebody in, and return what their cookie holds; only its digest is kept."""
    token = secrets.token_urlsafe(32)
    now = clock.now()
    with transaction():
        # Of two who come in at once the second waits, and counts the first.
        list(locked(Login.select().where(Login.actor == actor, *_is_open(kegui))))
        login = Login.create(
            digest=digest(token),
            actor=actor,
            method=method,
            began_at=now,
            seen_at=now,
            expires_at=now + timedelta(hours=kegui.settings.session_hours),
            stepped_up_at=now if method in STRONG else None,
            address=visitor.address[:64],
            browser=visitor.browser[:255],
        )
        kegui.audit.record(
            Who(actor, visitor.address), "login.begin", f"login {login.id}", method=method
        )
        latest_first = Login.select().where(Login.actor == actor, *_is_open(kegui))
        latest_first = latest_first.order_by(Login.began_at.desc(), Login.id.desc())
        too_many = list(latest_first)[kegui.settings.session_most :]
        end(too_many, Who(actor, visitor.address), kegui, TOO_MANY)
    return token


def current(token: str, kegui: Kegui) -> Login | None:
    """Return the login of a cookie, unless it is over: ended, too old, or idle for too long."""
    login: Login | None = Login.get_or_none(Login.digest == digest(token))
    now = clock.now()
    if login is None or login.ended_at is not None or login.expires_at <= now:
        return None
    if now - login.seen_at > timedelta(minutes=kegui.settings.session_idle_minutes):
        return None
    if not login.is_genuine:
        return None
    if now - login.seen_at > SEEN_EVERY:
        login.seen_at = now
        login.save(only=[Login.seen_at])
    return login


def open_logins(actor: str, kegui: Kegui) -> list[Login]:
    """Return where somebody is in now, the latest first."""
    query = Login.select().where(Login.actor == actor, *_is_open(kegui))
    return list(query.order_by(Login.seen_at.desc()))


def everybodys_open_logins(kegui: Kegui) -> "ModelSelect[Any]":
    """Who is in now, and where: all logins that hold, the latest used first."""
    return Login.select().where(*_is_open(kegui)).order_by(Login.seen_at.desc(), Login.id.desc())


def end(logins: Sequence[Login], by: Who, kegui: Kegui, why: str = "") -> int:
    """End logins; returns how many were open."""
    ended = 0
    with transaction():
        for login in logins:
            is_this = Login.id == login.id, Login.ended_at.is_null()
            if Login.change(*is_this, ended_at=clock.now()):
                ended += 1
                kegui.audit.record(
                    by, "login.end", f"login {login.id}", person=login.actor, why=why or None
                )
    return ended


def end_all_of(actor: str, by: Who, kegui: Kegui) -> int:
    """End all logins of somebody else, as after a stolen phone; returns how many were open."""
    with transaction():
        return end(open_logins(actor, kegui), by, kegui, BY_AN_ADMINISTRATOR)


def step_up(login: Login, by: Who, method: str, kegui: Kegui) -> None:
    """Remember that the person has just proved a second factor."""
    with transaction():
        Login.change(Login.id == login.id, stepped_up_at=clock.now())
        kegui.audit.record(by, "login.step_up", f"login {login.id}", method=method)


def is_stepped_up(login: Login, now: datetime) -> bool:
    """Whether the last proof is fresh enough for a dangerous act."""
    return login.stepped_up_at is not None and _is_fresh(login.stepped_up_at, STEP_UP_LASTS, now)


@dataclass(frozen=True)
class SentAway:
    """What the browser must bring back from WeCom, as its signed cookie keeps it.

    Nothing is stored here: a cookie that somebody copied out of their browser and puts back counts
    again until it is too old. It lets in only whom WeCom then names, by a code that counts once.
    """

    digest: str
    sent_at: float
    target: str
    method: str
    is_step_up: bool


def send_away(target: str, method: str, *, is_step_up: bool = False) -> tuple[str, SentAway]:
    """Return a state to send through WeCom, letters and digits, at most 128 (path 91022), and what
    the browser's cookie keeps of it."""
    state = secrets.token_hex(32)
    now = clock.now().timestamp()
    # A cookie holds 4 KB.
    target = target if len(ascii(target)) <= LONGEST_TARGET else "/"
    return state, SentAway(digest(state), now, target, method, is_step_up)


def is_back(sent: SentAway, state: str) -> bool:
    """Whether this is the state with which the browser was sent away, and in time."""
    sent_at = datetime.fromtimestamp(sent.sent_at, UTC)
    is_same = hmac.compare_digest(sent.digest, digest(state))
    return is_same and _is_fresh(sent_at, STATE_LASTS, clock.now())


def begin_try(*keys: str) -> None:
    """Count a try against each key before anything is compared: it counts as a failure until
    ``forget_failures``, so that of many at once none is free.

    Raises:
        TooManyTries: somebody was wrong too often under one of them; with the longest wait.
    """
    began = clock.now()
    with transaction():
        for key in sorted(keys):
            LoginFailure.insert(key=key, failures=0, last_at=began).on_conflict_ignore().execute()
        query = LoginFailure.select().where(LoginFailure.key.in_(keys)).order_by(LoginFailure.key)
        if isinstance(database.obj, PostgresqlDatabase):
            query = query.for_update()
        rows = list(query)
        # One at a time comes as far as this: whoever was first is in the past.
        now = clock.now()
        remembered = {row.key: row for row in rows if now - row.last_at < FORGOTTEN_AFTER}
        waits = [row.last_at + wait_after(row.failures) - now for row in remembered.values()]
        longest = max(waits, default=timedelta())
        if longest > timedelta():
            raise TooManyTries(longest)
        for key in keys:
            before = remembered[key].failures if key in remembered else 0
            LoginFailure.update(failures=before + 1, last_at=now).where(
                LoginFailure.key == key
            ).execute()


def failed(actor: str, address: str, what: str, kegui: Kegui) -> None:
    """Write down that a password or a code was wrong."""
    with transaction():
        kegui.audit.record(Who(actor, address), "login.fail", what)


def forget_failures(*keys: str) -> bool:
    """Somebody was right; False when nothing was remembered."""
    return bool(LoginFailure.delete().where(LoginFailure.key.in_(keys)).execute())


def unlock(subject: str, keys: Sequence[str], by: Who, kegui: Kegui) -> bool:
    """Slow nobody down any more under these keys; False when no failure was remembered.

    Args:
        subject: whom or what that frees, as the audit log calls it.
    """
    with transaction():
        were_remembered = forget_failures(*keys)
        if were_remembered:
            kegui.audit.record(by, "login.unlock", subject)
    return were_remembered


def name_key(name: str) -> str:
    """Under which a local administrator's failures count; a digest, for somebody may have typed a
    password where the name belongs."""
    return f"local {digest(name)}"


def address_key(address: str) -> str:
    """Under which the failures from an address count."""
    return f"address {address}"


def code_key(actor: str) -> str:
    """Under which the wrong codes of somebody who is in count."""
    return f"code {actor}"[:160]


def refused(actor: str, address: str, why: str, kegui: Kegui) -> None:
    """Write down that somebody whom WeCom knows was not let in."""
    with transaction():
        kegui.audit.record(Who(actor, address), "login.refuse", actor, why=why)


def _is_open(kegui: Kegui) -> tuple[Expression, ...]:
    """What is true of a login that ``current`` would return."""
    now = clock.now()
    idle = now - timedelta(minutes=kegui.settings.session_idle_minutes)
    return Login.ended_at.is_null(), Login.expires_at > now, Login.seen_at > idle


def _is_fresh(at: datetime, lasts: timedelta, now: datetime) -> bool:
    """Whether ``at`` is not long ago; what lies ahead was written before a clock was set back."""
    return -clock.MOST_AHEAD < now - at < lasts


def last_seen(actors: Sequence[str]) -> dict[str, datetime]:
    """Return when each of these people was last in the console."""
    last = fn.MAX(Login.seen_at).converter(Login.seen_at.python_value)
    query = Login.select(Login.actor, last).where(Login.actor.in_(list(actors)))
    return dict(cast(Any, query.group_by(Login.actor).tuples()))


def digest(token: str) -> str:
    """What is stored of a random token; it is random enough that no salt is needed."""
    return hashlib.sha256(token.encode()).hexdigest()
