"""撞单: a second member in contact with an owned customer, told to all and settled by one."""

from bot import clock
from bot.actions import staff
from bot.actions.messages import tell
from bot.db import transaction
from bot.kegui import Kegui
from bot.models import Conflict, Customer, Ownership, Staff
from bot.models.conflict import OPEN, RESOLVED
from bot.router import Received


def open_conflict(
    external_userid: str, owner: str, contender: str, received: Received, kegui: Kegui
) -> Conflict:
    """Show the conflict and tell the owner, the contender and the owner's manager.

    The same pair again changes nothing; a third member joins the open conflict.
    """
    conflict = _open_or_join(external_userid, owner, contender)
    about = f"conflict {conflict.id} {contender}"
    names = {
        "customer": _customer_name(external_userid),
        "owner": _staff_name(owner),
        "contender": _staff_name(contender),
    }
    recipients = {"conflict.owner": owner, "conflict.contender": contender}
    manager = staff.manager_of(owner) or staff.manager_of(contender)
    if manager and manager not in (owner, contender):
        recipients["conflict.manager"] = manager
    for template, userid in recipients.items():
        tell(userid, template, about=about, kegui=kegui, event_id=received.id, **names)
    return conflict


def _open_or_join(external_userid: str, owner: str, contender: str) -> Conflict:
    Conflict.insert(
        external_userid=external_userid,
        owner=owner,
        contenders=[contender],
        opened_at=clock.now(),
    ).on_conflict_ignore().execute()
    with transaction():
        conflict = Conflict.get(external_userid=external_userid, state=OPEN)
        if contender not in conflict.contenders:
            conflict.contenders = [*conflict.contenders, contender]
            conflict.save(only=[Conflict.contenders])
    return conflict


class NotOpen(Exception):
    """The conflict was settled before."""


def resolve(conflict_id: int, owner: str, reason: str, by: str, kegui: Kegui) -> Conflict:
    """Settle a conflict: ``owner`` is the owner from now on, and all concerned are told.

    Raises:
        Conflict.DoesNotExist: there is no such conflict.
        NotOpen: it is settled already.
    """
    now = clock.now()
    with transaction():
        conflict = Conflict.get_by_id(conflict_id)
        resolution = {"owner": owner, "reason": reason, "by": by}
        settled = (
            Conflict.update(state=RESOLVED, resolved_at=now, resolution=resolution, owner=owner)
            .where(Conflict.id == conflict_id, Conflict.state == OPEN)
            .execute()
        )
        if not settled:
            raise NotOpen
        held = Ownership.current(conflict.external_userid)
        if held is None or held.userid != owner:
            Ownership.move(
                conflict.external_userid,
                owner,
                held_by=held.userid if held else None,
                at=now,
                reason=f"conflict {conflict_id} settled: {reason}",
            )
    return Conflict.get_by_id(conflict_id)


def tell_resolution(conflict: Conflict, kegui: Kegui) -> None:
    """Tell everybody concerned how the conflict was settled."""
    concerned = {conflict.owner, *conflict.contenders}
    for userid in sorted(filter(None, concerned)):
        tell(
            userid,
            "conflict.resolved",
            about=f"conflict {conflict.id} resolved",
            kegui=kegui,
            customer=_customer_name(conflict.external_userid),
            owner=_staff_name(conflict.owner or ""),
        )


def _customer_name(external_userid: str) -> str:
    customer = Customer.get_or_none(Customer.external_userid == external_userid)
    return customer.name or external_userid if customer else external_userid


def _staff_name(userid: str) -> str:
    member = Staff.get_or_none(Staff.userid == userid)
    return member.name or userid if member else userid
