"""`kegui user`: who is out, whose logins end, who is slowed down no more, whose tokens stay."""

from datetime import timedelta
from typing import Any, cast

import pytest

from bot import clock, db
from bot.identity import logins, tokens
from bot.identity.slowdown import FREE
from bot.models import (
    ApiToken,
    AuditEntry,
    Department,
    LocalUser,
    Login,
    LoginFailure,
    RoleGrant,
    Staff,
)
from tests import leavers
from tests.test_cli import (
    Kegui,
    assert_one_clear_line,
    employ,
    environment,
    kegui,
    network,
    remembered,
)

__all__ = ["environment", "kegui", "network"]
ADDRESS = "192.0.2.1"
FORGOTTEN = "the failures of {} are forgotten\n"
NONE = "no failure of {} is remembered\n"


def appoint(name: str) -> None:
    """Make somebody a local administrator, without a password that anybody knows."""
    with db.connection():
        LocalUser.create(name=name, password_hash="x", created_at=clock.now())


def give(actor: str, role: str = "auditor") -> None:
    with db.connection():
        RoleGrant.create(actor=actor, role=role, granted_by="test", granted_at=clock.now())


def let_in(actor: str, digest: str, **more: Any) -> None:
    now = clock.now()
    known = {"began_at": now, "seen_at": now, "expires_at": now + timedelta(hours=1)}
    with db.connection():
        Login.create(digest=digest, actor=actor, method="qr", **(known | more))


def entries(act: str) -> list[AuditEntry]:
    found = remembered(lambda: list(AuditEntry.select().where(AuditEntry.act == act)))
    return cast(list[AuditEntry], found)


def slow_down(*keys: str) -> None:
    with db.connection():
        for _ in range(FREE + 1):
            logins.begin_try(*keys)


def is_slowed_down(key: str) -> bool:
    with db.connection():
        found = LoginFailure.get_or_none(LoginFailure.key == key)
        return found is not None and found.failures > FREE


# ------------------------------------------------------------------- logins


def test_the_logins_of_a_person_are_listed(kegui: Kegui) -> None:
    employ("zhangsan")
    began = clock.now() - timedelta(minutes=50)
    let_in("zhangsan", "1", began_at=began, address=ADDRESS, browser="A phone")
    let_in("zhangsan", "2", ended_at=clock.now())
    let_in("another", "3")

    result = kegui("user", "logins", "ZhangSan")

    [line] = [line.split("\t") for line in result.stdout.splitlines()]
    assert line[:3] == ["zhangsan", ADDRESS, f"since {began:%Y-%m-%d %H:%M} UTC"]
    assert line[3].startswith("seen ")
    assert line[4:] == ["qr", "A phone"]


@pytest.mark.parametrize("typed", ["ops", "local:ops"])
def test_a_local_administrator_may_be_named_either_way(kegui: Kegui, typed: str) -> None:
    appoint("ops")
    let_in("local:ops", "1")

    assert kegui("user", "logins", typed).stdout.startswith("local:ops\t")
    assert kegui("user", "end-logins", typed).stdout == "1 login of local:ops ended\n"


def test_who_is_called_like_a_local_administrator_is_the_member(kegui: Kegui) -> None:
    employ("ops")
    appoint("ops")
    let_in("ops", "1")
    let_in("local:ops", "2")

    assert kegui("user", "end-logins", "ops").stdout == "1 login of ops ended\n"
    assert kegui("user", "end-logins", "local:ops").stdout == "1 login of local:ops ended\n"


def test_all_logins_of_a_person_end_and_again_none(kegui: Kegui) -> None:
    employ("zhangsan")
    for digest, actor in (("1", "zhangsan"), ("2", "zhangsan"), ("3", "another")):
        let_in(actor, digest)

    assert kegui("user", "end-logins", "zhangsan").stdout == "2 logins of zhangsan ended\n"
    again = kegui("user", "end-logins", "zhangsan")

    assert (again.exit_code, again.stdout) == (0, "zhangsan is logged in nowhere\n")
    assert kegui("user", "logins", "zhangsan").stderr == "zhangsan is logged in nowhere\n"
    open_now = remembered(lambda: [row.actor for row in Login.select() if row.ended_at is None])
    assert open_now == ["another"]
    ended = entries("login.end")
    assert [one.details["person"] for one in ended] == ["zhangsan", "zhangsan"]
    assert {one.details["why"] for one in ended} == {"by_an_administrator"}
    assert all(one.actor.startswith("cli:") for one in ended)


@pytest.mark.parametrize("command", ["logins", "end-logins"])
def test_nobody_is_called_so(kegui: Kegui, command: str) -> None:
    assert_one_clear_line(kegui("user", command, "nobody"), "is called nobody")


# ------------------------------------------------------------------- the slowdown


def test_a_name_is_slowed_down_no_more(kegui: Kegui) -> None:
    appoint("ops")
    slow_down(logins.name_key("ops"))
    slow_down(logins.code_key("local:ops"))
    slow_down(logins.address_key(ADDRESS))

    first, again = kegui("user", "unlock", "ops"), kegui("user", "unlock", "local:ops")

    assert (first.exit_code, first.stdout) == (0, FORGOTTEN.format("local:ops"))
    assert (again.exit_code, again.stdout) == (0, NONE.format("local:ops"))
    assert not is_slowed_down(logins.name_key("ops"))
    assert not is_slowed_down(logins.code_key("local:ops"))
    assert is_slowed_down(logins.address_key(ADDRESS))
    [entry] = entries("login.unlock")
    assert entry.subject == "local:ops"


def test_an_address_is_slowed_down_no_more_where_it_is_named(kegui: Kegui) -> None:
    appoint("ops")
    slow_down(logins.address_key(ADDRESS))
    slow_down(logins.address_key("192.0.2.2"))

    result = kegui("user", "unlock", "ops", "--address", ADDRESS)

    subject = f"address {ADDRESS}"
    assert result.stdout == NONE.format("local:ops") + FORGOTTEN.format(subject)
    assert not is_slowed_down(logins.address_key(ADDRESS))
    assert is_slowed_down(logins.address_key("192.0.2.2"))
    assert [entry.subject for entry in entries("login.unlock")] == [subject]


def test_a_name_that_nobody_has_is_said_to_be_one(kegui: Kegui) -> None:
    assert_one_clear_line(kegui("user", "unlock", "nobody"), "no user nobody", "kegui user list")


# ------------------------------------------------------------------- tokens, leavers


def test_who_takes_a_role_back_is_told_of_the_tokens_that_still_call(kegui: Kegui) -> None:
    employ("zhangsan", "lihua")
    for person in ("zhangsan", "lihua"):
        give(person)
    with db.connection():
        for name in ("CRM", "HR", "old"):
            tokens.create_token(name, ["read"], owner="zhangsan", days=9)
        ApiToken.change(ApiToken.name == "old", revoked_at=clock.now())

    told = kegui("user", "revoke", "zhangsan", "auditor")

    assert told.stdout == "zhangsan is no longer auditor\n"
    assert "zhangsan still answers for 2 API tokens" in told.stderr
    assert "kegui token revoke" in told.stderr
    assert kegui("user", "revoke", "lihua", "auditor").stderr == ""


@pytest.mark.parametrize("leave", leavers.WAYS)
def test_the_list_marks_who_is_out(kegui: Kegui, leave: Any) -> None:
    employ("zhangsan", "lihua")
    for person in ("zhangsan", "lihua", "stranger", "local:ops"):
        give(person)
    appoint("ops")
    with db.connection():
        leave("zhangsan")
        LocalUser.change(LocalUser.disabled_at.is_null(), disabled_at=clock.now())
        is_disabled = Staff.get_by_id("zhangsan").status == 2

    lines = [line.split("\t") for line in kegui("user", "list").stdout.splitlines()]

    assert {line[0]: line[4:] for line in lines} == {
        "zhangsan": ["disabled" if is_disabled else "left"],
        "lihua": [],
        "stranger": ["unknown"],
        "local:ops": ["disabled"],
    }


# ------------------------------------------------------------------- which member somebody is


def test_a_local_administrator_is_bound_to_a_member(kegui: Kegui) -> None:
    employ("zhangsan")
    appoint("ops")
    give("local:ops", "administrator")
    assert kegui("user", "list").stdout.endswith("\tbound to no member\n")

    first, again = (
        kegui("user", "bind", "ops", "ZhangSan"),
        kegui("user", "bind", "ops", "zhangsan"),
    )

    assert (first.exit_code, first.stdout) == (0, "local:ops is zhangsan\n")
    assert again.stdout == "local:ops was zhangsan already\n"
    assert kegui("user", "list").stdout.endswith("\tis zhangsan\n")
    [entry] = entries("user.bind")
    assert (entry.subject, entry.details["userid"]) == ("local:ops", "zhangsan")
    assert entry.actor.startswith("cli:")


def test_who_is_bound_must_be_there_and_a_stranger_is_doubted(kegui: Kegui) -> None:
    appoint("ops")

    assert_one_clear_line(kegui("user", "bind", "nobody", "zhangsan"), "kegui user list")
    assert "no reading has met stranger yet" in kegui("user", "bind", "ops", "stranger").stderr


def test_roles_that_must_not_meet_are_not_granted_at_the_terminal_either(kegui: Kegui) -> None:
    employ("zhangsan", "lihua")
    assert kegui("user", "grant", "zhangsan", "administrator").exit_code == 0

    refused = kegui("user", "grant", "zhangsan", "compliance_officer")

    assert_one_clear_line(refused, "zhangsan is administrator")
    appoint("ops")
    give("local:ops", "administrator")
    give("lihua", "auditor")
    assert_one_clear_line(kegui("user", "bind", "ops", "lihua"), "lihua is auditor")


def test_the_terminal_grants_nothing_over_a_department_that_is_not_there(kegui: Kegui) -> None:
    manager = ("user", "grant", "zhangsan", "sales_manager", "--department")
    assert kegui(*manager, "5").exit_code == 0, "nothing was read yet"
    with db.connection():
        Department.create(id=7, name="理财一部")

    assert kegui(*manager, "7").exit_code == 0
    assert_one_clear_line(kegui(*manager, "8"), "there is no department 8")


def test_the_terminal_grants_nothing_to_somebody_who_has_left(kegui: Kegui) -> None:
    employ("zhangsan")
    with db.connection():
        Staff.update(left_at=clock.now()).execute()

    assert_one_clear_line(kegui("user", "grant", "zhangsan", "hr"), "zhangsan has left the firm")
    assert remembered(lambda: RoleGrant.select().count()) == 0


def test_those_in_whom_roles_met_before_are_named(kegui: Kegui) -> None:
    employ("zhangsan")
    give("zhangsan", "administrator")
    give("zhangsan", "auditor")

    listed = kegui("user", "list")

    assert "zhangsan is administrator and auditor" in listed.stderr
    again = kegui("user", "grant", "zhangsan", "auditor")
    assert again.stdout == "zhangsan was auditor already\n"
