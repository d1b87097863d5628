"""One call to WeCom: token, pause, budget, request, answer, and what to do with an error."""

import hashlib
import json
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from random import random
from typing import Any, Literal

import requests
import structlog
from requests.adapters import HTTPAdapter
from urllib3.exceptions import HTTPError, NewConnectionError

from bot import clock
from bot.reason import Reason
from bot.wecom import answers
from bot.wecom.budgets import WELCOME, Budgets
from bot.wecom.errors import (
    GETTOKEN,
    NAME_NOBODY,
    SET_VARIABLE,
    TOKEN_CODES,
    OperatorNeeded,
    Transient,
    Unreadable,
    WeComError,
    classify,
)
from bot.wecom.pauses import PauseStore
from bot.wecom.pausing import Pausing
from bot.wecom.tokens import Token, TokenStore

log = structlog.get_logger(__name__)

SecretName = Literal["app", "contacts", "archive"]
APP: SecretName = "app"
VARIABLES: Mapping[SecretName, str] = {
    "app": "KEGUI_APP_SECRET",
    "contacts": "KEGUI_CONTACTS_SECRET",
    "archive": "KEGUI_ARCHIVE_SECRET",
}
RENEWAL_SECONDS = 60
RENEWALS = 2
GETTOKEN_TIMEOUT_SECONDS = 5.0
MAX_ANSWER_BYTES = 16 * 1024 * 1024
TRIES = 3


@dataclass(frozen=True)
class CallRecord:
    """One call as metrics see it; ``is_mended``: characters of the answer had to be replaced."""

    endpoint: str
    secret_name: str
    errcode: int | None
    seconds: float
    is_mended: bool = False


@dataclass(frozen=True)
class _Call:
    """One thing wanted of WeCom: a GET, or with a ``body`` a POST; ``is_read``: repeat at will."""

    endpoint: str
    secret_name: SecretName
    # Token, secret and texts are no part of what may be printed.
    query: Mapping[str, Any] = field(repr=False)
    body: Mapping[str, Any] | None = field(repr=False)
    is_read: bool

    @property
    def record(self) -> str | None:
        """What tells this call's member, customer or message from others; None: it names nobody."""
        if self.endpoint in NAME_NOBODY:
            return None
        named = json.dumps([self.query, self.body], sort_keys=True, default=str)
        return hashlib.sha256(named.encode("utf-8", "surrogatepass")).hexdigest()


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
        self._budgets = budgets
        self._pausing = Pausing(pauses, budgets)
        self._timeout = timeout_seconds
        self._welcome_timeout = welcome_timeout_seconds
        self._on_call = on_call
        self._local = threading.local()
        self._lock = threading.Lock()
        self._renewal_tried_at: dict[str, float] = {}

    def read(
        self,
        endpoint: str,
        query: Mapping[str, Any] | None = None,
        secret_name: SecretName = APP,
    ) -> dict[str, Any]:
        """GET an endpoint; harmless to repeat, so a transient failure is tried again."""
        return self._call(_Call(endpoint, secret_name, query or {}, None, is_read=True))

    def ask(
        self, endpoint: str, body: Mapping[str, Any], secret_name: SecretName = APP
    ) -> dict[str, Any]:
        """POST a question: harmless to repeat."""
        return self._call(_Call(endpoint, secret_name, {}, body, is_read=True))

    def act(
        self, endpoint: str, body: Mapping[str, Any], secret_name: SecretName = APP
    ) -> dict[str, Any]:
        """POST an act: repeated only when WeCom certainly did not do it.

        Raises:
            WeComError: ``Transient.maybe_executed`` says that we cannot tell.
        """
        return self._call(_Call(endpoint, secret_name, {}, body, is_read=False))

    def redeem(
        self, endpoint: str, query: Mapping[str, Any], secret_name: SecretName = APP
    ) -> dict[str, Any]:
        """GET an endpoint that uses up what is asked with: repeated like an act.

        Raises:
            WeComError: ``Transient.maybe_executed`` says that it may be used up.
        """
        return self._call(_Call(endpoint, secret_name, query, None, is_read=False))

    def renew_token(self, secret_name: SecretName) -> None:
        """Ask for a token with the secret itself, also while the shared one lives (path 91039).

        Raises:
            OperatorNeeded: the corporation's id or the secret is wrong, or the app disabled.
        """
        token = self._tokens.get(secret_name)
        self._refresh(secret_name, token.value if token else None)

    def _call(self, call: _Call) -> dict[str, Any]:
        # The welcome's caller owns its 20 seconds and repeats by itself.
        tries = 1 if call.endpoint == WELCOME else TRIES
        for attempt in range(1, tries + 1):
            try:
                return self._once(call)
            except Transient as error:
                if attempt == tries or (error.maybe_executed and not call.is_read):
                    raise
                time.sleep(0.1 * attempt * (1 + random()))  # noqa: S311 - jitter, not a secret
        raise AssertionError("unreachable")

    def _once(self, call: _Call) -> dict[str, Any]:
        endpoint, secret_name = call.endpoint, call.secret_name
        self._pausing.refuse_if_paused(secret_name, endpoint)
        budget = self._budgets.of(endpoint)
        # Others may have met trouble while this call waited for its turn.
        with budget.spend(), self._pausing.unless_paused(secret_name, endpoint, call.record):
            token = self._token(secret_name)
            answer = self._send(call, token)
            # The first replacement may be another process's, and ended meanwhile as well.
            for _ in range(RENEWALS):
                if answer["errcode"] not in TOKEN_CODES:
                    break
                token = self._refresh(secret_name, token.value)
                answer = self._send(call, token)
            # What is used up is a secret, and WeCom's words might repeat it.
            hidden = () if call.is_read else tuple(map(str, call.query.values()))
            _raise_refusal(endpoint, answer, hidden)
        budget.succeed()
        return answer

    def _send(self, call: _Call, token: Token) -> dict[str, Any]:
        timeout = self._welcome_timeout if call.endpoint == WELCOME else self._timeout
        query = {"access_token": token.value, **call.query}
        return self._exchange(replace(call, query=query), timeout)

    def _exchange(self, call: _Call, timeout: float) -> dict[str, Any]:
        """Send one request and read one answer; every failure becomes a Transient.

        Nothing of requests' own errors is passed on: their text holds the address, and with it
        the token.
        """
        endpoint = call.endpoint
        began = time.monotonic()
        answer: dict[str, Any] = {"errcode": None}
        is_mended = False
        trouble: Transient | None = None
        try:
            answer, is_mended = self._request(call, timeout)
        except (requests.ConnectionError, requests.Timeout) as error:
            never_sent = isinstance(error, requests.ConnectTimeout) or _is_refused(error)
            trouble = Transient(
                endpoint,
                None,
                f"network: {type(error).__name__}",
                maybe_executed=not never_sent and not call.is_read,
            )
        except (requests.RequestException, HTTPError) as error:
            trouble = Transient(
                endpoint,
                None,
                f"broken answer: {type(error).__name__}",
                maybe_executed=not call.is_read,
            )
        except (ValueError, RecursionError) as error:
            trouble = Unreadable(
                endpoint,
                None,
                f"unreadable answer: {type(error).__name__}",
                maybe_executed=not call.is_read,
            )
        finally:
            errcode, seconds = answer["errcode"], time.monotonic() - began
            log.debug("wecom_call", endpoint=endpoint, errcode=errcode, seconds=round(seconds, 3))
            if is_mended:
                log.warning("wecom_answer_mended", endpoint=endpoint)
            if self._on_call is not None:
                self._on_call(CallRecord(endpoint, call.secret_name, errcode, seconds, is_mended))
        if trouble is not None:
            # Out here the library's error is no longer its context.
            raise trouble
        return answer

    def _request(self, call: _Call, timeout: float) -> tuple[dict[str, Any], bool]:
        # Raw UTF-8: some endpoints refuse \\uXXXX in the request (40033).
        body = call.body
        data = None if body is None else json.dumps(body, ensure_ascii=False).encode()
        with self._session.request(
            "GET" if body is None else "POST",
            self._base + call.endpoint,
            params=dict(call.query),
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
        answer, is_mended = answers.parse(content)
        if not isinstance(answer, dict) or type(answer.get("errcode")) is not int:
            raise ValueError("shape")
        if "wrong json format" in str(answer.get("errmsg", "")).lower():
            # The one case in which errcode 0 does not mean that all was understood.
            log.warning("wecom_wrong_json_format", endpoint=call.endpoint)
        return answer, is_mended

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
        except WeComError as error:
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
                GETTOKEN,
                None,
                "no secret",
                what_to_do=Reason(SET_VARIABLE, {"variable": VARIABLES[secret_name]}),
            )
        query = {"corpid": self._corp_id, "corpsecret": secret}
        with self._pausing.unless_paused(secret_name, GETTOKEN):
            answer = self._exchange(
                _Call(GETTOKEN, secret_name, query, None, is_read=True), GETTOKEN_TIMEOUT_SECONDS
            )
            _raise_refusal(GETTOKEN, answer)
        value, seconds = answer.get("access_token"), answer.get("expires_in")
        if not isinstance(value, str) or not value or type(seconds) is not int:
            raise Transient(GETTOKEN, None, "no token in the answer")
        return Token(value, clock.now() + timedelta(seconds=seconds))


def _raise_refusal(endpoint: str, answer: Mapping[str, Any], hidden: Iterable[str] = ()) -> None:
    if answer["errcode"] == 0:
        return
    words = str(answer.get("errmsg", ""))
    for secret in filter(None, hidden):
        words = words.replace(secret, "…")
    raise classify(endpoint, answer["errcode"], words)


def _is_refused(error: requests.RequestException) -> bool:
    """Whether the connection was never made, so that nothing can have been executed."""
    cause = error.args[0] if error.args else None
    return isinstance(getattr(cause, "reason", cause), NewConnectionError)
