"""The audit log: what was committed is chained within seconds, and the chain signed daily."""

import structlog
from peewee import IntegrityError

from bot import clock
from bot.audit import SEALED_AT_ONCE
from bot.audit_report import ANCHOR_EVENT
from bot.kegui import Kegui

log = structlog.get_logger(__name__)

MOST_BATCHES = 100


def seal(kegui: Kegui) -> None:
    """Chain what was committed; a clock that thinks it leads and does not is turned away."""
    for _ in range(MOST_BATCHES):
        try:
            if kegui.audit.seal() < SEALED_AT_ONCE:
                return
        except IntegrityError:
            log.warning("audit_sealed_elsewhere")
            return


def anchor(kegui: Kegui) -> None:
    """Sign the chain, and tell the log: what is kept elsewhere proves that nothing was cut off."""
    made = kegui.audit.anchor(clock.now())
    if made is not None:
        log.info(ANCHOR_EVENT, position=made.position, link=made.link)
