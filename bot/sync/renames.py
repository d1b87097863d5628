"""A member is known by another userid: all that names them follows, in one transaction.

WeCom lets a userid be changed (``NewUserID`` of update_user, path 90970). It is the same person:
customers, roles and all that is under way stay theirs. What was written down as history (the audit
log, decided proposals, why a rule chose whom) keeps the old one, and ``FormerUserid`` says whose
it was.
"""

import json
from collections import Counter
from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from typing import Any, cast

import structlog
from peewee import Field, ModelSelect, chunked, fn

from bot import clock
from bot.alarms import end_alarm, raise_alarm
from bot.audit.log import Who
from bot.db import locked, transaction
from bot.effects import Busy
from bot.handover import handovers
from bot.identity import proposals, second_factors
from bot.kegui import Kegui
from bot.messages import forget_texts, send_anew
from bot.models import (
    TABLES,
    Alarm,
    Conflict,
    Consent,
    Customer,
    Effect,
    FormerUserid,
    GapDigest,
    Handover,
    HandoverItem,
    Lease,
    Proposal,
    Relation,
    RoleGrant,
    SecondFactor,
    Staff,
    StaffDepartment,
)
from bot.models import conflict as conflicts
from bot.models.customer import LIVE_RELATIONS, SEVERAL_FOLLOWERS
from bot.models.data_key import MESSAGE, SECOND_FACTOR
from bot.models.granting import write
from bot.models.handover import HANDOVER_OPEN, IN_SERVICE, OFFBOARDING, PLANNED, RUNNING
from bot.models.naming import MemberField, MembersField
from bot.models.proposal import OPEN
from bot.reason import Reason
from bot.staff import staff
from bot.sync.rename_rules import SAME_MOMENT, Stretch, former_one_stands, may_be_one, replaced
from bot.vault import Vault, VaultError
from bot.wecom import WeComError

log = structlog.get_logger(__name__)

MAYBE_RENAMED = "member_maybe_renamed"
BY_WECOM = Who("wecom")
AT_ONCE = 500
# A reading that ran while a member was renamed may have written the former userid once more.
LOOKED_AFTER = timedelta(days=2)


def columns(kind: type[Field]) -> list[Field]:
    """Return the columns of one kind, of all tables."""
    return [
        field
        for table in TABLES
        for field in cast(Any, table)._meta.sorted_fields
        if isinstance(field, kind)
    ]


# Columns that simply follow, and lists of members that do.
PLAIN: Sequence[Field] = columns(MemberField)
LISTS: Sequence[Field] = columns(MembersField)
# Columns that follow by an act of their own, because the new userid may have a row already.
BY_HAND: tuple[Field, ...] = (
    Alarm.subject,
    Consent.userid,
    Effect.identity,
    GapDigest.userid,
    Proposal.proposed_by,
    Proposal.proposer,
    Proposal.proposer_too,
    Proposal.subject,
    Proposal.terms,
    Relation.userid,
    SecondFactor.actor,
    Staff.userid,
    StaffDepartment.userid,
)


class NotPossible(Exception):
    """The two are not one member; the text says why."""


def rename(former: str, userid: str, at: datetime, by: Who, kegui: Kegui) -> str:
    """Let all that names ``former`` name ``userid``; returns the member's present userid.

    Safe to repeat, and the same whether the new userid is known here already or not. An event
    that comes late, after the member was given yet another userid, leads to that one.

    Args:
        at: when WeCom changed it.

    Raises:
        Busy: a handover of the member is being worked on at this moment.
        WeComError: all is moved, and a message to the former userid could not be sent anew.
    """
    former, userid = _written(former), _written(userid)
    for since in FormerUserid.among([userid]):
        if since.renamed_at >= at:
            userid = since.userid
    if former.lower() == userid.lower():
        # A try again: all is moved, and what was to be said may not have been said.
        send_anew(former, kegui)
        return former
    with (
        Lease.held(f"handover of {former}") as mine,
        Lease.held(f"handover of {userid}") as theirs,
    ):
        if not (mine and theirs):
            raise Busy(f"handover of {userid}")
        with transaction():
            _rename(former, userid, at, by, kegui)
    send_anew(userid, kegui)
    return userid


def say_so(former: str, userid: str, by: Who, kegui: Kegui) -> str:
    """Carry out a person's word that two userids are one member; returns the present one.

    Raises:
        NotPossible: nobody is known by the former userid, or WeCom shows both or not the new one.
        Busy, WeComError: see ``rename``.
    """
    if Staff.get_or_none(Staff.userid == _written(former)) is None:
        raise NotPossible(f"nobody here is called {former}")
    if staff.refresh(former, kegui) is not None:
        raise NotPossible(f"WeCom shows {former} still: these are two members")
    if staff.refresh(userid, kegui) is None:
        raise NotPossible(f"WeCom shows no member {userid}")
    present = rename(former, userid, clock.now(), by, kegui)
    staff.look_again([present], kegui)
    return present


def look_after_latest(kegui: Kegui) -> None:
    """Move what was written under a former userid while the member was being renamed."""
    since = clock.now() - LOOKED_AFTER
    for one in list(FormerUserid.select().where(FormerUserid.renamed_at > since)):
        try:
            rename(one.former, one.userid, one.renamed_at, BY_WECOM, kegui)
        except (Busy, WeComError) as trouble:
            log.info("rename_waits", why=str(trouble))
    forget_texts(before=since)


def who_may_be(former: str) -> list[str]:
    """Name the members in service who have the contacts of one whom WeCom does not show any more,
    each begun at the same moment: the likeliest first."""
    live = Relation.state.in_(LIVE_RELATIONS)
    mine = {
        row.external_userid: row.added_at
        for row in Relation.select().where(Relation.userid == former, live)
    }
    here = Staff.select(Staff.userid).where(Staff.serves, Staff.left_at.is_null())
    met = Relation.select(Relation.external_userid).where(Relation.userid == former, live)
    others = Relation.select().where(
        Relation.external_userid.in_(met), Relation.userid.in_(here), live
    )
    shared = Counter(
        row.userid for row in others if abs(row.added_at - mine[row.external_userid]) <= SAME_MOMENT
    )
    return [one for one, number in shared.most_common() if may_be_one(number, len(mine))]


def ask_whether(former: str, present: str, kegui: Kegui) -> None:
    """Ask the operators whether two userids are one member: only a person may say so."""
    raise_alarm(
        MAYBE_RENAMED,
        former,
        Reason(MAYBE_RENAMED, {"former": former, "present": present}),
        kegui,
    )


def end_questions(except_of: Collection[str]) -> None:
    """Close the questions about members of whom nothing is in doubt any more."""
    asked = Alarm.select().where(Alarm.kind == MAYBE_RENAMED, Alarm.ended_at.is_null())
    for alarm in list(asked):
        if alarm.subject not in except_of:
            end_alarm(MAYBE_RENAMED, alarm.subject)


def _written(userid: str) -> str:
    """Return a userid as a member's row has it, whatever it may have been called before."""
    rows = Staff.select(Staff.userid).where(fn.LOWER(Staff.userid) == userid.lower())
    known = sorted(row.userid for row in rows)
    return userid if userid in known or not known else known[0]


def _rename(former: str, userid: str, at: datetime, by: Who, kegui: Kegui) -> None:
    # In one order, as whoever else renames.
    rows = Staff.select().where(Staff.userid.in_([former, userid])).order_by(Staff.userid)
    is_known = {row.userid for row in locked(rows)}
    is_new = FormerUserid.put(former, userid, at)
    _end_what_is_between(former, userid, kegui)
    moved = _propose_anew(former, userid, kegui)
    if former in is_known:
        moved += _merge_staff(former, userid) if userid in is_known else _move_staff(former, userid)
    moved += _move_relations(former, userid)
    moved += _move_access(former, userid, kegui.vault)
    moved += _move_rest(former, userid, kegui.vault)
    moved += sum(_follow(field, former, userid) for field in PLAIN)
    moved += sum(_follow_in_list(field, former, userid) for field in LISTS)
    _tidy(userid)
    if is_new or moved:
        kegui.audit.record(by, "staff.rename", f"staff {userid}", former=former, rows=moved)
        log.info("member_renamed", rows=moved)


def _follow(field: Field, former: str, userid: str) -> int:
    return write(field.model, field == former, **{field.name: userid})


def _follow_in_list(field: Field, former: str, userid: str) -> int:
    key = field.model._meta.primary_key
    found = field.model.select(key, field).where(_has(field, former))
    moved = 0
    for row in list(found):
        present = getattr(row, field.name)
        new = replaced(present, former, userid)
        if new != present:
            field.model.update({field: new}).where(key == row.get_id()).execute()
            moved += 1
    return moved


def _has(field: Field, former: str) -> Any:
    """What is true of rows whose JSON may name a userid."""
    return field.cast("TEXT").contains(json.dumps(former))


def _move_staff(former: str, userid: str) -> int:
    StaffDepartment.update(userid=userid).where(StaffDepartment.userid == former).execute()
    return int(Staff.update(userid=userid).where(Staff.userid == former).execute())


def _merge_staff(former: str, userid: str) -> int:
    """WeCom's facts are the new row's, what managers set is the old one's."""
    old = Staff.get_by_id(former)
    Staff.update(
        capacity=old.capacity,
        daily_quota=old.daily_quota,
        licences=old.licences,
        skills=old.skills,
        availability=old.availability,
        on_duty=old.on_duty,
        on_leave=old.on_leave,
        returned_at=old.returned_at,
    ).where(Staff.userid == userid).execute()
    StaffDepartment.delete().where(StaffDepartment.userid == former).execute()
    return int(Staff.delete().where(Staff.userid == former).execute())


def _move_relations(former: str, userid: str) -> int:
    """Of one customer under both userids one contact is left."""
    both = {one.external_userid: one for one in _shared(userid, former)}
    goes = []
    for row in list(_shared(former, userid)):
        present = both[row.external_userid]
        is_former = former_one_stands(_stretch(row), _stretch(present))
        stays = row if is_former else present
        goes.append(present.id if is_former else row.id)
        known = {
            "told_at": max(filter(None, (row.told_at, present.told_at)), default=None),
            "last_add_at": max(filter(None, (row.last_add_at, present.last_add_at)), default=None),
        }
        if known != {name: getattr(stays, name) for name in known}:
            Relation.update(known).where(Relation.id == stays.id).execute()
    for some in chunked(goes, AT_ONCE):
        Relation.delete().where(Relation.id.in_(some)).execute()
    moved = _follow(Relation.userid, former, userid)
    for customers in chunked(sorted(both), AT_ONCE):
        _need_no_review(customers)
    return moved + len(goes)


def _shared(userid: str, other: str) -> "ModelSelect[Relation]":
    """The contacts of one with customers whom the other has met too."""
    met = Relation.select(Relation.external_userid).where(Relation.userid == other)
    return Relation.select().where(Relation.userid == userid, Relation.external_userid.in_(met))


def _stretch(row: Relation) -> Stretch:
    return Stretch(row.state, row.added_at, row.ended_at)


def _need_no_review(external_userids: Sequence[str]) -> None:
    """A customer with whom one member is in contact waits for nobody's decision."""
    several = (
        Relation.select(Relation.external_userid)
        .where(
            Relation.external_userid.in_(external_userids),
            Relation.state.in_(LIVE_RELATIONS),
        )
        .group_by(Relation.external_userid)
        .having(fn.COUNT(Relation.id) > 1)
    )
    Customer.update(review=None).where(
        Customer.external_userid.in_(external_userids),
        Customer.external_userid.not_in(several),
        Customer.review == SEVERAL_FOLLOWERS,
    ).execute()


def _move_access(former: str, userid: str, vault: Vault) -> int:
    """Roles and the authenticator app; logins and tokens simply follow."""
    held = _roles_of(userid)
    both = [(row, held[place]) for place, row in _roles_of(former).items() if place in held]
    # A grant that is not genuine is worth nothing: the other one stays.
    twice = [(row if present.is_genuine else present).id for row, present in both]
    moved = RoleGrant.change(
        RoleGrant.id.in_(twice), revoked_by=BY_WECOM.actor, revoked_at=clock.now()
    )
    app = SecondFactor.get_or_none(SecondFactor.actor == former)
    if app is not None:
        if not app.is_genuine or second_factors.has_one(userid):
            moved += SecondFactor.delete().where(SecondFactor.actor == former).execute()
        else:
            SecondFactor.delete().where(SecondFactor.actor == userid).execute()
            moved += _move_app(app, userid, vault)
    return moved


def _move_app(app: SecondFactor, userid: str, vault: Vault) -> int:
    """A secret opens in the row of its own actor only; one that opens in none proves nothing."""
    it = SecondFactor.actor == app.actor
    try:
        secret = vault.open(SECOND_FACTOR, app.actor, bytes(app.secret))
    except VaultError:
        log.warning("second_factor_not_readable", actor=app.actor)
        return SecondFactor.delete().where(it).execute()
    sealed = vault.seal(SECOND_FACTOR, userid, secret)
    return SecondFactor.change(it, actor=userid, secret=sealed)


def _roles_of(actor: str) -> dict[tuple[str, int | None], RoleGrant]:
    rows = RoleGrant.select().where(RoleGrant.actor == actor, RoleGrant.revoked_at.is_null())
    return {(row.role, row.department_id): row for row in rows}


def _move_rest(former: str, userid: str, vault: Vault) -> int:
    """What may stand under both userids, so that one of the two is enough."""
    other = Consent.alias()
    _drop_twice(
        Consent,
        former,
        other.select(other.id).where(
            other.userid == userid,
            other.external_userid == Consent.external_userid,
            other.since == Consent.since,
            other.state == Consent.state,
        ),
    )
    digest = GapDigest.alias()
    _drop_twice(
        GapDigest,
        former,
        digest.select(digest.id).where(
            digest.userid == userid,
            digest.external_userid == GapDigest.external_userid,
            digest.added_at == GapDigest.added_at,
        ),
    )
    moved = _follow(Consent.userid, former, userid) + _follow(GapDigest.userid, former, userid)
    is_open = Alarm.ended_at.is_null()
    for alarm in list(Alarm.select().where(Alarm.subject == former, is_open)):
        same = Alarm.select().where(Alarm.kind == alarm.kind, Alarm.subject == userid, is_open)
        changes: dict[str, object] = {"subject": userid}
        if same.exists() or alarm.kind == MAYBE_RENAMED:
            changes = {"ended_at": clock.now()}
        moved += Alarm.update(changes).where(Alarm.id == alarm.id).execute()
    moved += sum(_move_effects(kind, former, userid, vault) for kind in ("message", "welcome"))
    return moved


def _move_effects(kind: str, former: str, userid: str, vault: Vault) -> int:
    """What was begun or done under the former userid is not done again under the new one."""
    prefix, new = f"{kind}:{former}:", f"{kind}:{userid}:"
    moved = 0
    done = Effect.select().where(fn.SUBSTR(Effect.identity, 1, len(prefix)) == prefix)
    for effect in list(done):
        identity = new + effect.identity.removeprefix(prefix)
        if not Effect.select().where(Effect.identity == identity).exists():
            changes: dict[str, object] = {"identity": identity}
            if effect.sealed_text is not None:
                text = vault.open(MESSAGE, effect.identity, bytes(effect.sealed_text))
                changes["sealed_text"] = vault.seal(MESSAGE, identity, text)
            moved += Effect.update(changes).where(Effect.id == effect.id).execute()
    return moved


def _drop_twice(table: Any, former: str, the_same: Any) -> None:
    table.delete().where(table.userid == former, fn.EXISTS(the_same)).execute()


def _propose_anew(former: str, userid: str, kegui: Kegui) -> int:
    """A proposal stands as it was made: an open one that names the member is made anew."""
    is_about = (
        (Proposal.proposed_by == former)
        | (Proposal.proposer == former)
        | (Proposal.proposer_too == former)
        | _has(Proposal.terms, former)
        | Proposal.subject.startswith(f"{former} ")
    )
    moved = 0
    query = Proposal.select().where(Proposal.state == OPEN, is_about).order_by(Proposal.id)
    for one in list(query):
        proposals.withdraw(one, BY_WECOM, kegui, "member_has_another_userid")
        subject = one.subject
        if subject.startswith(f"{former} "):
            subject = userid + subject.removeprefix(former)
        humans = {userid if human == former else human for human in proposals.humans_of(one)}
        if proposals.open_one(one.kind, subject) is None:
            proposals.propose(
                one.kind,
                subject,
                BY_WECOM,
                kegui,
                reason=one.reason,
                maker=userid if one.proposed_by == former else one.proposed_by,
                humans=frozenset(humans),
                **replaced(one.terms, former, userid),
            )
        moved += 1
    return moved


def _end_what_is_between(former: str, userid: str, kegui: Kegui) -> None:
    """Nobody hands over to themselves, and a leaver has one open case."""
    cases = [handovers.open_case(one) for one in (former, userid)]
    if cases[0] is not None and cases[1] is not None:
        # What one of the two has begun goes on.
        is_begun = cases[0].state == RUNNING or cases[1].state != RUNNING
        handovers.cancel(cases[1] if is_begun else cases[0], BY_WECOM, kegui)
    moves = Handover.select().where(
        Handover.userid.in_([former, userid]),
        Handover.kind == IN_SERVICE,
        Handover.state.in_(HANDOVER_OPEN),
    )
    for handover in list(moves):
        named = {replaced(one, former, userid) for one in handover.successors}
        if named == {userid}:
            handovers.cancel(handover, BY_WECOM, kegui)


def _tidy(userid: str) -> None:
    """Take the member off from beside themselves: as successor, and as contender."""
    for handover in list(Handover.select().where(Handover.userid == userid)):
        if userid in handover.successors and handover.kind == OFFBOARDING:
            successors = [one for one in handover.successors if one != userid]
            Handover.update(successors=successors).where(Handover.id == handover.id).execute()
        HandoverItem.update(takeover_userid=None).where(
            HandoverItem.handover == handover,
            HandoverItem.state == PLANNED,
            HandoverItem.takeover_userid == userid,
        ).execute()
    for conflict in list(Conflict.select().where(Conflict.owner == userid)):
        if userid not in conflict.contenders:
            continue
        contenders = [one for one in conflict.contenders if one != userid]
        changes: dict[str, object] = {"contenders": contenders}
        if conflict.state == conflicts.OPEN and not contenders:
            why = Reason("contenders_are_one_member").columns()
            now = clock.now()
            changes |= {
                "state": conflicts.RESOLVED,
                "resolved_at": now,
                "resolution": {"owner": userid, "by": BY_WECOM.actor, **why},
                # There is nobody to tell.
                "told_at": now,
            }
        Conflict.update(changes).where(Conflict.id == conflict.id).execute()
