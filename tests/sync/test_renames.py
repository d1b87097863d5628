"""A member is known by another userid: everything that names them follows, and nothing twice."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, cast

import pyotp
import pytest
from peewee import (
    AutoField,
    BigIntegerField,
    BlobField,
    BooleanField,
    CharField,
    DateField,
    Field,
    FloatField,
    ForeignKeyField,
    IntegerField,
    JSONField,
    TextField,
)

from bot import clock, events
from bot.audit import search
from bot.audit.log import Who
from bot.capabilities import CAPABILITIES
from bot.db import Model, UTCDateTimeField, transaction
from bot.handover import handovers
from bot.identity import logins, proposals, roles, second_factors, tokens
from bot.identity.access import access_of
from bot.identity.token_list import live_tokens_of
from bot.inbox import inbox
from bot.kegui import Kegui
from bot.models import (
    TABLES,
    Allocation,
    ArchiveConversation,
    ArchiveMessage,
    ArchiveParticipant,
    AuditEntry,
    Conflict,
    Consent,
    Customer,
    DryRun,
    Effect,
    FormerUserid,
    Handover,
    HandoverItem,
    IdempotencyKey,
    InboxArchive,
    InboxEvent,
    Notice,
    Ownership,
    Proposal,
    Relation,
    RoleGrant,
    RuleSet,
    Staff,
    StaffDepartment,
    SyncFinding,
    SyncProgress,
)
from bot.models.inbox_event import DONE
from bot.queue import Lane, Queue
from bot.reason import Reason
from bot.rights import Role
from bot.staff import staff
from bot.sync import renames
from bot.vault import Vault
from bot.wecom import (
    CustomerDetail,
    FollowUser,
    MessageResult,
    Refused,
    Transient,
    User,
    WeComError,
)
from bot.worker import Worker
from config import settings
from handlers import router
from tests.test_events import xml
from tests.wecom.one_for_all import OneForAll

OLD, NEW = "LiSiAuto", "e1042"
LONG_AGO = timedelta(days=30)

# What stays as it was written: the log, what was decided and why, how far a reading had come.
HISTORY: set[Field] = {
    AuditEntry.actor,
    AuditEntry.subject,
    AuditEntry.details,
    AuditEntry.purpose,
    ArchiveConversation.key,
    ArchiveMessage.sender,
    ArchiveParticipant.person,
    Allocation.arrival,
    RuleSet.body,
    DryRun.result,
    Conflict.resolution,
    FormerUserid.former,
    IdempotencyKey.answer,
    SyncFinding.subject,
    SyncFinding.userid,
    SyncProgress.subject,
    # A decided one never changes; an open one is withdrawn and made anew.
    Proposal.subject,
    Proposal.terms,
    Proposal.proposed_by,
    Proposal.decided_by,
    Proposal.decider,
    Proposal.decider_too,
}
# What names no member, by table.
NAMES_NOBODY: dict[str, str] = {
    "AccessToken": "secret_name",
    "Alarm": "kind reason_code advice_code",
    "Allocation": "external_userid channel outcome rule rules_version reason_code reason_facts",
    "ApiToken": "name digest scopes departments mac",
    "DryRun": "state error",
    "RuleSet": "kind label body_sha256 source state",
    "ArchiveAnchor": "link signature",
    "ArchiveConversation": "chat_id kind",
    "ArchiveDayKey": "day",
    "ArchiveFile": "name type",
    "ArchiveMedia": "kind state file",
    "ArchiveMessage": "msgid state msgtype action chat_id recalls day hash link",
    "ArchiveSilence": "reason",
    "ArchiveState": "trouble link mac",
    "AuditAnchor": "link signature",
    "AuditCheck": "first",
    "AuditEnd": "link mac",
    "AuditEntry": "writer act origin mac",
    "AuditSeal": "link",
    "AuditSealed": "writer",
    "AuditWriter": "writer mac",
    "Conflict": "external_userid state",
    "Consent": "external_userid chat_id state evidence",
    "ContactWay": "config_id qr_code state remark channel",
    "Customer": "external_userid name channel tags review",
    "Department": "name",
    "Effect": "kind state reason_code reason_facts",
    "EndpointPause": "name secret_name endpoint reason",
    "EndpointRefusal": "name endpoint",
    "GapDigest": "external_userid",
    "GroupChat": "chat_id name",
    "Handover": "kind mode state reason source request_key scope transfer_success_msg"
    " waits_for_code waits_for_facts",
    "HandoverItem": "kind subject state reason_code",
    "HandWork": "kind subject reason_code reason_facts",
    "IdempotencyKey": "caller path key body_sha256 request_key",
    "InboxArchive": "key source event change_type external_userid lane state error_code"
    " error_facts",
    "InboxEvent": "key source event change_type external_userid lane state error_code error_facts",
    "JobRun": "job error_code error_facts",
    "Lease": "name holder",
    "LocalUser": "name password_hash mac",
    "Login": "digest method address browser mac",
    "LoginFailure": "key",
    "MetricCount": "name labels",
    "Notice": "external_userid template version text_sha256 state reason_code reason_facts",
    "Ownership": "external_userid reason_code reason_facts",
    "PlannedJob": "job",
    "Proposal": "kind state reason decision_reason",
    "Relation": "external_userid state source channel end",
    "RoleGrant": "role mac",
    "SecondFactor": "mac",
    "Staff": "name departments licences skills availability",
    "SyncCount": "run kind outcome",
    "SyncFinding": "run kind here wecom outcome",
    "SyncProgress": "run step cursor",
    "SyncRun": "run kind",
    "TransferAttempt": "endpoint status",
}
FOLLOWING = {*renames.PLAIN, *renames.LISTS, *renames.BY_HAND, FormerUserid.userid}


class WeCom(OneForAll):
    """Shows some members, by the userids that they have now."""

    def __init__(self) -> None:
        self.shown = {NEW: "李四", "wangwu": "王五"}
        self.knows_only_present = False
        self.trouble: WeComError | None = None
        self.asked: list[str] = []
        self.told: list[tuple[str, str]] = []
        self.welcomed: list[str] = []

    def contacts_user(self, userid: str) -> User:
        self.asked.append(userid)
        for one, name in self.shown.items():
            if one.lower() == userid.lower():
                return User(one, name, (2,), 2, (2,), None, 1)
        raise Refused("user/get", 60111)

    def customers_follow_users(self) -> list[str]:
        return list(self.shown)

    def customers_get(self, external_userid: str) -> CustomerDetail:
        contact = FollowUser(NEW, "", clock.now(), "", 1, "")
        return CustomerDetail(external_userid, "陈女士", 1, (contact,))

    def customers_send_welcome(self, code: str, _text: str) -> None:
        self.welcomed.append(code)

    def messages_send_text(self, userids: list[str], text: str) -> MessageResult:
        if self.knows_only_present and not set(userids) & set(self.shown):
            raise Refused("message/send", 81013)
        if self.trouble is not None:
            raise self.trouble
        self.told += [(userid, text) for userid in userids]
        return MessageResult("msgid", ())


@pytest.fixture
def wecom() -> WeCom:
    return WeCom()


@pytest.fixture
def kegui(store: str, wecom: WeCom, tmp_path: Path) -> Iterator[Kegui]:
    loaded = settings.load({"KEGUI_CORP_ID": "ww1", "KEGUI_OPERATORS": OLD})
    queue = Queue(f"sqlite:///{tmp_path / 'queue.db'}")
    yield Kegui(loaded, cast(Any, wecom), queue, Vault("A" * 43 + "="))
    queue.close()


def comes(kegui: Kegui, at: datetime | None = None, **nodes: str) -> InboxEvent:
    """Let an event come and be handled."""
    moment = str(int((at or clock.now()).timestamp()))
    body = xml(CreateTime=moment, **nodes)
    event_id = inbox.put("contacts", events.parse(body), body, vault=kegui.vault, now=clock.now())
    assert event_id is not None
    Worker(kegui, router, CAPABILITIES).answer(event_id, Lane.WORK)
    return InboxEvent.get_by_id(event_id)


def renamed(
    kegui: Kegui, former: str = OLD, userid: str = NEW, at: datetime | None = None
) -> InboxEvent:
    return comes(
        kegui,
        at,
        Event="change_contact",
        ChangeType="update_user",
        UserID=former,
        NewUserID=userid,
    )


def member(userid: str, **more: Any) -> Staff:
    return Staff.create(userid=userid, name="李四", serves=True, seen_at=clock.now(), **more)


def meets(
    customer: str, userid: str, owner: str | None = None, *, ago: timedelta = LONG_AGO
) -> Relation:
    at = clock.now() - ago
    Customer.meet(customer, channel="", met_at=at)
    if owner:
        Ownership.claim(customer, owner, at=at, reason=Reason("test"))
    return Relation.begin(customer, userid, state="active", source="event", at=at, noted_at=at)


def texts(table: type[Model]) -> list[Field]:
    meta = cast(Any, table)._meta
    kinds = (CharField, TextField, JSONField)
    return [one for one in meta.sorted_fields if isinstance(one, kinds)]


def test_every_column_says_whether_it_names_a_member() -> None:
    """A new column of text belongs into one of the lists above, or into those of ``renames``."""
    unsaid = []
    for table in TABLES:
        nobody = NAMES_NOBODY.get(table.__name__, "").split()
        for field in texts(table):
            said = [field in HISTORY, field in FOLLOWING, field.name in nobody]
            if not any(said):
                unsaid.append(f"{table.__name__}.{field.name}")

    assert unsaid == []


def test_a_former_userid_is_left_nowhere_but_in_history(kegui: Kegui) -> None:
    seen: set[Field] = set()
    for table in TABLES:
        if table.__name__ not in ("FormerUserid", "Proposal"):
            seen |= fill(table)
    assert FOLLOWING - seen == {
        FormerUserid.userid,
        Proposal.proposed_by,
        Proposal.proposer,
        Proposal.proposer_too,
        Proposal.subject,
        Proposal.terms,
    }

    row = renamed(kegui)

    assert (row.state, row.error_code or "") == (DONE, "")
    left = [
        f"{table.__name__}.{field.name}"
        for table in TABLES
        for field in texts(table)
        if field not in HISTORY
        for one in cast(Any, table.select(field).tuples())
        if OLD in str(one[0])
    ]
    assert left == []
    assert Staff.get_by_id(NEW).capacity == 7
    [entry] = AuditEntry.select().where(AuditEntry.act == "staff.rename")
    assert (entry.actor, entry.subject, entry.details["former"]) == ("wecom", f"staff {NEW}", OLD)


def fill(table: type[Model]) -> set[Field]:
    """Add a row that names the former userid wherever a row can, and return where."""
    meta = cast(Any, table)._meta
    values: dict[str, Any] = {}
    named: set[Field] = set()
    for field in meta.sorted_fields:
        if field in FOLLOWING:
            values[field.name] = naming(field)
            named.add(field)
        elif isinstance(field, ForeignKeyField):
            values[field.name] = field.rel_model.select().first()
        elif not isinstance(field, AutoField):
            values[field.name] = dummy(field)
    if table is Staff:
        values |= {"capacity": 7, "departments": [2]}
    if table is StaffDepartment:
        return named
    table.insert(**values).execute()
    return named


def naming(field: Field) -> Any:
    if isinstance(field, JSONField):
        return [OLD, "wangwu"]
    special: dict[Field, str] = {
        Effect.identity: f"message:{OLD}:0123",
    }
    return special.get(field, OLD)


def dummy(field: Field) -> Any:
    if field.null:
        return None
    if isinstance(field, UTCDateTimeField):
        return clock.now()
    for kind, value in (
        (DateField, clock.now().date()),
        (BlobField, b"x"),
        (JSONField, []),
        (BooleanField, False),
        (FloatField, 0.0),
        (BigIntegerField, 1),
        (IntegerField, 1),
    ):
        if isinstance(field, kind):
            return value
    return "x"


@pytest.mark.parametrize("came_first", ["the event", "the reading", "the event, twice"])
def test_customers_and_all_that_is_theirs_stay_with_the_member(
    kegui: Kegui, came_first: str
) -> None:
    member(OLD, capacity=50, departments=[2])
    relation = meets("wm_chen", OLD, OLD)
    Consent.create(
        external_userid="wm_chen",
        userid=OLD,
        state="agreed",
        since=relation.added_at,
        evidence="event 1",
        recorded_at=clock.now(),
    )
    with transaction():
        roles.grant(OLD, Role.AUDITOR, None, Who("boss"), kegui)
    if came_first == "the reading":
        member(NEW)
        at = relation.added_at
        Relation.begin("wm_chen", NEW, state="active", source="repair", at=at, noted_at=clock.now())
        Customer.update(review="several_followers").execute()
        with transaction():
            roles.grant(NEW, Role.AUDITOR, None, Who("boss"), kegui)

    renamed(kegui)
    if came_first == "the event, twice":
        # The second delivery differs in a field, as WeCom's may.
        assert (
            comes(
                kegui,
                Event="change_contact",
                ChangeType="update_user",
                UserID=OLD,
                NewUserID=NEW,
                Department="2",
            ).state
            == DONE
        )

    assert [(one.userid, one.capacity) for one in Staff.select()] == [(NEW, 50)]
    assert [(one.userid, one.until) for one in Ownership.select()] == [(NEW, None)]
    [kept] = Relation.select()
    assert (kept.userid, kept.state, kept.source) == (NEW, "active", "event")
    assert [one.userid for one in Consent.select()] == [NEW]
    granted = RoleGrant.select().where(RoleGrant.revoked_at.is_null())
    assert [(one.actor, one.role) for one in granted] == [(NEW, "auditor")]
    assert Customer.get().review is None
    assert AuditEntry.select().where(AuditEntry.act == "staff.rename").count() == 1
    assert [one.unfit for one in staff.candidates(kegui)] == [""]


def test_who_is_in_stays_in_with_roles_token_and_app(kegui: Kegui) -> None:
    member(OLD)
    with transaction():
        roles.grant(OLD, Role.AUDITOR, None, Who("boss"), kegui)
    cookie = logins.begin(OLD, logins.QR, logins.Visitor("127.0.0.1", "browser"), kegui)
    tokens.make("crm", [tokens.READ], Who("cli:root"), kegui, owner=OLD, days=30)
    app = pyotp.TOTP(second_factors.prepare(OLD, kegui.vault))
    assert second_factors.confirm(OLD, app.at(clock.now() - timedelta(seconds=30)), Who(OLD), kegui)

    renamed(kegui)

    today = clock.now().date()
    login, access = logins.current(cookie, kegui), access_of(NEW, today)
    assert login is not None
    assert login.actor == NEW
    assert access is not None
    assert access.roles == [Role.SALES_MANAGER, Role.AUDITOR, Role.STAFF]
    assert [one.name for one in live_tokens_of(NEW, clock.now(), today)] == ["crm"]
    assert second_factors.proves(NEW, app.at(clock.now()), kegui.vault)
    assert access_of(OLD, today) is None


def test_a_late_event_under_the_former_userid_is_the_members(kegui: Kegui, wecom: WeCom) -> None:
    member(OLD)
    meets("wm_chen", OLD, OLD)
    renamed(kegui)

    comes(
        kegui,
        Event="change_external_contact",
        ChangeType="add_external_contact",
        UserID=OLD.lower(),
        ExternalUserID="wm_late",
    )
    comes(
        kegui,
        Event="change_external_contact",
        ChangeType="del_follow_user",
        UserID=OLD,
        ExternalUserID="wm_chen",
    )

    assert [one.userid for one in Staff.select().where(Staff.userid != "wangwu")] == [NEW]
    owned = Ownership.select().where(Ownership.external_userid == "wm_late")
    assert [one.userid for one in owned] == [NEW]
    assert {(one.userid, one.state) for one in Relation.select()} == {
        (NEW, "active"),
        (NEW, "ended"),
    }
    assert Conflict.select().count() == 0


def test_a_welcome_that_was_begun_before_is_not_sent_again(kegui: Kegui, wecom: WeCom) -> None:
    """The worker died after WeCom took it, and the member was renamed meanwhile."""
    member(OLD)
    nodes = {
        "CreateTime": str(int(clock.now().timestamp())),
        "Event": "change_external_contact",
        "ChangeType": "add_external_contact",
        "UserID": OLD,
        "ExternalUserID": "wm_chen",
        "WelcomeCode": "CODE",
    }
    body = xml(**nodes)
    event_id = inbox.put("customer", events.parse(body), body, vault=kegui.vault, now=clock.now())
    assert event_id is not None
    Worker(kegui, router, CAPABILITIES).answer(event_id, Lane.WELCOME)
    assert wecom.welcomed == ["CODE"]
    Notice.delete().execute()
    InboxEvent.update(lane=Lane.WELCOME, state="waiting", due_at=clock.now()).execute()

    renamed(kegui)
    Worker(kegui, router, CAPABILITIES).answer(event_id, Lane.WELCOME)

    assert wecom.welcomed == ["CODE"]
    assert [(one.userid, one.state) for one in Notice.select()] == [(NEW, "delivered")]


@pytest.mark.parametrize("fails_once", [False, True])
def test_who_was_told_nothing_under_the_former_userid_is_told_under_the_new_one(
    kegui: Kegui, wecom: WeCom, fails_once: bool
) -> None:
    """WeCom knows the new userid some moments before its event about it comes."""
    member(OLD)
    member("wangwu")
    meets("wm_chen", "wangwu", "wangwu", ago=LONG_AGO)
    wecom.knows_only_present = True
    comes(
        kegui,
        Event="change_external_contact",
        ChangeType="add_external_contact",
        UserID=OLD,
        ExternalUserID="wm_chen",
    )
    assert {userid for userid, _ in wecom.told} == {"wangwu"}

    if fails_once:
        wecom.trouble = Transient("message/send", -1, maybe_executed=False)
        assert renamed(kegui).state == "failed"
        wecom.trouble = None
        InboxEvent.update(due_at=clock.now()).execute()
        Worker(kegui, router, CAPABILITIES).answer(
            InboxEvent.select().order_by(-InboxEvent.id).get().id, Lane.WORK
        )
    else:
        renamed(kegui)

    assert sorted(userid for userid, _ in wecom.told) == [NEW, "wangwu"]
    assert Effect.select().where(Effect.sealed_text.is_null(False)).count() == 0


def test_a_retry_after_a_rename_tells_nobody_twice(kegui: Kegui, wecom: WeCom) -> None:
    member(OLD)
    member("wangwu")
    meets("wm_chen", "wangwu", "wangwu", ago=LONG_AGO)
    event = comes(
        kegui,
        Event="change_external_contact",
        ChangeType="add_external_contact",
        UserID=OLD,
        ExternalUserID="wm_chen",
    )
    told = list(wecom.told)
    assert {userid for userid, _ in told} == {OLD, "wangwu"}

    renamed(kegui)
    InboxEvent.update(state="waiting", due_at=clock.now()).where(
        InboxEvent.id == event.id
    ).execute()
    Worker(kegui, router, CAPABILITIES).answer(event.id, Lane.WORK)

    assert wecom.told == told


def test_a_conflict_with_oneself_is_none(kegui: Kegui) -> None:
    member(OLD)
    member(NEW)
    meets("wm_self", OLD, OLD)
    meets("wm_self", NEW)
    meets("wm_three", OLD, OLD)
    for customer, contenders in (("wm_self", [NEW]), ("wm_three", [NEW, "wangwu"])):
        Conflict.create(
            external_userid=customer, owner=OLD, contenders=contenders, opened_at=clock.now()
        )

    renamed(kegui)

    found = {one.external_userid: one for one in Conflict.select()}
    assert (found["wm_self"].state, found["wm_self"].owner) == ("resolved", NEW)
    three = found["wm_three"]
    assert (three.state, three.owner, three.contenders) == ("open", NEW, ["wangwu"])


def test_an_offboarding_of_the_new_userid_finds_what_was_the_old_ones(kegui: Kegui) -> None:
    member(OLD)
    member("wangwu")
    meets("wm_chen", OLD, OLD)
    case, _ = handovers.open_offboarding(
        OLD,
        clock.now().date(),
        mode="approve",
        source="test",
        by=Who("hr_wang"),
        kegui=kegui,
        successors=["wangwu"],
    )
    HandoverItem.create(
        handover=case,
        kind="customer",
        subject="wm_chen",
        takeover_userid="wangwu",
        updated_at=clock.now(),
    )

    renamed(kegui)
    again, is_new = handovers.open_offboarding(
        NEW, clock.now().date(), mode="approve", source="test", by=Who("hr_wang"), kegui=kegui
    )

    assert (again.id, is_new, again.userid) == (case.id, False, NEW)
    assert [one.takeover_userid for one in HandoverItem.select()] == ["wangwu"]
    with pytest.raises(proposals.SamePerson):
        handovers.approve(again, Who(NEW), kegui)


def test_of_two_open_offboardings_of_one_member_one_is_left(kegui: Kegui) -> None:
    for userid in (OLD, NEW):
        member(userid)
        handovers.open_offboarding(
            userid, clock.now().date(), mode="approve", source="test", by=Who("hr"), kegui=kegui
        )

    renamed(kegui)

    found = [(one.userid, one.state) for one in Handover.select().order_by(Handover.id)]
    assert found == [(NEW, "planned"), (NEW, "cancelled")]
    assert Proposal.select().where(Proposal.state == "open").count() == 1


def test_a_proposal_about_the_member_is_made_anew_and_nobody_decides_on_their_own(
    kegui: Kegui,
) -> None:
    member(OLD)
    member("boss")
    by = Who(OLD)
    proposal = roles.propose(roles.GRANT, "boss", Role.AUDITOR, None, by, kegui, "needed")
    roles.propose(roles.GRANT, OLD, Role.REVIEWER, None, Who("boss"), kegui)

    renamed(kegui)

    assert Proposal.get_by_id(proposal.id).state == "withdrawn"
    ours, theirs = Proposal.select().where(Proposal.state == "open").order_by(Proposal.id)
    assert (ours.proposed_by, ours.subject, ours.reason) == (NEW, "boss as auditor", "needed")
    assert (theirs.subject, theirs.terms["actor"]) == (f"{NEW} as reviewer", NEW)
    with pytest.raises(proposals.SamePerson):
        roles.decide(ours, Who(NEW), kegui, is_approved=True, reason="")


def test_rules_and_operators_named_by_the_former_userid_are_the_member(
    kegui: Kegui, wecom: WeCom, monkeypatch: pytest.MonkeyPatch
) -> None:
    member(OLD)
    renamed(kegui)
    rule = f'version = "1"\n[[rule]]\nname = "desk"\nchannels = ["desk"]\nuserids = ["{OLD}"]'
    monkeypatch.setattr("bot.allocation.rule_sets.text", lambda _name: rule)

    comes(
        kegui,
        Event="change_external_contact",
        ChangeType="add_external_contact",
        UserID=NEW,
        ExternalUserID="wm_rule",
        State="desk",
    )
    renames.ask_whether("gone", "somebody", kegui)

    [decided] = Allocation.select()
    assert (decided.owner, decided.rule) == (NEW, "desk")
    assert [userid for userid, _ in wecom.told] == [NEW]


def test_a_userid_that_wecom_gives_to_somebody_else_later_is_theirs(
    kegui: Kegui, wecom: WeCom
) -> None:
    member(OLD)
    renamed(kegui, at=clock.now() - timedelta(days=2))
    wecom.shown[OLD] = "李思"

    comes(kegui, Event="change_contact", ChangeType="create_user", UserID=OLD)
    comes(
        kegui,
        Event="change_external_contact",
        ChangeType="add_external_contact",
        UserID=OLD,
        ExternalUserID="wm_other",
    )

    assert {one.userid: one.name for one in Staff.select()}[OLD] == "李思"
    assert Ownership.current("wm_other").userid == OLD  # type: ignore[union-attr]
    assert FormerUserid.select().count() == 0


def test_back_and_forth_in_any_order_is_one_member(kegui: Kegui, wecom: WeCom) -> None:
    now = clock.now()
    member(OLD)
    meets("wm_chen", OLD, OLD)

    # The second change is heard of first.
    renamed(kegui, "e7", NEW, at=now)
    renamed(kegui, OLD, "e7", at=now - timedelta(hours=1))

    assert [one.userid for one in Ownership.select()] == [NEW]
    assert Staff.spelled(OLD) == Staff.spelled("E7") == NEW
    wecom.shown = {OLD: "李四"}
    renamed(kegui, NEW, OLD, at=now + timedelta(seconds=1))
    assert [one.userid for one in Ownership.select()] == [OLD]
    assert Staff.spelled(NEW) == OLD


def test_other_letters_alone_change_nothing(kegui: Kegui, wecom: WeCom) -> None:
    wecom.shown = {OLD.upper(): "李四"}
    member(OLD)

    assert renamed(kegui, OLD, OLD.upper()).state == DONE

    assert [one.userid for one in Staff.select().where(Staff.userid != "wangwu")] == [OLD]
    assert FormerUserid.select().count() == 0


def test_the_log_finds_what_a_member_did_under_the_former_userid(kegui: Kegui) -> None:
    member(OLD)
    with transaction():
        kegui.audit.record(Who(OLD), "customer.look", "customer wm_chen")
        kegui.audit.record(Who("boss"), "staff.look", f"staff {OLD}")
    renamed(kegui)

    for name in (OLD, NEW):
        by = search.part(search.Wanted(actor=name), None, 10).entries
        about = search.part(search.Wanted(subject=f"staff {name}"), None, 10).entries
        assert [(one.actor, one.act) for one in by] == [(OLD, "customer.look")]
        assert [one.act for one in about] == ["staff.rename", "staff.look"]


def test_a_rename_that_fails_half_way_moves_nothing(
    kegui: Kegui, monkeypatch: pytest.MonkeyPatch
) -> None:
    member(OLD)
    meets("wm_chen", OLD, OLD)

    def fails(*_: Any, **__: Any) -> None:
        raise RuntimeError

    monkeypatch.setattr(renames, "_tidy", fails)

    assert renamed(kegui).state == "failed"
    assert [one.userid for one in Ownership.select()] == [OLD]
    assert [one.userid for one in Staff.select()] == [OLD]
    assert FormerUserid.select().count() == 0


def test_a_person_may_not_make_two_members_one(kegui: Kegui, wecom: WeCom) -> None:
    member(OLD)
    wecom.shown[OLD] = "李四"

    for former, present, why in (
        ("nobody", NEW, "nobody here"),
        (OLD, NEW, "still"),
        (OLD, "unknown", "still"),
    ):
        with pytest.raises(renames.NotPossible, match=why):
            renames.say_so(former, present, Who("cli:root"), kegui)
    del wecom.shown[OLD]
    with pytest.raises(renames.NotPossible, match="shows no member"):
        renames.say_so(OLD, "unknown", Who("cli:root"), kegui)
    assert renames.say_so(OLD, NEW, Who("cli:root"), kegui) == NEW


def test_archived_events_follow(kegui: Kegui) -> None:
    member(OLD)
    row = renamed(kegui, "x", "y")
    values = {name: getattr(row, name) for name in InboxEvent._meta.fields if name != "id"}
    InboxArchive.insert(**values | {"userid": OLD, "key": "k"}, id=99).execute()

    renamed(kegui)

    assert InboxArchive.get().userid == NEW
