"""The readings: WeCom's API is the truth, events are hints."""

import structlog

from bot.actions import sync
from bot.kegui import Kegui

log = structlog.get_logger(__name__)


def first_import(kegui: Kegui) -> None:
    """Read the firm's customers once, at the first start; an interrupted reading goes on."""
    if sync.first_import_is_due():
        everything(kegui)


def everything(kegui: Kegui) -> None:
    """Read all again, nightly, and heal what callbacks missed."""
    try:
        run = sync.read_everything(kegui)
    except sync.AlreadyRunning:
        log.info("sync_already_running")
        return
    log.info("sync_done", kind=run.kind, members=run.members, customers=run.customers)
    sync.read_leavers(kegui)


def unassigned(kegui: Kegui) -> None:
    """Look hourly for customers whose member has left: HR's own tools may send no event."""
    sync.read_unassigned(kegui)
