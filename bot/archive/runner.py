"""The process of the archive: one leader pulls, woken by WeCom's notice and by a timer."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import structlog
from peewee import PeeweeException
from playhouse.pool import MaxConnectionsExceeded

from bot import clock
from bot.alarms import end_alarm, raise_alarm
from bot.archive.day_keys import DayKeys
from bot.archive.media import Fetcher, Files, Folder, FolderAway
from bot.archive.private_keys import PrivateKeys
from bot.archive.proof import END, ChainBroken
from bot.archive.pull import Puller
from bot.archive.sandbox_source import SandboxSource
from bot.archive.sdk import SdkSettings, SdkSource
from bot.archive.source import Source, SourceDied, SourceError, SourceUnusable
from bot.archive.store import CursorMoved, Store
from bot.db import connection
from bot.kegui import Kegui
from bot.models import ArchiveState, Lease
from bot.reason import Reason
from bot.vault import VaultError, WrongKey
from bot.wecom import WeComError, what_to_do
from config.settings import PREFIX, Settings

log = structlog.get_logger(__name__)

LEASE_NAME = "archive"
# A killed leader is followed within this and one look.
DURATION = timedelta(seconds=9)
FEW_FILES = 5
LOOK_SECONDS = 1.0
FOLLOW_SECONDS = 2.0
RETRY_SECONDS = 600.0
PERMITS_SECONDS = 3600.0
# After trouble the timer comes later, and a notice wakes nobody before.
REST_SECONDS = (5.0, 15.0, 60.0, 300.0)
ARCHIVE_SOURCE = "archive_source"
# Of the library's own layer of errors (sdk.md 7); the other layer's are WeCom's.
WHAT_TO_DO = {
    10000: Reason("do_check_archive_secret"),
    10009: Reason("do_trust_address_of_archive"),
    10011: Reason("do_check_tls"),
}
UNUSABLE = Reason("do_check_archive_files")
BROKEN = Reason("do_restore_archive_end")


def lacking(settings: Settings) -> list[str]:
    """Name the settings without which there is no archive to pull."""
    needed = {
        "ARCHIVE_SECRET": settings.archive_secret,
        "ARCHIVE_PRIVATE_KEYS": settings.archive_private_keys,
        "ARCHIVE_SDK": settings.archive_sdk or settings.lets_anybody_in,
    }
    return [PREFIX + name for name, value in needed.items() if not value]


def is_configured(settings: Settings) -> bool:
    """Whether there is an archive to pull, and what it takes."""
    return not lacking(settings)


def make_source(settings: Settings) -> Source:
    """Return the library, or where none is named the sandbox.

    Raises:
        SourceUnusable: neither is configured.
    """
    if settings.archive_secret is None or not is_configured(settings):
        raise SourceUnusable(f"please set {', '.join(lacking(settings))}")
    secret = settings.archive_secret.get_secret_value()
    if settings.archive_sdk is None:
        return SandboxSource(settings.wecom_api_base, secret)
    proxy = settings.archive_proxy
    return SdkSource(
        SdkSettings(
            settings.archive_sdk,
            settings.corp_id,
            secret,
            proxy.get_secret_value() if proxy else "",
            settings.archive_sdk_timeout,
        )
    )


@dataclass
class Work:
    """All that pulling takes, over one source."""

    source: Source
    puller: Puller
    day_keys: DayKeys


def make_fetcher(kegui: Kegui, source: Source) -> Fetcher:
    """Wire what fetches files, over a source of its own: for each thread one (path 91774)."""
    folder = Folder(kegui.settings.media_url.get_secret_value())
    return Fetcher(source, Files(kegui.vault, folder), DayKeys(kegui.vault))


def make_work(kegui: Kegui) -> Work:
    """Wire it.

    Raises:
        SourceUnusable: no archive is configured.
    """
    settings = kegui.settings
    source = make_source(settings)
    day_keys = DayKeys(kegui.vault)
    store = Store(kegui.vault, day_keys, settings.archive_alarm_after)
    keys = PrivateKeys(settings.archive_private_keys)
    return Work(source, Puller(source, keys, store, day_keys), day_keys)


def run(kegui: Kegui, stopping: threading.Event) -> None:
    """Pull whenever we lead, until told to stop."""
    if not is_configured(kegui.settings):
        log.info("archive_idle", lacking=lacking(kegui.settings))
        stopping.wait()
        return
    while not stopping.is_set():
        try:
            with connection(), Lease.held(LEASE_NAME, DURATION) as leads:
                if leads:
                    log.info("archive_leads")
                    _lead(kegui, stopping)
        except CursorMoved:
            log.warning("archive_leads_no_more")
        except (PeeweeException, MaxConnectionsExceeded) as error:
            log.warning("archive_waits", why=type(error).__name__)
        stopping.wait(FOLLOW_SECONDS)


def pull_once(kegui: Kegui) -> int | None:
    """Pull all that is new, and try once more what could not be decrypted; returns how many
    messages are new. None: another process pulls, and was told to.

    Raises:
        SourceError, SourceDied, SourceUnusable, CursorMoved, ChainBroken, FolderAway
    """
    with connection(), Lease.held(LEASE_NAME, DURATION) as leads:
        if not leads:
            ArchiveState.note(asked_at=clock.now())
            return None
        work = make_work(kegui)
        try:
            total = work.puller.pull() + work.puller.retry()
            fetcher = make_fetcher(kegui, work.source)
            while fetcher.fetch_due():
                pass
        finally:
            work.source.close()
        read_permits(kegui)
        return total


def ask_for_pull(now: datetime) -> None:
    """Wake the leader: WeCom says that there is something new (path 95039)."""
    ArchiveState.note(asked_at=now)


def read_permits(kegui: Kegui) -> None:
    """Read whose conversations WeCom archives now; without an answer the last one stays."""
    try:
        userids = kegui.wecom.archive.members()
    except WeComError as error:
        log.warning("archive_permits_not_read", why=str(error))
        return
    ArchiveState.note(permitted=sorted(userids), permitted_at=clock.now())


class _Timer:
    """Says when something is due again."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._at = float("-inf")

    def is_due(self) -> bool:
        return time.monotonic() - self._at >= self._seconds

    def begin(self) -> None:
        self._at = time.monotonic()


def _lead(kegui: Kegui, stopping: threading.Event) -> None:
    work = make_work(kegui)
    ended = threading.Event()
    fetching = threading.Thread(target=_fetch, args=(kegui, ended))
    fetching.start()
    pulls = _Timer(kegui.settings.archive_pull_seconds)
    retries, permits = _Timer(RETRY_SECONDS), _Timer(PERMITS_SECONDS)
    asked_at: datetime | None = None
    troubles, rest_until = 0, float("-inf")
    try:
        while not stopping.is_set():
            state = ArchiveState.now()
            asked = state.asked_at if state else None
            is_woken = asked is not None and asked != asked_at
            may_pull = time.monotonic() >= rest_until
            if may_pull and (pulls.is_due() or is_woken):
                # Noted before: what comes meanwhile wakes once more.
                asked_at = asked
                pulls.begin()
                if _in_trouble(work.puller.pull, kegui):
                    rest = REST_SECONDS[min(troubles, len(REST_SECONDS) - 1)]
                    troubles, rest_until = troubles + 1, time.monotonic() + rest
                else:
                    troubles = 0
            if work.puller.look_for_keys() or retries.is_due():
                retries.begin()
                _in_trouble(work.puller.retry, kegui)
            if permits.is_due():
                permits.begin()
                read_permits(kegui)
            stopping.wait(LOOK_SECONDS)
    finally:
        ended.set()
        work.source.close()
        fetching.join()


def _fetch(kegui: Kegui, ended: threading.Event) -> None:
    """Fetch the files of messages, until told to stop; trouble waits."""
    source = make_source(kegui.settings)
    try:
        fetcher = make_fetcher(kegui, source)
        while not ended.is_set():
            try:
                if fetcher.fetch_due(FEW_FILES):
                    continue
            except (FolderAway, SourceUnusable) as error:
                log.error("archive_media_waits", why=str(error))
                ended.wait(REST_SECONDS[-2])
            except (PeeweeException, MaxConnectionsExceeded, WrongKey) as error:
                log.warning("archive_media_waits", why=type(error).__name__)
                ended.wait(REST_SECONDS[0])
            ended.wait(FOLLOW_SECONDS)
    finally:
        source.close()


def _in_trouble(act: Callable[[], Any], kegui: Kegui) -> bool:
    """Do something with the source; trouble is an alarm where somebody must act, and waits."""
    try:
        done = act()
    except SourceError as error:
        log.warning("archive_waits", why=str(error))
        _note_trouble(str(error))
        if not error.passes:
            advice = WHAT_TO_DO.get(error.code) or what_to_do(error.code) or UNUSABLE
            _alarm(Reason("archive_refused", {"errcode": error.code}), advice, kegui)
        return True
    except SourceUnusable as error:
        log.error("archive_waits", why=str(error))
        _note_trouble(str(error))
        _alarm(Reason("archive_unusable", {"cause": str(error)}), UNUSABLE, kegui)
        return True
    except SourceDied:
        log.error("archive_waits", why="the SDK's process died again and again")
        _note_trouble("the SDK's process died again and again")
        _alarm(Reason("archive_sdk_dies"), UNUSABLE, kegui)
        return True
    except ChainBroken:
        log.error("archive_waits", why=f"{END} was changed")
        _note_trouble(f"{END} was changed")
        _alarm(Reason("archive_end_changed_stopped"), BROKEN, kegui)
        return True
    except (VaultError, WrongKey) as error:
        log.error("archive_waits", why=type(error).__name__)
        return True
    if done:
        log.info("archive_stored", messages=done)
    end_alarm(ARCHIVE_SOURCE)
    return False


def _note_trouble(text: str) -> None:
    with connection():
        ArchiveState.note(trouble=text[:160])


def _alarm(reason: Reason, advice: Reason, kegui: Kegui) -> None:
    with connection():
        raise_alarm(ARCHIVE_SOURCE, "", reason, kegui, advice=advice)
