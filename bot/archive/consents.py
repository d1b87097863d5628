"""What customers answered about archiving, as the archive itself shows it, and what it covers."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from bot.archive.contents import Message
from bot.archive.people import CUSTOMER, STAFF
from bot.models import Consent
from bot.models.consent import AGREED, REFUSED, UNKNOWN

NOT_NEEDED = "not_needed"
ANSWERS = {"agree": AGREED, "disagree": REFUSED}
AT_ONCE = 500


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
