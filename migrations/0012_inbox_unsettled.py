"""Find the few unsettled events among years of settled ones."""

from typing import Any

UNSETTLED = (
    "CREATE INDEX inbox_event_unsettled ON inbox_event (lane, state, due_at)"
    " WHERE state IN ('waiting', 'claimed', 'failed', 'dead')"
)
ALL = "CREATE INDEX inboxevent_lane_state_due_at ON inbox_event (lane, state, due_at)"


def up(migrator: Any, db: Any) -> None:
    db.execute_sql(UNSETTLED)
    db.execute_sql("DROP INDEX inboxevent_lane_state_due_at")


def down(migrator: Any, db: Any) -> None:
    db.execute_sql(ALL)
    db.execute_sql("DROP INDEX inbox_event_unsettled")
