"""撞单: a second member in contact with an owned customer, told to all and settled by one."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from peewee import DoesNotExist

from bot import clock
from bot.audit.log import Who
from bot.customers.words import CONFLICT_SETTLED
from bot.db import locked, transaction
from bot.effects import Busy
from bot.identity import moved as moves
from bot.kegui import Kegui
from bot.messages import identity_of, tell
from bot.models import Conflict, Customer, FormerUserid, Ownership, Staff
from bot.models.conflict import OPEN, RESOLVED
from bot.queue import Lane
from bot.reason import Reason
from bot.router import Received
from bot.staff import staff
from bot.wecom import WeComError

OWNER_TEMPLATE = "conflict.owner"
CONTENDER_TEMPLATE = "conflict.contender"
RESOLVED_TEMPLATE = "conflict.resolved"


def open_conflict(
    external_userid: str, owner: str, contender: str, received: Received, kegui: Kegui
) -> Conflict:
    """Show the conflict and tell the owner, the contender and the owner's manager.

    The same pair again changes nothing; a third member joins the open conflict.
    """
    conflict = _open_or_join(external_userid, owner, contender)
    _tell_opened(conflict, owner, contender, kegui, event_id=received.id)
    return conflict


def open_by_member(
    external_userid: str, owner: str, contender: str, by: Who, kegui: Kegui
) -> Conflict:
    """A member says that another is after their customer, or they after another's.

    Raises:
        WeComError, Busy: the conflict is open, but not everybody could be told.
    """
    with transaction():
        conflict = _open_or_join(external_userid, owner, contender)
        kegui.audit.record(
            by, "conflict.open", f"conflict {conflict.id}", external_userid=external_userid
        )
    _tell_opened(conflict, owner, contender, kegui, event_id=None)
    return conflict


def _tell_opened(
    conflict: Conflict, owner: str, contender: str, kegui: Kegui, *, event_id: int | None
) -> None:
    """Tell those concerned that there is a conflict, each once.

    Raises:
        WeComError, Busy: the first trouble, after everybody was tried; the rest comes later.
    """
    about = _about_opening(conflict, contender)
    recipients = {OWNER_TEMPLATE: owner, CONTENDER_TEMPLATE: contender}
    manager = staff.manager_of(owner) or staff.manager_of(contender)
    if manager and manager not in (owner, contender):
        recipients["conflict.manager"] = manager
    troubles: list[Exception] = []
    for template, userid in recipients.items():
        try:
            tell(
                userid,
                template,
                about=about,
                kegui=kegui,
                event_id=event_id,
                customer=_customer_name(conflict.external_userid),
                owner=_staff_name(owner),
                contender=_staff_name(contender),
            )
        except (WeComError, Busy) as trouble:
            troubles.append(trouble)
    if troubles:
        raise troubles[0]


def _open_or_join(external_userid: str, owner: str, contender: str) -> Conflict:
    try:
        return _try_to_open_or_join(external_userid, owner, contender)
    except DoesNotExist:
        # The one that was open was settled in this very moment: this is another one.
        return _try_to_open_or_join(external_userid, owner, contender)


def _try_to_open_or_join(external_userid: str, owner: str, contender: str) -> Conflict:
    Conflict.insert(
        external_userid=external_userid,
        owner=owner,
        contenders=[contender],
        opened_at=clock.now(),
    ).on_conflict_ignore().execute()
    with transaction():
        conflict = _held(Conflict.external_userid == external_userid, Conflict.state == OPEN)
        if contender not in conflict.contenders:
            conflict.contenders = [*conflict.contenders, contender]
            conflict.save(only=[Conflict.contenders])
    return conflict


def _held(*which: object) -> Conflict:
    """Return a conflict as it is now, and let nobody change it before the transaction ends."""
    conflict: Conflict = locked(Conflict.select().where(*which)).get()
    return conflict


class NotOpen(Exception):
    """The conflict was settled before."""


def resolve(conflict_id: int, owner: str, reason: str, by: Who, kegui: Kegui) -> Conflict:
    """Settle a conflict: ``owner`` is the owner from now on; a worker tells all concerned.

    Raises:
        Conflict.DoesNotExist: there is no such conflict.
        NotOpen: it is settled already, or the customer went to somebody else in this moment.
        NeedsProof: see ``bot.identity.moved``.
    """
    now = clock.now()
    with transaction():
        conflict = _held(Conflict.id == conflict_id)
        settled = _close(conflict, {"owner": owner, "reason": reason, "by": by.actor}, now)
        held = Ownership.current(conflict.external_userid)
        moved = (held is not None and held.userid == owner) or Ownership.move(
            conflict.external_userid,
            owner,
            held_by=held.userid if held else None,
            at=now,
            reason=Reason(CONFLICT_SETTLED, {"conflict": conflict_id}),
            conflict=conflict_id,
        )
        if not (settled and moved):
            raise NotOpen
        number = int(held is None or held.userid != owner)
        moves.check(number, by)
        kegui.audit.record(
            by,
            "conflict.resolve",
            f"conflict {conflict_id}",
            external_userid=conflict.external_userid,
            owner=owner,
            reason=reason,
            moved=number or None,
        )
    kegui.queue.wake(Lane.WORK, f"conflict:{conflict_id}")
    return Conflict.get_by_id(conflict_id)


def settle_by_handover(external_userid: str, former: str, owner: str, reason: Reason) -> None:
    """``owner`` has taken over from ``former``, who was after the customer no more."""
    conflict = Conflict.get_or_none(external_userid=external_userid, state=OPEN, owner=former)
    if conflict is not None:
        resolution = {"owner": owner, "by": "handover", **reason.columns()}
        _close(conflict, resolution, clock.now())


def _close(conflict: Conflict, resolution: dict[str, Any], at: datetime) -> bool:
    """Settle an open conflict; False when somebody did before."""
    owner = resolution["owner"]
    return bool(
        Conflict.update(
            state=RESOLVED,
            resolved_at=at,
            resolution=resolution,
            owner=owner,
            contenders=sorted({conflict.owner, *conflict.contenders} - {owner, None}),
        )
        .where(Conflict.id == conflict.id, Conflict.state == OPEN)
        .execute()
    )


def because(resolution: Mapping[str, Any]) -> Reason:
    """Return why a conflict was settled by itself; no reason where a person wrote one."""
    return Reason(resolution.get("reason_code", ""), resolution.get("reason_facts", {}))


def untold() -> list[int]:
    """Return the settled conflicts of which somebody concerned has not heard yet."""
    query = Conflict.select(Conflict.id).where(
        Conflict.state == RESOLVED, Conflict.told_at.is_null()
    )
    return [conflict.id for conflict in query.order_by(Conflict.id)]


def wake_untold(kegui: Kegui) -> None:
    """Let a worker tell each settled conflict of which somebody has not heard yet."""
    for conflict_id in untold():
        kegui.queue.wake(Lane.WORK, f"conflict:{conflict_id}")


def tell_resolution(conflict_id: int, kegui: Kegui) -> None:
    """Tell everybody concerned how the conflict was settled, each once.

    Raises:
        WeComError, Busy: the first trouble, after everybody was tried; the rest comes later.
    """
    conflict = Conflict.get_by_id(conflict_id)
    troubles: list[Exception] = []
    for userid in _concerned(conflict):
        try:
            tell(
                userid,
                RESOLVED_TEMPLATE,
                about=_about_resolution(conflict),
                kegui=kegui,
                customer=_customer_name(conflict.external_userid),
                owner=_staff_name(conflict.owner or ""),
            )
        except (WeComError, Busy) as trouble:
            troubles.append(trouble)
    if troubles:
        raise troubles[0]
    Conflict.update(told_at=clock.now()).where(Conflict.id == conflict_id).execute()


def identities_of_messages(conflict: Conflict) -> dict[str, str]:
    """Under which identities the messages are recorded, each with its template, that told those
    concerned that there is this conflict and how it was settled; not what a manager was told."""
    concerned = _concerned(conflict)
    told = [
        (template, _about_opening(conflict, contender))
        for template in (OWNER_TEMPLATE, CONTENDER_TEMPLATE)
        for contender in concerned
    ]
    told.append((RESOLVED_TEMPLATE, _about_resolution(conflict)))
    return {
        identity_of(userid, template, about): template
        for userid in concerned
        for template, about in told
    }


def _concerned(conflict: Conflict) -> list[str]:
    return sorted(filter(None, {conflict.owner, *conflict.contenders}))


def _about_opening(conflict: Conflict, contender: str) -> str:
    # A retry after the contender was renamed must not tell the others a second time.
    return f"conflict {conflict.id} {FormerUserid.first_called(contender)}"


def _about_resolution(conflict: Conflict) -> str:
    return f"conflict {conflict.id} resolved"


def _customer_name(external_userid: str) -> str:
    customer = Customer.get_or_none(Customer.external_userid == external_userid)
    return customer.name or external_userid if customer else external_userid


def _staff_name(userid: str) -> str:
    member = Staff.get_or_none(Staff.userid == userid)
    return member.name or userid if member else userid
