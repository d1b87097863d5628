"""A WeCom object that speaks to an address where only the test answers."""

import json
import re
import socket
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import responses

from bot.wecom import Budgets, SecretName, Transport, WeCom
from bot.wecom.pauses import MemoryPauseStore, PauseStore
from bot.wecom.tokens import MemoryTokenStore, TokenStore

API = "https://wecom.test"
CORP_ID = "ww5823bf96d3bd56c7"
AGENT_ID = 1000014
SECRETS: dict[SecretName, str] = {"app": "secret-of-the-app"}
FIXTURES = Path(__file__).parent.parent / "data" / "wecom" / "fixtures"


def speak(
    *,
    api_base: str = API,
    secrets: Mapping[SecretName, str] = SECRETS,
    tokens: TokenStore | None = None,
    pauses: PauseStore | None = None,
    budgets: Budgets | None = None,
    **options: Any,
) -> WeCom:
    transport = Transport(
        corp_id=CORP_ID,
        secrets=secrets,
        api_base=api_base,
        tokens=tokens or MemoryTokenStore(),
        pauses=pauses or MemoryPauseStore(),
        budgets=budgets or Budgets(parallel=100, per_second=10_000),
        **options,
    )
    return WeCom(transport, AGENT_ID)


def sample(name: str) -> dict[str, Any]:
    return dict(json.loads((FIXTURES / "api" / f"{name}.json").read_text(encoding="utf-8")))


def url(endpoint: str) -> re.Pattern[str]:
    return re.compile(rf"{re.escape(API)}/cgi-bin/{re.escape(endpoint)}(\?.*)?$")


def give_token(
    mock: responses.RequestsMock, value: str = "token-1", expires_in: int = 7200
) -> responses.BaseResponse:
    """WeCom gives this token to whoever asks."""
    body = {"errcode": 0, "errmsg": "ok", "access_token": value, "expires_in": expires_in}
    return mock.get(url("gettoken"), json=body)


def answer(
    mock: responses.RequestsMock,
    endpoint: str,
    body: Mapping[str, Any] | None = None,
    *,
    method: str = "POST",
) -> responses.BaseResponse:
    """WeCom answers an endpoint so; without a body: done."""
    return mock.add(method, url(endpoint), json=dict(body or {"errcode": 0, "errmsg": "ok"}))


def refuse(
    mock: responses.RequestsMock, endpoint: str, errcode: int, *, method: str = "POST"
) -> responses.BaseResponse:
    """WeCom answers an endpoint with an error, its usual noise behind the comma."""
    noise = f"refused, hint: [1795397400_28_ab], from ip: 203.0.113.7, more info at e={errcode}"
    return answer(mock, endpoint, {"errcode": errcode, "errmsg": noise}, method=method)


def sent(call: responses.Call) -> Any:
    """The body of a request, read as WeCom would read it."""
    return json.loads(call.request.body or b"null")


def asked(mock: responses.RequestsMock, endpoint: str) -> list[responses.Call]:
    """The calls made to one endpoint."""
    return [call for call in mock.calls if url(endpoint).match(str(call.request.url))]


class Listener:
    """A server that says some bytes to whoever has asked, and hangs up or stays silent."""

    def __init__(self, says: bytes, *, hangs_up: bool) -> None:
        self._says, self._hangs_up = says, hangs_up
        self._socket = socket.create_server(("127.0.0.1", 0))
        self._held: list[socket.socket] = []
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}"
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def _serve(self) -> None:
        while True:
            try:
                client, _ = self._socket.accept()
            except OSError:
                return
            client.recv(65_536)
            client.sendall(self._says)
            if self._hangs_up:
                client.close()
            else:
                self._held.append(client)

    def close(self) -> None:
        self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        self._thread.join()
        for client in self._held:
            client.close()
