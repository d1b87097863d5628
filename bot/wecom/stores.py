"""What bot.wecom needs remembered between processes: tokens and pauses, in the database."""

import time
from collections.abc import Callable
from datetime import datetime

import structlog
from peewee import EXCLUDED, Case

from bot import clock
from bot.db import connection, released, transaction
from bot.models import AccessToken, Alarm, EndpointPause, EndpointRefusal, Lease
from bot.models.data_key import ACCESS_TOKEN
from bot.vault import Vault, VaultError
from bot.wecom.pauses import EVERY_ENDPOINT, Pause
from bot.wecom.tokens import Token

log = structlog.get_logger(__name__)

WAIT_SECONDS = 0.05
# A rush of welcomes would otherwise ask the database for the same token a hundred times a second.
CACHE_SECONDS = 1


class DatabaseTokenStore:
    """One token for each secret, shared by all processes; one refresh at a time."""

    def __init__(self, vault: Vault) -> None:
        self._vault = vault
        self._read: dict[str, tuple[float, Token | None]] = {}

    def get(self, secret_name: str) -> Token | None:
        """Return the token as it was stored a second ago or later, expired or not."""
        read_at, token = self._read.get(secret_name, (float("-inf"), None))
        if token is None or time.monotonic() - read_at > CACHE_SECONDS:
            token = self._load(secret_name)
        return token

    def _load(self, secret_name: str) -> Token | None:
        with connection():
            row = AccessToken.get_or_none(AccessToken.secret_name == secret_name)
        if row is None or row.sealed is None:
            return None
        try:
            value = self._vault.open(ACCESS_TOKEN, secret_name, row.sealed).decode()
        except VaultError:
            # Of another key, or moved here from another secret: WeCom gives a new one.
            log.warning("token_not_readable", secret=secret_name)
            return None
        token = Token(value, row.expires_at)
        self._read[secret_name] = (time.monotonic(), token)
        return token

    def refresh(self, secret_name: str, stale: str | None, fetch: Callable[[], Token]) -> Token:
        """Replace the token ``stale``; whoever comes second gets the first one's result.

        Raises:
            WeComError: what ``fetch`` raises.
        """
        while True:
            with connection(), Lease.held(f"token {secret_name}") as held:
                current = self._load(secret_name)
                if current and current.value != stale and current.expires_at > clock.now():
                    return current
                if held:
                    with released():
                        token = fetch()
                    self._put(secret_name, token)
                    return token
            time.sleep(WAIT_SECONDS)

    def _put(self, secret_name: str, token: Token) -> None:
        sealed = self._vault.seal(ACCESS_TOKEN, secret_name, token.value.encode())
        self._read[secret_name] = (time.monotonic(), token)
        AccessToken.insert(
            secret_name=secret_name, sealed=sealed, expires_at=token.expires_at
        ).on_conflict(
            conflict_target=[AccessToken.secret_name],
            preserve=[AccessToken.sealed, AccessToken.expires_at],
        ).execute()


class DatabasePauseStore:
    """Pauses of (secret, endpoint), shared by all processes and visible to people."""

    def get(self, secret_name: str, endpoint: str) -> Pause | None:
        names = [_name(secret_name, endpoint), _name(secret_name, EVERY_ENDPOINT)]
        with connection():
            row = (
                EndpointPause.select()
                .where(EndpointPause.name.in_(names))
                .order_by(EndpointPause.until.desc())
                .first()
            )
        return None if row is None else _pause(row)

    def set(self, pause: Pause) -> Pause:
        new, old = EXCLUDED, EndpointPause
        longer = new.until > old.until
        with connection():
            [row] = (
                EndpointPause.insert(
                    name=_name(pause.secret_name, pause.endpoint),
                    secret_name=pause.secret_name,
                    endpoint=pause.endpoint,
                    until=pause.until,
                    reason=pause.reason,
                    errcode=pause.errcode,
                    since=clock.now(),
                    failures=1,
                )
                .on_conflict(
                    conflict_target=[EndpointPause.name],
                    update={
                        EndpointPause.until: Case(None, [(longer, new.until)], old.until),
                        EndpointPause.reason: Case(None, [(longer, new.reason)], old.reason),
                        EndpointPause.errcode: Case(None, [(longer, new.errcode)], old.errcode),
                        EndpointPause.failures: old.failures + 1,
                        EndpointPause.probe_until: None,
                    },
                )
                .returning(EndpointPause)
                .execute()
            )
        return _pause(row)

    def probe(self, pause: Pause, until: datetime) -> bool:
        now = clock.now()
        nobody = EndpointPause.probe_until.is_null() | (EndpointPause.probe_until <= now)
        with connection():
            claimed = (
                EndpointPause.update(probe_until=until)
                .where(
                    EndpointPause.name == _name(pause.secret_name, pause.endpoint),
                    EndpointPause.until <= now,
                    nobody,
                )
                .execute()
            )
        return bool(claimed)

    def clear(self, secret_name: str, endpoint: str) -> None:
        with connection(), transaction():
            name = _name(secret_name, endpoint)
            if EndpointPause.delete().where(EndpointPause.name == name).execute():
                # The operators' trouble is over with it.
                Alarm.end_refusals(endpoint, clock.now())

    def note_refusals(
        self, secret_name: str, endpoint: str, errcode: int | None, records: int
    ) -> None:
        with connection():
            EndpointRefusal.insert(
                name=_name(secret_name, endpoint),
                endpoint=endpoint,
                errcode=errcode,
                records=records,
                since=clock.now(),
            ).on_conflict_ignore().execute()

    def forget_refusals(self, secret_name: str, endpoint: str) -> None:
        name = _name(secret_name, endpoint)
        with connection():
            # Asked first: to delete nothing would still wait for SQLite's one writer.
            if EndpointRefusal.select().where(EndpointRefusal.name == name).exists():
                EndpointRefusal.delete().where(EndpointRefusal.name == name).execute()


def _pause(row: EndpointPause) -> Pause:
    return Pause(
        row.secret_name,
        row.endpoint,
        row.until,
        row.reason,
        row.errcode,
        since=row.since,
        failures=row.failures,
    )


def _name(secret_name: str, endpoint: str) -> str:
    return f"{secret_name} {endpoint}"
