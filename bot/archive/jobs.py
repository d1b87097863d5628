"""What the clock does for the archive: it watches the process that pulls, and signs the chain."""

from datetime import timedelta

import structlog

from bot import clock
from bot.alarms import end_alarm, raise_alarm
from bot.archive import completeness, consents
from bot.archive import verify as archive_verify
from bot.archive.proof import Chain, ChainBroken
from bot.archive.runner import is_configured
from bot.archive.verify import ANCHOR_EVENT
from bot.audit import anchors
from bot.audit.anchors import AnchorsAway
from bot.audit.verify import anchor_line
from bot.db import released
from bot.kegui import Kegui
from bot.models import ArchiveState
from bot.reason import Reason

log = structlog.get_logger(__name__)

ARCHIVE_SILENT = "archive_silent"
ARCHIVE_LOCKED = "archive_undecryptable"
ARCHIVE_BROKEN = "archive_broken"
ARCHIVE_MEDIA = "archive_media_missing"
# A key may come a little later than the first message that needs it.
LOCKED_PATIENCE = timedelta(minutes=10)


def look(kegui: Kegui) -> None:
    """Alarms for a pull that has not gone well for long, and for what cannot be read."""
    if not is_configured(kegui.settings):
        return
    now = clock.now()
    state = ArchiveState.now()
    if state is None:
        ArchiveState.note(trouble="")
        return
    since = state.pulled_at or state.begun_at
    if now - since > kegui.settings.archive_alarm_after:
        raise_alarm(ARCHIVE_SILENT, "", Reason(ARCHIVE_SILENT, {"since": since.isoformat()}), kegui)
    else:
        end_alarm(ARCHIVE_SILENT)
    _look_at_locked(kegui)
    _look_at_media(kegui)


def _look_at_locked(kegui: Kegui) -> None:
    found = completeness.undecryptable(clock.now() - LOCKED_PATIENCE)
    if not found:
        end_alarm(ARCHIVE_LOCKED)
        return
    count = sum(int(one["count"]) for one in found)
    versions = ", ".join(str(one["publickey_ver"]) for one in found)
    facts = {"number": count, "versions": versions}
    raise_alarm(ARCHIVE_LOCKED, "", Reason(ARCHIVE_LOCKED, facts), kegui)


def _look_at_media(kegui: Kegui) -> None:
    count = completeness.count_media("missing", "expired")
    if not count:
        end_alarm(ARCHIVE_MEDIA)
        return
    raise_alarm(ARCHIVE_MEDIA, "", Reason(ARCHIVE_MEDIA, {"number": count}), kegui)


def check_consents(kegui: Kegui) -> None:
    """Ask WeCom who has agreed, refused or withdrawn, where an archive is configured."""
    if is_configured(kegui.settings):
        consents.check_all(kegui)


def anchor(kegui: Kegui) -> None:
    """Sign the chain, and tell the log: what is kept elsewhere proves that nothing was cut off."""
    try:
        made = Chain(kegui.vault).anchor(clock.now())
    except ChainBroken:
        _tell_broken("", kegui)
        return
    if made is not None:
        log.info(ANCHOR_EVENT, position=made.position, link=made.link)


def keep_anchors(kegui: Kegui) -> None:
    """Keep the end of the chain outside of the database, signed, beside those of the audit log,
    whose alarm tells where that fails."""
    address = kegui.settings.audit_anchor_url
    try:
        signed = Chain(kegui.vault).sign_end() if address is not None else None
    except ChainBroken:
        _tell_broken("", kegui)
        return
    if address is None or signed is None:
        return
    made, signature = signed
    line = anchor_line(made, signature, ANCHOR_EVENT)
    try:
        with released():
            anchors.keep(address.get_secret_value(), f"{made.at:%Y-%m-%d}", line)
    except AnchorsAway as away:
        log.warning("archive_anchor_not_kept", why=str(away))


def verify(kegui: Kegui) -> None:
    """Go through all of it every night: what is broken is an alarm until it is whole again."""
    first = next(archive_verify.faults(kegui), None)
    if first is None:
        end_alarm(ARCHIVE_BROKEN)
    else:
        _tell_broken(first, kegui)


def _tell_broken(first: str, kegui: Kegui) -> None:
    advice = Reason(f"do_about_{ARCHIVE_BROKEN}")
    reason = Reason(ARCHIVE_BROKEN, {"first": first}) if first else Reason("archive_end_changed")
    raise_alarm(ARCHIVE_BROKEN, "", reason, kegui, advice=advice)
