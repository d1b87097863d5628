"""Whoever leaves loses for good what let them in."""

from datetime import timedelta
from pathlib import Path
from typing import Any, cast

import pytest

from bot import clock
from bot.audit.log import Who
from bot.db import transaction
from bot.handover import handovers, run
from bot.identity import leavers_access, logins, roles, second_factors, tokens
from bot.identity.access import Access, access_of
from bot.kegui import Kegui
from bot.models import (
    ApiToken,
    AuditEntry,
    Department,
    Handover,
    Login,
    SecondFactor,
    Staff,
)
from bot.queue import Queue
from bot.rights import Role
from bot.vault import Vault
from bot.wecom import Refused
from config import settings
from tests.wecom.one_for_all import OneForAll

pytestmark = pytest.mark.usefixtures("store")
ROOT = Who("cli:root")
VISITOR = logins.Visitor("10.0.0.9", "a browser")


class FakeWeCom(OneForAll):
    """Shows nobody."""

    def contacts_user(self, _userid: str) -> Any:
        raise Refused("user/get", 60111)

    def resigned_unassigned_of(self, _userid: str) -> list[Any]:
        return []


@pytest.fixture
def kegui(tmp_path: Path) -> Kegui:
    """Anna is a reviewer, leads a department, has an app, a token and a browser that is open."""
    made = Kegui(
        settings.load({}),
        cast(Any, FakeWeCom()),
        Queue(f"sqlite:///{tmp_path / 'queue.db'}"),
        Vault("A" * 43 + "="),
    )
    for userid in ("anna", "bert"):
        Staff.create(userid=userid, departments=[1], serves=True, status=1, seen_at=clock.now())
        with transaction():
            roles.grant(userid, Role.REVIEWER, None, ROOT, made)
        second_factors.prepare(userid, made.vault)
        logins.begin(userid, logins.OAUTH, VISITOR, made)
        tokens.make(f"{userid}'s", ["read"], ROOT, made, owner=userid, days=30)
    Department.create(id=1, leaders=["anna", "bert"])
    return made


def make_anew(userid: str) -> Access:
    """Somebody gets an account of that name again."""
    Staff.update(left_at=None, status=1, returned_at=clock.now()).where(
        Staff.userid == userid
    ).execute()
    access = access_of(userid, clock.now().date())
    assert access is not None
    return access


def still_has(userid: str) -> list[str]:
    """What of all that let somebody in still would."""
    open_now = Login.select().where(Login.actor == userid, Login.ended_at.is_null())
    held = ApiToken.select().where(ApiToken.owner == userid, ApiToken.revoked_at.is_null())
    apps = SecondFactor.select().where(SecondFactor.actor == userid)
    found: dict[str, Any] = {"login": open_now, "token": held, "app": apps}
    return [name for name, query in found.items() if query.exists()]


EVERYTHING = ["login", "token", "app"]


def test_an_account_that_is_made_anew_has_nothing_of_the_one_that_is_gone(kegui: Kegui) -> None:
    handovers.begin_for_leaver("anna", source="delete_user", kegui=kegui)

    assert still_has("anna") == []
    assert make_anew("anna").roles == []
    assert still_has("bert") == EVERYTHING
    assert make_anew("bert").roles == [Role.REVIEWER, Role.SALES_MANAGER, Role.STAFF]
    taken = AuditEntry.select().where(AuditEntry.actor == "wecom")
    acts = [one.act for one in taken.order_by(AuditEntry.id)]
    assert acts[:4] == ["login.end", "second_factor.remove", "token.revoke", "role.revoke"]


def leave_is_over(userid: str, kegui: Kegui) -> None:
    """The last day that HR gave was yesterday, and WeCom still has the account."""
    yesterday = (clock.now() - timedelta(days=1)).date()
    handovers.open_offboarding(
        userid, yesterday, mode="auto", source="api", by=Who("api:hr"), kegui=kegui
    )


def test_whose_last_day_is_over_has_nothing_left_though_wecom_keeps_the_account(
    kegui: Kegui,
) -> None:
    leave_is_over("anna", kegui)

    leavers_access.take_from_all(kegui)
    entries = AuditEntry.select().count()
    leavers_access.take_from_all(kegui)

    assert (still_has("anna"), still_has("bert")) == ([], EVERYTHING)
    assert AuditEntry.select().count() == entries


def test_who_is_only_disabled_for_a_while_gets_all_back(kegui: Kegui) -> None:
    Staff.update(status=2).where(Staff.userid == "anna").execute()

    leavers_access.take_from_all(kegui)

    assert still_has("anna") == EVERYTHING


def test_a_leave_that_waits_for_its_approval_takes_nothing(kegui: Kegui) -> None:
    leave_is_over("anna", kegui)
    Handover.update(mode="approve").execute()

    leavers_access.take_from_all(kegui)

    assert still_has("anna") == EVERYTHING


def test_whom_wecom_only_does_not_show_has_lost_nothing(kegui: Kegui) -> None:
    """Somebody says that she leaves; she is outside the app's visible range, or was."""
    assert run._account_is_gone("anna", kegui)

    leavers_access.take_from_all(kegui)

    assert access_of("anna", clock.now().date()) is None
    assert still_has("anna") == EVERYTHING
    Staff.update(left_at=None, returned_at=clock.now()).where(Staff.userid == "anna").execute()
    found = access_of("anna", clock.now().date())
    assert found is not None
    assert Role.REVIEWER in found.roles


def test_a_login_that_ended_by_itself_is_not_ended_again(kegui: Kegui) -> None:
    """Old logins would fill the audit log at each leave."""
    Login.change(Login.id > 0, expires_at=clock.now() - timedelta(days=1))

    handovers.begin_for_leaver("anna", source="delete_user", kegui=kegui)

    assert not AuditEntry.select().where(AuditEntry.act == "login.end").exists()
