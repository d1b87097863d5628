"""What customers answered about archiving, as the archive itself shows it, and what it covers."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import structlog

from bot import clock
from bot.archive.contents import Message
from bot.archive.people import CUSTOMER, EXTERNAL_CHAT, STAFF
from bot.db import released, transaction
from bot.kegui import Kegui
from bot.models import ArchiveConversation, ArchiveState, Consent, Relation, Staff
from bot.models.consent import AGREED, REFUSED, UNKNOWN
from bot.models.customer import LIVE_RELATIONS
from bot.wecom import ABOUT_ONE, Agreement
from bot.wecom.archive import PAIRS_IN_ONE_CALL

log = structlog.get_logger(__name__)

NOT_NEEDED = "not_needed"
ANSWERS = {"agree": AGREED, "disagree": REFUSED}
AT_ONCE = 500
TALKED_WITHIN = timedelta(days=30)


def note_messages(
    messages: Iterable[Message], kinds: Mapping[str, str], recorded_at: datetime
) -> None:
    """Record the answers among these messages, in the transaction that stores them.

    An answer in a group is one to the group, else to the member whom it names.
    """
    for message in messages:
        if message.msgtype not in ANSWERS:
            continue
        external_userid = str(message.body.get("userid") or message.sender)
        since = _moment(message.body.get(f"{message.msgtype}_time")) or message.sent_at
        members = [one for one in message.people if one != external_userid]
        if not message.chat_id:
            members = [one for one in members if kinds.get(one) == STAFF] or members
        places: Sequence[dict[str, Any]] = (
            [{"chat_id": message.chat_id}]
            if message.chat_id
            else [{"userid": member} for member in members]
        )
        for place in places:
            Consent.record(
                external_userid,
                ANSWERS[message.msgtype],
                since=since,
                evidence=f"message {message.msgid}",
                recorded_at=recorded_at,
                **place,
            )


def _moment(milliseconds: object) -> datetime | None:
    if type(milliseconds) is not int or not 0 < milliseconds < 4_102_444_800_000:
        return None
    return datetime.fromtimestamp(milliseconds / 1000, UTC)


# As WeCom says it (path 91782); every other word is no agreement.
SAID = {"Agree": AGREED, "Disagree": REFUSED}


def check_all(kegui: Kegui) -> None:
    """Ask WeCom how customers stand with archived members and in archived groups.

    It tells of no refusal and no withdrawal by itself (path 92005).

    Raises:
        WeComError: WeCom is in trouble; the next night goes on.
    """
    pairs = _pairs()
    for start in range(0, len(pairs), PAIRS_IN_ONE_CALL):
        _check_pairs(pairs[start : start + PAIRS_IN_ONE_CALL], kegui)
    since = clock.now() - TALKED_WITHIN
    rooms = ArchiveConversation.select(ArchiveConversation.chat_id).where(
        ArchiveConversation.chat_id != "",
        ArchiveConversation.kind == EXTERNAL_CHAT,
        ArchiveConversation.last_at > since,
    )
    for room in list(rooms.order_by(ArchiveConversation.id)):
        try:
            with released():
                answers = kegui.wecom.archive.agreements_in_room(room.chat_id)
        except ABOUT_ONE as error:
            log.info("archive_room_not_checked", why=str(error))
            continue
        _note(answers, "check_room_agree", room.chat_id)


def _pairs() -> list[tuple[str, str]]:
    """Return the archived members and their customers."""
    state = ArchiveState.now()
    permitted = {one.lower() for one in state.permitted} if state else set()
    query = (
        Relation.select(Relation.userid, Relation.external_userid)
        .where(Relation.state.in_(LIVE_RELATIONS))
        .order_by(Relation.userid, Relation.external_userid)
        .tuples()
    )
    rows: Any = query
    return [(userid, customer) for userid, customer in rows if userid.lower() in permitted]


def _check_pairs(pairs: Sequence[tuple[str, str]], kegui: Kegui) -> None:
    """Ask about some pairs; of those that WeCom refuses, the one that it does not know is left."""
    try:
        with released():
            answers = kegui.wecom.archive.agreements(pairs)
    except ABOUT_ONE as error:
        if len(pairs) == 1:
            log.info("archive_pair_not_checked", why=str(error))
            return
        half = len(pairs) // 2
        _check_pairs(pairs[:half], kegui)
        _check_pairs(pairs[half:], kegui)
        return
    _note(answers, "check_single_agree")


def _note(answers: Sequence[Agreement], evidence: str, chat_id: str = "") -> None:
    spelled = Staff.spellings({one.userid for one in answers if one.userid})
    with transaction():
        for one in answers:
            place = {"chat_id": chat_id} if chat_id else {"userid": spelled.get(one.userid)}
            Consent.record(
                one.external_userid,
                SAID.get(one.state, UNKNOWN),
                since=one.since,
                evidence=evidence,
                recorded_at=clock.now(),
                **place,
            )


def state_at(answers: Sequence[tuple[datetime, str]], moment: datetime) -> str:
    """Return how a conversation stood at a moment: only agreement is agreement.

    A refusal stands until the customer agrees; an answer that nobody understands ends an agreement
    and no refusal.

    Args:
        answers: since when and what, in the order of time.
    """
    state = UNKNOWN
    for since, answer in answers:
        if since > moment:
            break
        if answer in (AGREED, REFUSED) or state == AGREED:
            state = answer
    return state


class Histories:
    """The answers of some customers, read once."""

    def __init__(self, external_userids: Iterable[str]) -> None:
        self._answers: dict[tuple[str, str, str], list[tuple[datetime, str]]] = {}
        asked = sorted(set(external_userids))
        for start in range(0, len(asked), AT_ONCE):
            some = asked[start : start + AT_ONCE]
            rows = Consent.select().where(Consent.external_userid.in_(some))
            for row in rows.order_by(Consent.since, Consent.id):
                place = row.external_userid, row.userid or "", row.chat_id or ""
                self._answers.setdefault(place, []).append((row.since, row.state))

    def state(
        self, message: Message, kinds: Mapping[str, str], now_called: Mapping[str, str]
    ) -> str:
        """Return how the sender's answer stood when a message was sent.

        What members and robots send needs none. In a single chat it is the answer to that member,
        by whichever userid they go now.
        """
        if kinds.get(message.sender) != CUSTOMER:
            return NOT_NEEDED
        if message.chat_id:
            return self._state(message.sender, "", message.chat_id, message.sent_at)
        states = [
            self._state(message.sender, now_called.get(one, one), "", message.sent_at)
            for one in message.to
            if kinds.get(one) != CUSTOMER
        ]
        if REFUSED in states:
            return REFUSED
        return AGREED if states and set(states) == {AGREED} else UNKNOWN

    def _state(self, external_userid: str, userid: str, chat_id: str, at: datetime) -> str:
        return state_at(self._answers.get((external_userid, userid, chat_id), ()), at)
