"""One call to WeCom: token, pause, budget, request, answer, and what to do with an error."""

import json
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from random import random
from typing import Any, Literal

import requests
import structlog
from requests.adapters import HTTPAdapter
from urllib3.exceptions import HTTPError, NewConnectionError

from bot import clock
from bot.wecom.budgets import WELCOME, Budgets
from bot.wecom.errors import (
    TOKEN_CODES,
    OperatorNeeded,
    Paused,
    Throttled,
    Transient,
    WeComError,
    classify,
)
from bot.wecom.pauses import Pause, PauseStore
from bot.wecom.tokens import Token, TokenStore

log = structlog.get_logger(__name__)

SecretName = Literal["app", "contacts", "archive"]
APP: SecretName = "app"
VARIABLES: Mapping[SecretName, str] = {
    "app": "KEGUI_APP_SECRET",
    "contacts": "KEGUI_CONTACTS_SECRET",
    "archive": "KEGUI_ARCHIVE_SECRET",
}
GETTOKEN = "gettoken"
RENEWAL_SECONDS = 60
RENEWALS = 2
GETTOKEN_TIMEOUT_SECONDS = 5.0
MAX_ANSWER_BYTES = 16 * 1024 * 1024
TRIES = 3
OPERATOR_PAUSE = timedelta(seconds=300)
# Repeated wrong secrets ban our address for an hour (path 90313, 45009): never hammer.
WRONG_SECRET_PAUSE = timedelta(hours=1)
WRONG_SECRET = (40001, 40013, 40091)
FAILURES_BEFORE_PAUSE = 3
OUTAGE_PAUSE_SECONDS = 10.0
LONGEST_OUTAGE_PAUSE_SECONDS = 120.0
PAUSE_CACHE_SECONDS = 1.0
# Above the time-out of any one call: whoever tries first is not joined by a second one.
PROBE = timedelta(seconds=15)
PROBE_LOOK = timedelta(seconds=1)
# -1: "system busy"; of it and of silence, three in a row are an outage.
OUTAGE_CODES = (None, -1)


@dataclass(frozen=True)
class CallRecord:
    """One call as metrics see it."""

    endpoint: str
    secret_name: str
    errcode: int | None
    seconds: float


class Transport:
    """Makes calls for one corporation; safe to share between threads."""

    def __init__(
        self,
        *,
        corp_id: str,
        secrets: Mapping[SecretName, str],
        api_base: str,
        tokens: TokenStore,
        pauses: PauseStore,
        budgets: Budgets,
        timeout_seconds: float = 10.0,
        welcome_timeout_seconds: float = 5.0,
        on_call: Callable[[CallRecord], None] | None = None,
    ) -> None:
        self._corp_id = corp_id
        self._secrets = dict(secrets)
        self._base = api_base.rstrip("/") + "/cgi-bin/"
        self._tokens = tokens
        self._pauses = pauses
        self._budgets = budgets
        self._timeout = timeout_seconds
        self._welcome_timeout = welcome_timeout_seconds
        self._on_call = on_call
        self._local = threading.local()
        self._lock = threading.Lock()
        self._renewal_tried_at: dict[str, float] = {}
        self._failures: dict[tuple[str, str], int] = {}
        self._pause_cache: dict[tuple[str, str], tuple[float, Pause | None]] = {}

    def read(
        self,
        endpoint: str,
        query: Mapping[str, Any] | None = None,
        secret_name: SecretName = APP,
    ) -> dict[str, Any]:
        """GET an endpoint; harmless to repeat, so a transient failure is tried again."""
        return self._call(endpoint, secret_name, query or {}, None, is_read=True)

    def ask(
        self, endpoint: str, body: Mapping[str, Any], secret_name: SecretName = APP
    ) -> dict[str, Any]:
        """POST a question: harmless to repeat."""
        return self._call(endpoint, secret_name, {}, body, is_read=True)

    def act(
        self, endpoint: str, body: Mapping[str, Any], secret_name: SecretName = APP
    ) -> dict[str, Any]:
        """POST an act: repeated only when WeCom certainly did not do it.

        Raises:
            WeComError: ``Transient.maybe_executed`` says that we cannot tell.
        """
        return self._call(endpoint, secret_name, {}, body, is_read=False)

    def renew_token(self, secret_name: SecretName) -> None:
        """Ask for a token with the secret itself, also while the shared one lives (path 91039).

        Raises:
            OperatorNeeded: the corporation's id or the secret is wrong, or the app disabled.
        """
        token = self._tokens.get(secret_name)
        self._refresh(secret_name, token.value if token else None)

    def _call(
        self,
        endpoint: str,
        secret_name: SecretName,
        query: Mapping[str, Any],
        body: Mapping[str, Any] | None,
        *,
        is_read: bool,
    ) -> dict[str, Any]:
        # The welcome's caller owns its 20 seconds and repeats by itself.
        tries = 1 if endpoint == WELCOME else TRIES
        for attempt in range(1, tries + 1):
            try:
                return self._once(endpoint, secret_name, query, body, is_read=is_read)
            except Transient as error:
                if attempt == tries or (error.maybe_executed and not is_read):
                    raise
                time.sleep(0.1 * attempt * (1 + random()))  # noqa: S311 - jitter, not a secret
        raise AssertionError("unreachable")

    def _once(
        self,
        endpoint: str,
        secret_name: SecretName,
        query: Mapping[str, Any],
        body: Mapping[str, Any] | None,
        *,
        is_read: bool,
    ) -> dict[str, Any]:
        self._refuse_if_paused(secret_name, endpoint)
        budget = self._budgets.of(endpoint)
        # Others may have met trouble while this call waited for its turn.
        with budget.spend(), self._unless_paused(secret_name, endpoint):
            token = self._token(secret_name)
            answer = self._send(endpoint, secret_name, token, query, body, is_read=is_read)
            # The first replacement may be another process's, and ended meanwhile as well.
            for _ in range(RENEWALS):
                if answer["errcode"] not in TOKEN_CODES:
                    break
                token = self._refresh(secret_name, token.value)
                answer = self._send(endpoint, secret_name, token, query, body, is_read=is_read)
            if answer["errcode"] != 0:
                raise classify(endpoint, answer["errcode"], str(answer.get("errmsg", "")))
        budget.succeed()
        return answer

    def _send(
        self,
        endpoint: str,
        secret_name: SecretName,
        token: Token,
        query: Mapping[str, Any],
        body: Mapping[str, Any] | None,
        *,
        is_read: bool,
    ) -> dict[str, Any]:
        timeout = self._welcome_timeout if endpoint == WELCOME else self._timeout
        parameters = {"access_token": token.value, **query}
        return self._exchange(
            endpoint, secret_name, parameters, body, timeout=timeout, is_read=is_read
        )

    def _exchange(
        self,
        endpoint: str,
        secret_name: SecretName,
        parameters: Mapping[str, Any],
        body: Mapping[str, Any] | None,
        *,
        timeout: float,
        is_read: bool,
    ) -> dict[str, Any]:
        """Send one request and read one answer; every failure becomes a Transient.

        Nothing of requests' own errors is passed on: their text holds the address, and with it
        the token.
        """
        began = time.monotonic()
        answer: dict[str, Any] = {"errcode": None}
        trouble: Transient | None = None
        try:
            answer = self._request(endpoint, parameters, body, timeout)
        except (requests.ConnectionError, requests.Timeout) as error:
            never_sent = isinstance(error, requests.ConnectTimeout) or _is_refused(error)
            trouble = Transient(
                endpoint,
                None,
                f"network: {type(error).__name__}",
                maybe_executed=not never_sent and not is_read,
            )
        except (requests.RequestException, HTTPError, ValueError, RecursionError) as error:
            trouble = Transient(
                endpoint,
                None,
                f"unreadable answer: {type(error).__name__}",
                maybe_executed=not is_read,
            )
        finally:
            errcode, seconds = answer["errcode"], time.monotonic() - began
            log.debug("wecom_call", endpoint=endpoint, errcode=errcode, seconds=round(seconds, 3))
            if self._on_call is not None:
                self._on_call(CallRecord(endpoint, secret_name, errcode, seconds))
        if trouble is not None:
            # Out here the library's error is no longer its context.
            raise trouble
        return answer

    def _request(
        self,
        endpoint: str,
        parameters: Mapping[str, Any],
        body: Mapping[str, Any] | None,
        timeout: float,
    ) -> dict[str, Any]:
        # Raw UTF-8: some endpoints refuse \\uXXXX in the request (40033).
        data = None if body is None else json.dumps(body, ensure_ascii=False).encode()
        with self._session.request(
            "GET" if body is None else "POST",
            self._base + endpoint,
            params=dict(parameters),
            data=data,
            headers={"Content-Type": "application/json; charset=utf-8"} if data else None,
            timeout=(min(timeout, 3.05), timeout),
            allow_redirects=False,
            stream=True,
        ) as response:
            if response.status_code != 200:
                raise ValueError("status")
            content = response.raw.read(MAX_ANSWER_BYTES + 1, decode_content=True)
        if len(content) > MAX_ANSWER_BYTES:
            raise ValueError("too large")
        answer = json.loads(content)
        if not isinstance(answer, dict) or type(answer.get("errcode")) is not int:
            raise ValueError("shape")
        if "wrong json format" in str(answer.get("errmsg", "")).lower():
            # The one case in which errcode 0 does not mean that all was understood.
            log.warning("wecom_wrong_json_format", endpoint=endpoint)
        return answer

    @property
    def _session(self) -> requests.Session:
        """A session of this thread, with its connection kept open, and no proxies of netrc."""
        if not hasattr(self._local, "session"):
            session = requests.Session()
            session.trust_env = False
            adapter = HTTPAdapter(pool_connections=2, pool_maxsize=2, max_retries=0)
            session.mount("https://", adapter)
            session.mount("http://", adapter)
            self._local.session = session
        return self._local.session

    def _token(self, secret_name: SecretName) -> Token:
        """Return the secret's token, renewed early if WeCom gives a new one.

        It may give the same one until that ends (path 91039): so one try a minute, and what
        still lives is used meanwhile.
        """
        token = self._tokens.get(secret_name)
        now = clock.now()
        if token is None or token.expires_at <= now:
            return self._refresh(secret_name, token.value if token else None)
        if token.is_fresh(now) or not self._may_renew(secret_name):
            return token
        try:
            return self._refresh(secret_name, token.value)
        except (Transient, Throttled, Paused) as error:
            log.warning("token_not_renewed", secret=secret_name, why=str(error))
            return token

    def _may_renew(self, secret_name: SecretName) -> bool:
        with self._lock:
            tried_at = self._renewal_tried_at.get(secret_name, float("-inf"))
            due = time.monotonic() - tried_at >= RENEWAL_SECONDS
            if due:
                self._renewal_tried_at[secret_name] = time.monotonic()
        return due

    def _refresh(self, secret_name: SecretName, stale: str | None) -> Token:
        return self._tokens.refresh(secret_name, stale, lambda: self._fetch_token(secret_name))

    def _fetch_token(self, secret_name: SecretName) -> Token:
        """Ask for a new token (path 91039)."""
        secret = self._secrets.get(secret_name)
        if not secret:
            raise OperatorNeeded(
                GETTOKEN, None, "no secret", what_to_do=f"请设置 {VARIABLES[secret_name]}"
            )
        parameters = {"corpid": self._corp_id, "corpsecret": secret}
        with self._unless_paused(secret_name, GETTOKEN):
            answer = self._exchange(
                GETTOKEN,
                secret_name,
                parameters,
                None,
                timeout=GETTOKEN_TIMEOUT_SECONDS,
                is_read=True,
            )
            if answer["errcode"] != 0:
                raise classify(GETTOKEN, answer["errcode"], str(answer.get("errmsg", "")))
        value, seconds = answer.get("access_token"), answer.get("expires_in")
        if not isinstance(value, str) or not value or type(seconds) is not int:
            raise Transient(GETTOKEN, None, "no token in the answer")
        return Token(value, clock.now() + timedelta(seconds=seconds))

    def _known_pause(self, secret_name: SecretName, endpoint: str) -> Pause | None:
        """Return the pause that the store knows; it is asked once a second at most."""
        place = (secret_name, endpoint)
        asked_at, pause = self._pause_cache.get(place, (float("-inf"), None))
        if time.monotonic() - asked_at > PAUSE_CACHE_SECONDS:
            pause = self._pauses.get(secret_name, endpoint)
            self._pause_cache[place] = (time.monotonic(), pause)
        return pause

    def _refuse_if_paused(self, secret_name: SecretName, endpoint: str) -> Pause | None:
        """Raise Paused while a pause holds; return one whose time is over, if there is one."""
        pause = self._known_pause(secret_name, endpoint)
        if pause is not None and pause.until > clock.now():
            raise Paused(endpoint, pause.until, pause.reason, pause.errcode)
        return pause

    @contextmanager
    def _unless_paused(self, secret_name: SecretName, endpoint: str) -> Iterator[None]:
        """Let the call of the block be made unless a pause holds, and learn from how it ends.

        Of those who come when a pause's time is over, one calls; the others wait for how that
        went. Trouble begins or lengthens the pause, any other answer ends it.

        Raises:
            Paused: the call must not be made.
        """
        probe = self._refuse_if_paused(secret_name, endpoint)
        if probe is not None:
            self._pause_cache.pop((secret_name, endpoint), None)
            now = clock.now()
            if not self._pauses.probe(probe, now + PROBE):
                raise Paused(endpoint, now + PROBE_LOOK, probe.reason, probe.errcode)
        try:
            yield
        except WeComError as error:
            # What is refused may be another endpoint: no token, no call.
            if error.endpoint == endpoint:
                self._learn(secret_name, endpoint, error, probe)
            raise
        self._works(secret_name, endpoint, probe)

    def _learn(
        self, secret_name: SecretName, endpoint: str, error: WeComError, probe: Pause | None
    ) -> None:
        """Begin the pause that a failure asks for, if it does."""
        if isinstance(error, Paused):
            return
        if isinstance(error, Throttled):
            if error.errcode == 45033:
                self._budgets.of(endpoint).halve()
            length = timedelta(seconds=error.wait_seconds)
        elif isinstance(error, OperatorNeeded):
            wrong_secret = endpoint == GETTOKEN and error.errcode in WRONG_SECRET
            length = WRONG_SECRET_PAUSE if wrong_secret else OPERATOR_PAUSE
        elif isinstance(error, Transient) and error.errcode in OUTAGE_CODES:
            self._count_failure(secret_name, endpoint, error, probe)
            return
        else:
            self._works(secret_name, endpoint, probe)
            return
        self._pause(secret_name, endpoint, length, error.errmsg or "refused", error.errcode)

    def _count_failure(
        self, secret_name: SecretName, endpoint: str, error: WeComError, probe: Pause | None
    ) -> None:
        """After three failures in a row everybody waits, after each that follows longer."""
        place = (secret_name, endpoint)
        with self._lock:
            in_a_row = self._failures[place] = self._failures.get(place, 0) + 1
        if probe is None and in_a_row < FAILURES_BEFORE_PAUSE:
            return
        known = self._pauses.get(secret_name, endpoint)
        if known is not None and known.until > clock.now():
            # Calls that were under way when the trouble began say nothing new.
            return
        before = known.failures if known is not None else 0
        seconds = min(OUTAGE_PAUSE_SECONDS * 2 ** min(before, 5), LONGEST_OUTAGE_PAUSE_SECONDS)
        reason = "network errors" if error.errcode is None else "system busy"
        self._pause(secret_name, endpoint, timedelta(seconds=seconds), reason, error.errcode)

    def _works(self, secret_name: SecretName, endpoint: str, probe: Pause | None) -> None:
        """WeCom answers this endpoint: what paused it is over."""
        with self._lock:
            self._failures.pop((secret_name, endpoint), None)
        if probe is not None:
            self._pauses.clear(probe.secret_name, probe.endpoint)
            self._pause_cache.pop((secret_name, endpoint), None)
            log.info("wecom_pause_over", endpoint=endpoint, secret=secret_name)

    def _pause(
        self,
        secret_name: SecretName,
        endpoint: str,
        length: timedelta,
        reason: str,
        errcode: int | None,
    ) -> None:
        self._pauses.set(Pause(secret_name, endpoint, clock.now() + length, reason, errcode))
        self._pause_cache.pop((secret_name, endpoint), None)
        log.warning("wecom_paused", endpoint=endpoint, secret=secret_name, errcode=errcode)


def _is_refused(error: requests.RequestException) -> bool:
    """Whether the connection was never made, so that nothing can have been executed."""
    cause = error.args[0] if error.args else None
    return isinstance(getattr(cause, "reason", cause), NewConnectionError)
