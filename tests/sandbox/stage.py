"""A corporation to play with: short ways to the control API and to the API itself."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

CORP_ID = "ww5823bf96d3bd56c7"
SECRETS = {"app": "app-secret", "contacts": "contacts-secret", "archive": "archive-secret"}
AGENT_ID = 1000014
APPS: list[dict[str, Any]] = [
    {"kind": "app", "secret": SECRETS["app"], "agent_id": AGENT_ID},
    {"kind": "contacts", "secret": SECRETS["contacts"]},
    {"kind": "archive", "secret": SECRETS["archive"]},
]
STAFF = [{"userid": "zhangsan"}, {"userid": "lisi"}, {"userid": "wangwu"}]
CHEN, ZHAO = "wm_chen", "wm_zhao"
DAY = 86_400
REDIRECT = "http://kegui.test:8000/login/back"


def code_in(answer: TestResponse) -> str:
    """Return the code with which a login page sends the browser on."""
    assert answer.status_code == 302, answer.get_data(as_text=True)
    return dict(parse_qsl(urlsplit(answer.headers["Location"]).query))["code"]


def _given(query: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in query.items() if value is not None}


class Stage:
    """The sandbox seen through a test client."""

    def __init__(self, app: Flask) -> None:
        self.client: FlaskClient = app.test_client()
        self._tokens: dict[str, str] = {}

    def reset(self, callbacks: Mapping[str, Any] | None = None, **switches: Any) -> None:
        """Begin anew with three members in service."""
        self._tokens.clear()
        row = {"corp_id": CORP_ID, "apps": APPS, "callbacks": callbacks or {}}
        self.control("reset", **row, switches=switches)
        self.control("departments", id=2, name="理财一部")
        self.control("staff", staff=STAFF)

    def control(self, path: str, method: str = "POST", /, **body: Any) -> dict[str, Any]:
        answer = self.client.open(f"/sandbox/{path}", method=method, json=body)
        assert answer.status_code == 200, answer.get_data(as_text=True)
        return dict(answer.get_json())

    def look(self, path: str, **query: Any) -> Any:
        answer = self.client.get(f"/sandbox/{path}", query_string=query).get_json()
        return answer.get(path, answer)

    def turn(self, **switches: Any) -> None:
        self.control("switches", "PATCH", **switches)

    def token(self, kind: str = "app") -> str:
        if kind not in self._tokens:
            query = {"corpid": CORP_ID, "corpsecret": SECRETS[kind]}
            answer = self.client.get("/cgi-bin/gettoken", query_string=query).get_json()
            self._tokens[kind] = answer["access_token"]
        return self._tokens[kind]

    def get(self, path: str, kind: str = "app", /, **query: Any) -> dict[str, Any]:
        query = {"access_token": self.token(kind), **query}
        return dict(self.client.get(f"/cgi-bin/{path}", query_string=query).get_json())

    def post(self, path: str, kind: str = "app", /, **body: Any) -> dict[str, Any]:
        raw = self.client.application.json.dumps(body, ensure_ascii=False)
        return self.post_raw(path, raw, kind)

    def post_raw(self, path: str, raw: str | bytes, kind: str = "app") -> dict[str, Any]:
        query = {"access_token": self.token(kind)}
        answer = self.client.post(f"/cgi-bin/{path}", query_string=query, data=raw)
        return dict(answer.get_json())

    def add(self, userid: str = "zhangsan", external_userid: str = CHEN, **more: Any) -> str:
        """Let a customer add a member; return the welcome code."""
        row = {"userid": userid, "external_userid": external_userid, **more}
        return str(self.control("customers", **row)["welcome_code"])

    def act(self, external_userid: str, act: str, **body: Any) -> dict[str, Any]:
        return self.control(f"customers/{external_userid}/{act}", **body)

    def open_oauth(self, **more: Any) -> TestResponse:
        """Open the login page inside the client; ``more`` are parameters, None: left out."""
        query = {
            "appid": CORP_ID,
            "redirect_uri": REDIRECT,
            "response_type": "code",
            "scope": "snsapi_base",
            "state": "s1",
            "agentid": AGENT_ID,
            **more,
        }
        return self.client.get("/connect/oauth2/authorize", query_string=_given(query))

    def open_qr(self, **more: Any) -> TestResponse:
        """Open the login page with the QR code."""
        query = {
            "login_type": "CorpApp",
            "appid": CORP_ID,
            "agentid": AGENT_ID,
            "redirect_uri": REDIRECT,
            "state": "s1",
            **more,
        }
        return self.client.get("/wwlogin/sso/login", query_string=_given(query))

    def login(self, **more: Any) -> str:
        """Let somebody open the page inside the client; return the code."""
        return code_in(self.open_oauth(**more))

    def advance(self, seconds: float) -> None:
        self.control("clock", advance_seconds=seconds)
        self._tokens.clear()

    def welcome(self, code: str, content: str = "您好", **more: Any) -> int:
        path = "externalcontact/send_welcome_msg"
        answer = self.post(path, welcome_code=code, text={"content": content}, **more)
        return int(answer["errcode"])

    def transfer(
        self,
        external_userid: str = CHEN,
        handover: str = "zhangsan",
        takeover: str = "lisi",
        resigned: bool = False,
    ) -> int:
        """Begin one transfer; return its code, of the call or of the customer."""
        path = "resigned/transfer_customer" if resigned else "transfer_customer"
        answer = self.post(
            f"externalcontact/{path}",
            handover_userid=handover,
            takeover_userid=takeover,
            external_userid=[external_userid],
        )
        return int(answer["errcode"] or answer["customer"][0]["errcode"])

    def events(self) -> list[tuple[str, str]]:
        """Return (what, about whom) for each event."""
        return [
            (row["change_type"] or row["event"], row["fields"].get("UserID", ""))
            for row in self.look("events")
        ]
