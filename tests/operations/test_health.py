"""Health: what lives, what is missing by name, and never a value."""

import base64
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from apiflask import APIFlask
from flask.testing import FlaskClient

from bot import db, migrations
from bot.audit.log import Who
from bot.models import DataKey
from bot.operations import data_keys, health
from bot.queue import Queue
from bot.vault import Vault
from config.settings import load

COMPLETE = {
    "KEGUI_CORP_ID": "ww-corp-value",
    "KEGUI_AGENT_ID": "1000014",
    "KEGUI_APP_SECRET": "app-secret-value",
    "KEGUI_CALLBACK_TOKEN": "token-value",
    "KEGUI_CALLBACK_AES_KEY": "A" * 43,
    "KEGUI_DATA_KEY": base64.urlsafe_b64encode(b"d" * 32).decode(),
    "KEGUI_SECRET_KEY": "session-value",
}
UNREACHABLE = "postgresql://somebody:pass-word@127.0.0.1:1/kegui"


def client(environment: dict[str, str], database_url: str, queue_url: str = "") -> FlaskClient:
    db.connect(database_url)
    app = APIFlask("bot.app", docs_path=None, spec_path=None)
    queue = Queue(queue_url or database_url)
    app.register_blueprint(health.blueprint(load(environment), queue))
    return app.test_client()


@pytest.fixture(autouse=True)
def connections_closed() -> Iterator[None]:
    yield
    db.database.close_all()


def test_with_all_in_place_it_is_ready(database_url: str, queue_url: str) -> None:
    answer = client(COMPLETE, database_url, queue_url).get("/readyz")

    assert (answer.status_code, answer.json) == (200, {"status": "ok", "missing": []})


@pytest.mark.parametrize("name", sorted(COMPLETE))
def test_a_missing_setting_is_named(sqlite_url: str, name: str) -> None:
    environment = {key: value for key, value in COMPLETE.items() if key != name}

    answer = client(environment, sqlite_url).get("/readyz")

    assert (answer.status_code, answer.json) == (503, {"status": "not ready", "missing": [name]})


def test_a_database_that_is_away_is_named(sqlite_url: str) -> None:
    answer = client(COMPLETE, UNREACHABLE, sqlite_url).get("/readyz")

    assert (answer.status_code, answer.json) == (
        503,
        {"status": "not ready", "missing": ["database"]},
    )


def test_a_database_with_too_many_callers_is_named(
    sqlite_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(db, "POOL_SIZE", 1)
    monkeypatch.setattr(db, "POOL_WAIT_SECONDS", None)
    ready = client(COMPLETE, sqlite_url)
    with ThreadPoolExecutor(1) as other:
        other.submit(db.database.connect).result()

        answer = ready.get("/readyz")
        other.submit(db.database.close).result()

    assert (answer.status_code, answer.json) == (
        503,
        {"status": "not ready", "missing": ["database"]},
    )


def test_a_database_that_was_not_migrated_is_named(database_url: str, queue_url: str) -> None:
    ready = client(COMPLETE, database_url, queue_url)
    migrations.down()
    try:
        answer = ready.get("/readyz")
    finally:
        migrations.up()

    assert (answer.status_code, answer.json) == (
        503,
        {"status": "not ready", "missing": ["migrations"]},
    )


@pytest.mark.parametrize("queue", ["redis://:pass-word@127.0.0.1:1/0", UNREACHABLE])
def test_a_queue_that_is_away_is_named(sqlite_url: str, queue: str) -> None:
    answer = client(COMPLETE, sqlite_url, queue).get("/readyz")

    assert (answer.status_code, answer.json) == (503, {"status": "not ready", "missing": ["queue"]})


def test_no_value_is_ever_shown(tmp_path: Path) -> None:
    environment = {**COMPLETE, "KEGUI_CORP_ID": ""}
    answer = client(environment, UNREACHABLE, "redis://:pass-word@127.0.0.1:1/0").get("/readyz")

    assert answer.status_code == 503
    for value in (*COMPLETE.values(), "pass-word", "127.0.0.1", "somebody"):
        assert value not in answer.text


def test_the_process_lives_whatever_is_missing() -> None:
    answer = client({}, UNREACHABLE, "redis://127.0.0.1:1/0").get("/healthz")

    assert (answer.status_code, answer.json) == (200, {"status": "ok"})


def test_the_domain_verification_file_is_served_at_the_root(
    sqlite_url: str, tmp_path: Path
) -> None:
    path = tmp_path / "WW_verify_aB3.txt"
    path.write_text("aB3", encoding="utf-8")
    environment = {**COMPLETE, "KEGUI_DOMAIN_VERIFY_FILE": str(path)}

    answer = client(environment, sqlite_url).get("/WW_verify_aB3.txt")

    assert (answer.status_code, answer.text, answer.mimetype) == (200, "aB3", "text/plain")
    answer.close()


def test_without_such_a_file_there_is_nothing_at_the_root(sqlite_url: str) -> None:
    assert client(COMPLETE, sqlite_url).get("/WW_verify_aB3.txt").status_code == 404


def test_the_key_of_another_database_is_named(database_url: str, queue_url: str) -> None:
    client(COMPLETE, database_url, queue_url)
    key = COMPLETE["KEGUI_DATA_KEY"]
    with db.connection():
        data_keys.establish(key, Vault(key, read=DataKey.all_wrapped), Who("test"))
    db.database.close_all()
    other = COMPLETE | {"KEGUI_DATA_KEY": base64.urlsafe_b64encode(b"e" * 32).decode()}

    answer = client(other, database_url, queue_url).get("/readyz")

    assert (answer.status_code, answer.json) == (
        503,
        {"status": "not ready", "missing": ["data key"]},
    )
