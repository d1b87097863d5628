"""What a customer answered about archiving, for each conversation, and how we know."""

from datetime import datetime, timedelta

from peewee import BigAutoField, BigIntegerField, CharField

from bot.db import Model, UTCDateTimeField

AGREED = "agreed"
REFUSED = "refused"
UNKNOWN = "unknown"


class Consent(Model):
    """One answer; rows are only added, so that consent at any past moment can be shown."""

    id = BigAutoField()
    external_userid = CharField(max_length=64)
    userid = CharField(max_length=64, null=True)
    chat_id = CharField(max_length=64, null=True)
    state = CharField(max_length=16)
    since = UTCDateTimeField()
    evidence = CharField(max_length=255)
    event_id = BigIntegerField(null=True, unique=True)
    recorded_at = UTCDateTimeField()

    class Meta:
        # One approval may come to two doors.
        indexes = (
            (("external_userid", "userid", "since", "state"), True),
            (("external_userid", "chat_id", "since", "state"), True),
        )

    @classmethod
    def record_answer(
        cls,
        external_userid: str,
        userid: str,
        state: str,
        *,
        since: datetime,
        event_id: int,
        recorded_at: datetime,
    ) -> None:
        """Remember an answer that came with an event; it counts once.

        The same event again, or the same approval through another door, changes nothing.
        """
        cls.insert(
            external_userid=external_userid,
            userid=userid,
            state=state,
            since=since,
            evidence=f"event {event_id}",
            event_id=event_id,
            recorded_at=recorded_at,
        ).on_conflict_ignore().execute()

    @classmethod
    def record(
        cls,
        external_userid: str,
        state: str,
        *,
        since: datetime,
        evidence: str,
        recorded_at: datetime,
        userid: str | None = None,
        chat_id: str | None = None,
    ) -> bool:
        """Remember an answer to a member or in a group; whether it says anything new.

        The same answer comes by several ways, some of which know the second only.
        """
        known = (
            cls.select()
            .where(
                cls.external_userid == external_userid,
                cls.userid.is_null() if userid is None else cls.userid == userid,
                cls.chat_id.is_null() if chat_id is None else cls.chat_id == chat_id,
                cls.since < since + timedelta(seconds=1),
            )
            .order_by(cls.since.desc(), cls.id.desc())
            .first()
        )
        if known is not None and known.state == state:
            return False
        cls.insert(
            external_userid=external_userid,
            userid=userid,
            chat_id=chat_id,
            state=state,
            since=since,
            evidence=evidence[:255],
            recorded_at=recorded_at,
        ).on_conflict_ignore().execute()
        return True
