"""What a customer answered about archiving, for each conversation, and how we know."""

from datetime import datetime

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
        indexes = ((("external_userid", "userid", "since", "state"), True),)

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
