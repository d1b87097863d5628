"""The readings: WeCom's API is the truth, events are hints."""

import structlog

from bot.kegui import Kegui
from bot.sync import everything as sync
from bot.sync import sync_leavers

log = structlog.get_logger(__name__)


def first_import(kegui: Kegui) -> None:
    """Read the firm's customers once, at the first start; an interrupted reading goes on."""
    if sync.first_import_is_due():
        everything(kegui)


def go_on(kegui: Kegui) -> None:
    """Let a later reading that trouble or a kill interrupted go on, this night still."""
    if sync.was_interrupted():
        everything(kegui)


def everything(kegui: Kegui) -> None:
    """Read all again, nightly, and heal what callbacks missed."""
    try:
        run = sync.read_everything(kegui)
    except sync.AlreadyRunning:
        log.info("sync_already_running")
        return
    log.info("sync_done", kind=run.kind, members=run.members, customers=run.customers)


def unassigned(kegui: Kegui) -> None:
    """Look hourly for customers whose member has left: HR's own tools may send no event."""
    run = sync_leavers.read_unassigned(kegui)
    if run is None:
        log.info("unassigned_already_running")
