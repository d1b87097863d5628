"""What was settled long ago leaves the inbox, nightly."""

import time
from itertools import islice

import structlog

from bot import db
from bot.inbox.archive import move_settled
from bot.kegui import Kegui

log = structlog.get_logger(__name__)

# On SQLite there is one writer: the doors come in between.
REST_SECONDS = 0.1
# Years of rows are moved in several nights: a stop of the clock waits for the job, half a minute.
MOST_COMMITS = 200


def archive(kegui: Kegui) -> None:
    """Move settled events to the archive; a kill loses nothing, the next night goes on."""
    moved = 0
    for count in islice(move_settled(db.now() - kegui.settings.inbox_archive_after), MOST_COMMITS):
        moved += count
        time.sleep(REST_SECONDS)
    if moved:
        log.info("inbox_archived", events=moved)
