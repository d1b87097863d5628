"""An event that WeCom sent us, kept from before we answer until for ever."""

from datetime import timedelta

from peewee import SQL, BigAutoField, BlobField, CharField, IntegerField, JSONField

from bot.db import Model, UTCDateTimeField
from bot.models.naming import MemberField
from bot.reason import CODE_LENGTH, ReasonColumns

WAITING = "waiting"
CLAIMED = "claimed"
DONE = "done"
IGNORED = "ignored"
FAILED = "failed"
DEAD = "dead"
STATES = (WAITING, CLAIMED, DONE, IGNORED, FAILED, DEAD)
OPEN_STATES = (WAITING, CLAIMED, FAILED)
SETTLED = (DONE, IGNORED)


class StoredEvent(Model):
    """One delivery of one event: repeated deliveries are the same row.

    ``waiting`` and ``failed`` rows are due at ``due_at``; a ``claimed`` one is again anybody's
    when ``lease_until`` has passed. The payload is sealed: older contact events carry phones.
    """

    id = BigAutoField()
    key = CharField(max_length=64, unique=True)
    source = CharField(max_length=16)
    event = CharField(max_length=64)
    change_type = CharField(max_length=64)
    userid = MemberField(max_length=64, null=True)
    external_userid = CharField(max_length=64, null=True)
    lane = CharField(max_length=16)
    payload = BlobField()
    state = CharField(max_length=16, default=WAITING)
    attempts = IntegerField(default=0)
    received_at = UTCDateTimeField()
    due_at = UTCDateTimeField()
    lease_until = UTCDateTimeField(null=True)
    finished_at = UTCDateTimeField(null=True)
    replayed_at = UTCDateTimeField(null=True)
    error_code = CharField(max_length=CODE_LENGTH, null=True)
    error_facts = JSONField(null=True)
    error = ReasonColumns()


class InboxEvent(StoredEvent):
    """An event in the inbox: all that are not settled, and those settled lately."""

    class Meta:
        table_name = "inbox_event"
        indexes = (
            (("event", "change_type"), False),
            (("userid", "external_userid"), False),
            (("external_userid",), False),
        )


class InboxArchive(StoredEvent):
    """An event done or ignored long ago, moved here under its own number."""

    class Meta:
        table_name = "inbox_archive"
        indexes = (
            (("state", "id"), False),
            (("userid", "id"), False),
            (("external_userid", "id"), False),
        )


class InboxHistory(StoredEvent):
    """Every event, in the inbox or archived: a view, for those who only read."""

    class Meta:
        table_name = "inbox_history"


# Not done and not ignored. Written out, because an index of some rows serves only a query that
# names the same ones.
UNSETTLED = SQL("state IN ('waiting', 'claimed', 'failed', 'dead')")

# Settled rows must not stand in the way of the few that somebody looks for every second.
InboxEvent.add_index(
    InboxEvent.index(
        InboxEvent.lane,
        InboxEvent.state,
        InboxEvent.due_at,
        name="inbox_event_unsettled",
        where=UNSETTLED,
    )
)


# How long an event may wait for a worker before people are told.
WORKER_PATIENCE = timedelta(minutes=1)
# All of an event but its sealed payload, which no page shows.
EVENT_COLUMNS = tuple(
    column for column in InboxHistory._meta.sorted_fields if column is not InboxHistory.payload
)
