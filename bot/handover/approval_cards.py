"""Cards that ask a leaver's manager inside WeCom, and what a click on one does."""

import hashlib
import re
from collections import Counter
from collections.abc import Iterable

import structlog

from bot import clock
from bot.audit.log import Who
from bot.db import transaction
from bot.effects import AfterCrash, once
from bot.handover import handovers
from bot.handover.card_rules import Outcome, refusal
from bot.handover.progress import customers_now
from bot.handover.rights import APPROVE_OFFBOARDINGS
from bot.identity import moved, proposals
from bot.identity.access import access_of
from bot.kegui import Kegui
from bot.models import Effect, Handover, HandoverItem, Proposal, Staff
from bot.models.data_key import CARD
from bot.models.effect import FAILED
from bot.models.handover import (
    AWAITING_APPROVAL,
    CANCELLED,
    CUSTOMER,
    GROUP,
    OFFBOARDING,
    PLANNED,
)
from bot.rights import MOST_CUSTOMERS, is_small
from bot.router import Received
from bot.staff import staff
from bot.wecom import Button, Card
from config import table

log = structlog.get_logger(__name__)

SENT, UPDATED = "template_card", "card_update"
APPROVE = "approve"
ORIGIN = "template card"
# WeCom suggests 30 characters for the value of a row (path 90236).
ROW_CHARACTERS = 30
_TASK = re.compile(r"offboarding-([0-9]{1,18})-([0-9]{1,18})-[0-9a-f]{16}")


def ask_for_approval(handover: Handover, kegui: Kegui) -> None:
    """Send the leaver's manager one card for the case; nobody, where no manager may approve.

    Safe to repeat: WeCom takes each ``task_id`` once. A manager who takes the place of another
    while the case waits gets a card too.

    Raises:
        WeComError, Busy: it could not be sent for now.
    """
    # In this order: what is decided after the proposal was read shows in the case.
    proposal = _proposal_of(handover)
    handover = Handover.get_by_id(handover.id)
    if handover.state != AWAITING_APPROVAL or handover.approved_at is not None:
        return
    userid = _approver(handover, proposal, kegui)
    if userid is None:
        return
    task_id = _task_id(handover, proposal, userid)
    identity = _identity(task_id)
    begun: Effect | None = Effect.get_or_none(Effect.identity == identity)
    if begun is not None and begun.is_settled:
        return
    card = _card(handover, task_id, kegui)
    once(
        identity,
        SENT,
        lambda: kegui.wecom.messages.send_card([userid], card),
        after_crash=AfterCrash.REPEAT,
    )


def answer_click(received: Received, kegui: Kegui) -> None:
    """Do what a click asks for, once, and let the card say what came of it.

    The same click of the same person counts once, however often WeCom sends it. The clicker's
    rights and the case count as they are now.

    Raises:
        WeComError, Busy: the card could not be changed for now; what was decided stands.
    """
    event = received.event
    handover = _asked_about(event.task_id)
    if handover is None or event.event_key != APPROVE or not event.from_user:
        log.info("card_click_ignored", event_id=received.id, task_id=event.task_id[:128])
        return
    click = f"{event.task_id} {event.from_user} {event.event_key}"
    identity = f"card_click:{hashlib.sha256(click.encode()).hexdigest()}"
    _decide_once(identity, handover, received, kegui)
    owed = Effect.get(Effect.identity == identity)
    if owed.is_settled or owed.sealed_text is None:
        return
    text = kegui.vault.open(CARD, identity, owed.sealed_text).decode()
    once(
        identity,
        UPDATED,
        lambda: kegui.wecom.messages.update_card(event.response_code, [event.from_user], text),
        event_id=received.id,
        after_crash=AfterCrash.REPEAT,
    )


def _decide_once(identity: str, handover: Handover, received: Received, kegui: Kegui) -> None:
    """Decide, write it into the audit log, and note that the card is owed an answer: all or
    nothing, and only for the first of several deliveries of a click."""
    now = clock.now()
    # A click proves no more than whose client it was.
    who = Who(received.event.from_user, origin=ORIGIN, is_proved=False)
    outcome = None
    with transaction():
        is_first = list(
            Effect.insert(
                identity=identity,
                kind=UPDATED,
                event_id=received.id,
                state=FAILED,
                attempts=0,
                started_at=now,
                lease_until=now,
            )
            .on_conflict_ignore()
            .returning(Effect)
            .execute()
        )
        if is_first:
            outcome = _decide(Handover.get_by_id(handover.id), received.event.task_id, who, kegui)
            text = table("notices")["approval"]["outcome"][outcome].encode()
            Effect.update(sealed_text=kegui.vault.seal(CARD, identity, text)).where(
                Effect.identity == identity
            ).execute()
    if outcome is Outcome.APPROVED:
        # The wake-up of the approval itself may have come before the commit.
        handovers.wake(handover, kegui)


def _decide(handover: Handover, task_id: str, who: Who, kegui: Kegui) -> Outcome:
    customers = len(customers_now(handover))
    outcome = refusal(
        may_approve=_may_approve(who.actor, handover, kegui),
        is_cancelled=handover.state == CANCELLED,
        is_open=_waits(handover),
        is_changed=_proposal_named(task_id) != _number(_proposal_of(handover)),
        customers=customers + moved.in_an_hour(who),
    )
    if outcome is None:
        outcome = _approve(handover, _proposal_named(task_id), who, kegui)
    if outcome is not Outcome.APPROVED:
        kegui.audit.record(
            who,
            "card.refuse",
            handover.subject,
            outcome=outcome,
            customers=customers,
        )
    log.info("card_clicked", handover=handover.id, outcome=outcome)
    return outcome


def _approve(handover: Handover, proposal_id: int, who: Who, kegui: Kegui) -> Outcome:
    try:
        approved = handovers.approve(handover, who, kegui, proposal_id=proposal_id)
    except proposals.SamePerson:
        return Outcome.OWN_PROPOSAL
    except handovers.Changed:
        return Outcome.CHANGED
    except moved.NeedsProof:
        return Outcome.TOO_MANY
    except (proposals.NotOpen, handovers.NotPossible):
        return Outcome.DECIDED
    # Somebody else may have been faster by a moment.
    return Outcome.APPROVED if approved.approved_by == who.actor else Outcome.DECIDED


def _waits(handover: Handover) -> bool:
    return handover.approved_at is None and handover.state in (PLANNED, AWAITING_APPROVAL)


def _asked_about(task_id: str) -> Handover | None:
    """Return the case of a card that we sent, or None."""
    named = _TASK.fullmatch(task_id)
    if named is None or not Effect.select().where(Effect.identity == _identity(task_id)).exists():
        return None
    found: Handover | None = Handover.get_or_none(
        Handover.id == int(named.group(1)), Handover.kind == OFFBOARDING
    )
    return found


def _task_id(handover: Handover, proposal: Proposal | None, userid: str) -> str:
    """Name the card of one proposal for one member, so that no other database of ours names it
    too: WeCom never takes a name again."""
    case = f"{handover.id} {handover.created_at.isoformat()} {userid}"
    digest = hashlib.sha256(case.encode()).hexdigest()[:16]
    return f"offboarding-{handover.id}-{_number(proposal)}-{digest}"


def _proposal_of(handover: Handover) -> Proposal | None:
    """What is proposed of the case and not decided."""
    return proposals.open_one(handover.kind, handover.subject)


def _number(proposal: Proposal | None) -> int:
    """How a card names a proposal; 0: nobody proposed the case."""
    return proposal.id if proposal else 0


def _proposal_named(task_id: str) -> int:
    named = _TASK.fullmatch(task_id)
    return int(named.group(2)) if named else 0


def _identity(task_id: str) -> str:
    return f"card:{task_id}"


def _approver(handover: Handover, proposal: Proposal | None, kegui: Kegui) -> str | None:
    """Return the nearest of the leaver's managers who may approve and did not propose it."""
    proposers = proposals.humans_of(proposal) if proposal else frozenset()
    seen = {handover.userid}
    manager = staff.manager_of(handover.userid)
    while manager is not None and manager not in seen:
        if manager not in proposers and _may_approve(manager, handover, kegui):
            return manager
        seen.add(manager)
        manager = staff.manager_of(manager)
    return None


def _may_approve(userid: str, handover: Handover, kegui: Kegui) -> bool:
    """Whether somebody may approve this leaver's case now; never the leaver's own."""
    today = clock.now().astimezone(kegui.settings.zone).date()
    access = access_of(userid, today)
    return (
        access is not None
        and userid != handover.userid
        and access.scope(APPROVE_OFFBOARDINGS).has(handover.userid)
    )


def _items(handover: Handover, kind: str) -> list[HandoverItem]:
    return list(
        HandoverItem.select().where(
            HandoverItem.handover == handover,
            HandoverItem.kind == kind,
            HandoverItem.state != CANCELLED,
        )
    )


def _card(handover: Handover, task_id: str, kegui: Kegui) -> Card:
    words = table("notices")["approval"]
    customers, groups = _items(handover, CUSTOMER), _items(handover, GROUP)
    url = f"{kegui.settings.console_address}/offboardings/{handover.id}"
    small = is_small(len(customers_now(handover)))
    buttons = (
        [Button(words["approve"], key=APPROVE), Button(words["look"], url=url)]
        if small
        else [Button(words["look_and_approve"], url=url)]
    )
    rows = {
        words["leaver"]: _names([handover.userid]),
        words["last_day"]: handover.last_day.isoformat() if handover.last_day else "",
        words["customers"]: str(len(customers)),
        words["groups"]: str(len(groups)),
        words["successors"]: _successors([*customers, *groups]) or words["nobody"],
    }
    return Card(
        task_id=task_id,
        title=words["title"],
        text=words["few" if small else "many"].format(most=MOST_CUSTOMERS),
        rows={name: _cut(value) for name, value in rows.items() if value},
        buttons=buttons,
        url=url,
    )


def _successors(items: Iterable[HandoverItem]) -> str:
    """Name who takes over, whoever gets most first."""
    taking = Counter(item.takeover_userid for item in items if item.takeover_userid)
    return _names(sorted(taking, key=lambda userid: (-taking[userid], userid)))


def _names(userids: list[str]) -> str:
    rows = Staff.select(Staff.userid, Staff.name).where(Staff.userid.in_(userids))
    names = {row.userid: row.name for row in rows}
    return "、".join(names.get(userid) or userid for userid in userids)


def _cut(value: str) -> str:
    return value if len(value) <= ROW_CHARACTERS else f"{value[: ROW_CHARACTERS - 1]}…"
