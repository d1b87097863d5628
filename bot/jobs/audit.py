"""The audit log: sealed within seconds, signed daily, and verified every night."""

from itertools import islice

import structlog
from peewee import IntegrityError

from bot import clock
from bot.alarms import AUDIT_ANCHORS_AWAY, AUDIT_BROKEN, AUDIT_UNSEALED, end_alarm, raise_alarm
from bot.audit import anchors
from bot.audit import log as audit
from bot.audit import verify as audit_report
from bot.audit.anchors import AnchorsAway
from bot.audit.log import SEALED_AT_ONCE
from bot.audit.search import waiting
from bot.audit.verify import ANCHOR_EVENT, sentence
from bot.db import database, released
from bot.kegui import Kegui
from bot.models import AuditCheck
from bot.operations.state import SEALER_PATIENCE
from bot.reason import Reason

log = structlog.get_logger(__name__)

MOST_BATCHES = 100
# What is broken in a thousand places needs no exact number.
MOST_FAULTS = 1000


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


def keep_anchors(kegui: Kegui) -> None:
    """Keep the end of the chain outside of the database, signed; where that fails is an alarm."""
    address = kegui.settings.audit_anchor_url
    signed = kegui.audit.sign_end() if address is not None else None
    if address is None or signed is None:
        end_alarm(AUDIT_ANCHORS_AWAY)
        return
    made, signature = signed
    line = audit_report.anchor_line(made, signature)
    try:
        with released():
            anchors.keep(address.get_secret_value(), f"{made.at:%Y-%m-%d}", line)
    except AnchorsAway as away:
        raise_alarm(
            AUDIT_ANCHORS_AWAY,
            "",
            Reason(AUDIT_ANCHORS_AWAY, {"cause": str(away)}),
            kegui,
        )
        return
    end_alarm(AUDIT_ANCHORS_AWAY)


def look(kegui: Kegui) -> None:
    """One alarm for as long as entries are not sealed in time."""
    number, since = waiting()
    if since is None or clock.now() - since < SEALER_PATIENCE:
        end_alarm(AUDIT_UNSEALED)
        return
    raise_alarm(
        AUDIT_UNSEALED,
        "",
        Reason(AUDIT_UNSEALED, {"number": number, "since": since.isoformat()}),
        kegui,
    )


def verify(kegui: Kegui) -> None:
    """Go through the whole log: what is broken is an alarm until it is whole again."""
    with database.atomic():
        audit.snapshot()
        verifier, faults = kegui.audit.verify()
        found = list(islice(faults, MOST_FAULTS))
    first = sentence(found[0]) if found else ""
    AuditCheck.keep(clock.now(), verifier.sealed, len(found), first)
    log.info("audit_verified", sealed=verifier.sealed, faults=len(found))
    if not found:
        end_alarm(AUDIT_BROKEN)
        return
    raise_alarm(
        AUDIT_BROKEN,
        "",
        Reason(AUDIT_BROKEN, {"number": len(found), "first": first}),
        kegui,
    )


def verify_again(kegui: Kegui) -> None:
    """Where something was broken, see whether it still is."""
    if AuditCheck.select().where(AuditCheck.faults > 0).exists():
        verify(kegui)
