"""`kegui token`: what may call, who answers for it, and how it is stopped."""

from datetime import timedelta
from typing import Any, cast

from bot import clock, db
from bot.identity.tokens import create_token
from bot.models import ApiToken, AuditEntry, Staff
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


def make(name: str, owner: str = "cli:ops", days: int | None = 90) -> None:
    remembered(lambda: create_token(name, ["read"], owner=owner, days=days))


def rows() -> list[Any]:
    return cast(list[Any], remembered(lambda: list(ApiToken.select().order_by(ApiToken.id))))


def test_the_list_says_of_each_token_what_it_is_worth(kegui: Kegui) -> None:
    employ("zhangsan", "wangwu")
    make("crm", "zhangsan")
    make("soon", days=10)
    make("orphan", "wangwu")
    make("old", days=None)
    with db.connection():
        Staff.update(left_at=clock.now()).where(Staff.userid == "wangwu").execute()

    lines = [line.split("\t") for line in kegui("token", "list").stdout.splitlines()]

    end = f"until {clock.now() + timedelta(days=90):%Y-%m-%d}"
    assert [(line[1], line[-1]) for line in lines] == [
        ("soon", "expires soon"),
        ("crm", "holds"),
        ("old", "holds"),
        ("orphan", "orphaned"),
    ]
    assert lines[1] == ["1", "crm", "zhangsan", "read", end, "unused", "holds"]
    assert lines[2][4] == "without an end"


def test_the_list_marks_a_token_that_may_more_than_its_owner(kegui: Kegui) -> None:
    employ("zhangsan")
    remembered(lambda: create_token("all", ["admin"], owner="zhangsan", days=90))
    remembered(lambda: create_token("ours", ["admin"], owner="cli:ops", days=90))

    ends = [line.split("\t")[-1] for line in kegui("token", "list").stdout.splitlines()]

    assert ends == ["holds, owner is no administrator", "holds"]


def test_a_token_is_revoked_by_name_or_by_number(kegui: Kegui) -> None:
    make("crm")
    make("hr")

    assert kegui("token", "revoke", "crm").stdout == "token 1 (crm) is revoked\n"
    assert kegui("token", "revoke", "2").stdout == "token 2 (hr) is revoked\n"

    assert all(row.revoked_at is not None for row in rows())
    acts = remembered(lambda: [(row.act, row.subject) for row in AuditEntry.select()])
    assert acts == [("token.revoke", "token crm"), ("token.revoke", "token hr")]


def test_a_name_that_two_tokens_have_revokes_neither(kegui: Kegui) -> None:
    make("crm")
    make("crm")

    assert_one_clear_line(kegui("token", "revoke", "crm"), "1, 2")
    assert [row.revoked_at for row in rows()] == [None, None]

    assert kegui("token", "revoke", "2").exit_code == 0
    assert kegui("token", "revoke", "crm").stdout == "token 1 (crm) is revoked\n"


def test_a_token_that_may_not_call_cannot_be_revoked(kegui: Kegui) -> None:
    make("crm")
    kegui("token", "revoke", "crm")

    for name in ("crm", "1", "nobody", "9" * 30):
        assert_one_clear_line(kegui("token", "revoke", name), "kegui token list")


def test_a_token_of_the_same_name_or_of_a_stranger_is_not_made(kegui: Kegui) -> None:
    make("crm")

    taken = kegui("token", "create", "--name", "crm", "--scope", "read")
    stranger = kegui("token", "create", "--name", "hr", "--scope", "read", "--owner", "nobody")

    assert_one_clear_line(taken, "crm already")
    assert_one_clear_line(stranger, "nobody of the firm is called nobody")
    assert len(rows()) == 1
