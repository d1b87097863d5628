"""Compare a member's customers with WeCom's pages, and heal what differs."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, cast

import structlog
from peewee import JOIN, chunked

from bot import clock
from bot.db import released
from bot.models import Customer, Handover, HandoverItem, Relation
from bot.models.customer import RELATION_ACTIVE, RELATION_ENDED, RELATION_HALF
from bot.models.handover import CUSTOMER, DONE
from bot.staff import staff
from bot.sync.reading import CHUNK, Reading, what_was_answered
from bot.sync.rules import (
    CHANNEL_CHANGED,
    HALF_BECAME_WHOLE,
    MEMBER_NOT_READABLE,
    NAME_CHANGED,
    RELATION_BEGAN_ANEW,
    RELATION_LIVES,
    RELATION_UNKNOWN,
    TYPE_CHANGED,
    Difference,
    KnownRelation,
    relation_difference,
)
from bot.sync.rules import RELATION_ENDED as CONTACT_ENDED
from bot.wecom import ABOUT_ONE, CustomerOfMember, Page, Refused, WeComError

log = structlog.get_logger(__name__)

STEP = "member"
NO_RELATION = 84061
BAD_CURSOR = 50100


class _Known:
    """A member's contact as it stood before WeCom was asked, with the customer's name."""

    __slots__ = ("id", "last_add_at", "name", "noted_at", "relation", "type")

    def __init__(self, row: Any) -> None:
        self.id = row.id
        self.noted_at = row.noted_at
        self.last_add_at = row.last_add_at
        self.relation = KnownRelation(row.state, row.channel, row.added_at, row.ended_at, row.end)
        self.name = row.name
        self.type = row.type


def read_of(reading: Reading, userid: str) -> None:
    """Read one member's customers page by page; each page's healing is one commit.

    What stood here is read before WeCom is asked, and written only where it still stands so: what
    a callback changed meanwhile is newer than the page, and wins.
    """
    cursor = reading.cursor(STEP, userid)
    began = clock.now()
    known = _known_of(userid)
    seen: set[str] = set()
    restarted = False
    while True:
        asked_at = clock.now()
        try:
            with released():
                page = reading.kegui.wecom.customers.batch_by_user(userid, cursor)
        except Refused as refused:
            if refused.errcode == BAD_CURSOR and cursor and not restarted:
                cursor, restarted = "", True
                continue
            if refused.errcode != NO_RELATION:
                leave_unread(reading, userid, refused)
                with reading.writing():
                    reading.finish(STEP, userid)
                return
            page = Page([], "")
        seen.update(entry.external_userid for entry in page.items)
        if not page.next_cursor:
            break
        with reading.writing():
            _heal(reading, userid, page.items, known, asked_at)
            reading.go_on(STEP, userid, cursor=page.next_cursor)
        cursor = page.next_cursor
    missing = [
        external_userid
        for external_userid, one in known.items()
        if one.relation.state == RELATION_ACTIVE and external_userid not in seen
    ]
    gone = _really_gone(reading, userid, missing) if missing else []
    with reading.writing():
        _heal(reading, userid, page.items, known, asked_at)
        _end(reading, userid, gone, known, began)
        reading.finish(STEP, userid)


def _known_of(userid: str) -> dict[str, _Known]:
    query = (
        Relation.select(
            Relation.id,
            Relation.external_userid,
            Relation.state,
            Relation.channel,
            Relation.added_at,
            Relation.noted_at,
            Relation.last_add_at,
            Relation.ended_at,
            Relation.end,
            Customer.name,
            Customer.type,
        )
        .join(Customer, JOIN.LEFT_OUTER, on=(Customer.external_userid == Relation.external_userid))
        .where(Relation.userid == userid)
    )
    return {row.external_userid: _Known(row) for row in query.objects()}


def leave_unread(reading: Reading, userid: str, error: WeComError) -> None:
    """Nothing is healed, and nobody called gone, where WeCom does not answer for the member."""
    log.warning("member_not_readable", errcode=error.errcode)
    with reading.writing():
        reading.note(
            [
                Difference(
                    MEMBER_NOT_READABLE,
                    userid,
                    userid,
                    here="serves customers",
                    wecom=what_was_answered(error),
                    healed=False,
                )
            ]
        )


def _really_gone(reading: Reading, userid: str, missing: Sequence[str]) -> list[str]:
    """Ask once more about those whom no page showed.

    Pages shift when a customer comes or goes while they are read, and after an interruption the
    earlier pages are not known any more: the whole list (path 92113) decides. When it is empty,
    the member may have lost 客户联系 in this moment, and then it says nothing.
    """
    wecom = reading.kegui.wecom
    try:
        with released():
            listed = set(wecom.customers.ids_of(userid))
        still_serves = bool(listed) or userid in staff.serving(reading.kegui)
    except ABOUT_ONE as error:
        log.warning("member_not_readable", errcode=error.errcode)
        return []
    if not still_serves:
        return []
    return [external_userid for external_userid in missing if external_userid not in listed]


def _heal(
    reading: Reading,
    userid: str,
    entries: Sequence[CustomerOfMember],
    known: Mapping[str, _Known],
    asked_at: datetime,
) -> None:
    """Write what a page says otherwise, and only that."""
    # In one order, so that two processes cannot wait for each other's rows.
    entries = sorted(entries, key=lambda entry: entry.external_userid)
    unknown = [entry for entry in entries if entry.external_userid not in known]
    met = _meet(unknown)
    found = _begin(reading, userid, unknown, asked_at)
    names = {one: (known[one].name, known[one].type) for one in _ids(entries) if one in known}
    # Other members' customers, whose names are known already.
    shared = [one for one in _ids(unknown) if one not in met]
    names |= _names_of(shared) if shared else {}
    for entry in entries:
        one = known.get(entry.external_userid)
        if one is not None:
            found += _heal_relation(userid, entry, one, asked_at)
        found += _heal_customer(userid, entry, *names.get(entry.external_userid, (None, None)))
    reading.note(found)


def _ids(entries: Sequence[CustomerOfMember]) -> list[str]:
    return [entry.external_userid for entry in entries]


def _meet(entries: Sequence[CustomerOfMember]) -> set[str]:
    """Remember customers of a new contact; gives those who were never met before."""
    if not entries:
        return set()
    rows = [
        {
            "external_userid": entry.external_userid,
            "name": entry.name,
            "type": entry.type,
            "channel": entry.follow_user.state,
            "met_at": entry.follow_user.createtime,
        }
        for entry in entries
    ]
    met = Customer.insert_many(rows).on_conflict_ignore().returning(Customer.external_userid)
    return {row.external_userid for row in met.execute()}


def _begin(
    reading: Reading, userid: str, entries: Sequence[CustomerOfMember], asked_at: datetime
) -> list[Difference]:
    if not entries:
        return []
    begun = (
        Relation.insert_many(
            [
                {
                    "external_userid": entry.external_userid,
                    "userid": userid,
                    "state": RELATION_ACTIVE,
                    "source": reading.run.kind,
                    "channel": entry.follow_user.state,
                    "added_at": entry.follow_user.createtime,
                    "noted_at": asked_at,
                }
                for entry in entries
            ]
        )
        .on_conflict_ignore()
        .returning(Relation.external_userid)
        .execute()
    )
    new = {row.external_userid for row in begun}
    return [
        Difference(
            RELATION_UNKNOWN,
            entry.external_userid,
            userid,
            here="no contact",
            wecom=f"contact since {_day(entry.follow_user.createtime)}",
        )
        for entry in entries
        if entry.external_userid in new
    ]


def _names_of(external_userids: Sequence[str]) -> dict[str, tuple[str, int | None]]:
    query = Customer.select(Customer.external_userid, Customer.name, Customer.type).where(
        Customer.external_userid.in_(external_userids)
    )
    return {one: (name, kind) for one, name, kind in cast(Any, query.tuples())}


def _heal_relation(
    userid: str, entry: CustomerOfMember, one: _Known, asked_at: datetime
) -> list[Difference]:
    follow, relation = entry.follow_user, one.relation
    kind = relation_difference(relation, follow.createtime, follow.state, asked_at)
    if kind is None:
        return []
    unchanged = (
        (Relation.id == one.id)
        & (Relation.state == relation.state)
        & (Relation.added_at == relation.added_at)
    )
    if relation.state == RELATION_ENDED:
        unchanged &= Relation.ended_at == relation.ended_at
    begun: dict[str, object] = {
        "state": RELATION_ACTIVE,
        "source": "repair",
        "channel": follow.state,
        "added_at": follow.createtime,
        "noted_at": asked_at,
        "last_add_at": None,
        "ended_at": None,
        "end": None,
    }
    changes: dict[str, dict[str, object]] = {
        RELATION_BEGAN_ANEW: begun,
        RELATION_LIVES: {"state": RELATION_ACTIVE, "ended_at": None, "end": None},
        HALF_BECAME_WHOLE: {"state": RELATION_ACTIVE},
        CHANNEL_CHANGED: {"channel": follow.state},
    }
    if not Relation.update(**changes[kind]).where(unchanged).execute():
        return []
    here, wecom = _words(relation), f"contact since {_day(follow.createtime)}"
    if kind == CHANNEL_CHANGED:
        here, wecom = relation.channel, follow.state
    return [Difference(kind, entry.external_userid, userid, here=here, wecom=wecom)]


def _words(relation: KnownRelation) -> str:
    if relation.state == RELATION_HALF:
        return "half a contact"
    if relation.ended_at is not None:
        return f"over since {_day(relation.ended_at)}: {relation.end}"
    return f"contact since {_day(relation.added_at)}"


def _day(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M}Z"


def _heal_customer(
    userid: str, entry: CustomerOfMember, name: str | None, type_: int | None
) -> list[Difference]:
    if name is None:
        return []
    # What the page lacks says nothing against what is known.
    seen_name, seen_type = entry.name or name, entry.type or type_
    if (seen_name, seen_type) == (name, type_):
        return []
    same_type = Customer.type.is_null() if type_ is None else Customer.type == type_
    changed = (
        Customer.update(name=seen_name, type=seen_type)
        .where(Customer.external_userid == entry.external_userid, Customer.name == name, same_type)
        .execute()
    )
    found = []
    if changed and seen_name != name:
        found.append(
            Difference(NAME_CHANGED, entry.external_userid, userid, here=name, wecom=seen_name)
        )
    if changed and seen_type != type_:
        found.append(
            Difference(
                TYPE_CHANGED,
                entry.external_userid,
                userid,
                here="" if type_ is None else str(type_),
                wecom=str(seen_type),
            )
        )
    return found


def _end(
    reading: Reading,
    userid: str,
    gone: Sequence[str],
    known: Mapping[str, _Known],
    began: datetime,
) -> None:
    """End the contacts that WeCom lists no more, unless one began anew while we were reading.

    That the customer ended it cannot be: such a contact stays listed. Left are the member who
    deleted the customer, and a transfer.
    """
    if not gone:
        return
    handed_over = _handed_over(userid, gone)
    for end, some in (
        ("transferred", [one for one in gone if one in handed_over]),
        ("not_listed", [one for one in gone if one not in handed_over]),
    ):
        for chunk in chunked(some, CHUNK):
            ended = (
                Relation.update(state=RELATION_ENDED, ended_at=clock.now(), end=end)
                .where(
                    Relation.id.in_([known[one].id for one in chunk]),
                    Relation.state == RELATION_ACTIVE,
                    Relation.noted_at < began,
                    Relation.last_add_at.is_null() | (Relation.last_add_at < began),
                )
                .returning(Relation.external_userid)
                .execute()
            )
            reading.note(
                [
                    Difference(
                        CONTACT_ENDED,
                        row.external_userid,
                        userid,
                        here=_words(known[row.external_userid].relation),
                        wecom="not listed: deleted by the member, or transferred",
                    )
                    for row in ended
                ]
            )


def _handed_over(userid: str, external_userids: Sequence[str]) -> set[str]:
    return {
        item.subject
        for chunk in chunked(external_userids, CHUNK)
        for item in HandoverItem.select(HandoverItem.subject)
        .join(Handover)
        .where(
            Handover.userid == userid,
            HandoverItem.kind == CUSTOMER,
            HandoverItem.state == DONE,
            HandoverItem.subject.in_(chunk),
        )
    }
