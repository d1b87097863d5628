"""`kegui keys`: another master key while everybody works, and one clear line where it is wrong."""

import base64
import os
from datetime import timedelta
from typing import Any

import pyotp
import pytest

from bot import clock, db, events
from bot.audit.log import AuditLog, Who
from bot.identity import second_factors
from bot.inbox import inbox
from bot.inbox.inbox import open_event
from bot.models import AccessToken, AuditEntry, DataKey, InboxEvent, SecondFactor
from bot.models.data_key import ACCESS_TOKEN
from bot.operations import data_keys
from bot.vault import Vault, VaultError
from bot.wecom.stores import DatabaseTokenStore
from tests.test_cli import (
    Kegui,
    assert_one_clear_line,
    environment,
    kegui,
    network,
)

__all__ = ["environment", "kegui", "network"]
OLD = base64.urlsafe_b64encode(bytes(32)).decode()
BY = Who("cli:test")


def new_key() -> str:
    return base64.urlsafe_b64encode(os.urandom(32)).decode()


def vault(key: str = OLD) -> Vault:
    return Vault(key, read=DataKey.all_wrapped)


def event(name: str, under: Vault) -> InboxEvent:
    plaintext = f"<xml><Event>{name}</Event><CreateTime>1</CreateTime></xml>".encode()
    sent = events.parse(plaintext)
    number = inbox.put("customer", sent, plaintext, vault=under, now=clock.now())
    row: InboxEvent = InboxEvent.get_by_id(number)
    return row


def fill(under: Vault) -> dict[str, Any]:
    """What is sealed in a house, and an entry of the log; returns what must come out again."""
    with db.connection():
        row = event("before", under)
        secret = second_factors.prepare("anna", under)
        sealed = under.seal(ACCESS_TOKEN, "app", b"token of WeCom")
        later = clock.now() + timedelta(hours=1)
        AccessToken.create(secret_name="app", sealed=sealed, expires_at=later)
        with db.transaction():
            AuditLog(under).record(BY, "test.fill", "test")
    return {"event": row.id, "secret": secret}


def assert_all_is_there(under: Vault, filled: dict[str, Any]) -> None:
    with db.connection():
        row = InboxEvent.get_by_id(filled["event"])
        assert open_event(row, under).event == "before"
        assert second_factors.pending_secret("anna", under) == filled["secret"]
        token = DatabaseTokenStore(under).get("app")
        assert token is not None
        assert token.value == "token of WeCom"
        assert AuditLog(under).wrote_last_entry()


def heads() -> set[bytes]:
    """How what is sealed begins."""
    with db.connection():
        events = {bytes(row.payload)[:3] for row in InboxEvent.select()}
        return events | {bytes(row.secret)[:3] for row in SecondFactor.select()}


def test_what_was_sealed_before_the_first_word_about_keys_opens(kegui: Kegui) -> None:
    filled = fill(Vault(OLD))

    assert kegui("migrate").exit_code == 0

    assert_all_is_there(vault(), filled)
    assert heads() == {b"\x02\x00\x01"}


class House:
    """What a process holds, for the clock's job: only its vault."""

    def __init__(self) -> None:
        self.vault = vault()


def strike() -> None:
    data_keys.go_on(House())  # type: ignore[arg-type]


def test_the_clock_seals_anew_what_a_key_sealed_that_is_not_the_newest(
    kegui: Kegui,
) -> None:
    assert kegui("migrate").exit_code == 0
    with db.connection():
        data_keys.add(OLD, vault(), BY)
    filled = fill(vault())
    with db.connection():
        data_keys.add(OLD, vault(), BY)
        # Other processes may not know of the newest key yet.
        strike()
        assert heads() == {b"\x02\x00\x02"}

        DataKey.update(created_at=clock.now() - timedelta(minutes=11)).execute()
        strike()

        assert [row.id for row in DataKey.select().order_by(DataKey.id)] == [1, 3]
    assert heads() == {b"\x02\x00\x03"}
    assert_all_is_there(vault(), filled)


def test_a_secret_that_was_copied_to_another_person_opens_nothing(kegui: Kegui) -> None:
    assert kegui("migrate").exit_code == 0
    with db.connection():
        secret = second_factors.prepare("anna", vault())
        second_factors.prepare("bert", vault())
        stolen = SecondFactor.get_by_id("anna").secret
        is_bert = SecondFactor.actor == "bert"
        # As if somebody had written its MAC too.
        SecondFactor.change(is_bert, secret=stolen, confirmed_at=clock.now())

        with pytest.raises(VaultError):
            second_factors.proves("bert", pyotp.TOTP(secret).now(), vault())


def test_another_master_key_takes_over_while_everybody_works(kegui: Kegui) -> None:
    assert kegui("migrate").exit_code == 0
    filled, new = fill(vault()), new_key()
    both = {"KEGUI_DATA_KEY": new, "KEGUI_DATA_KEY_PREVIOUS": OLD}
    running = Vault(new, OLD, DataKey.all_wrapped)
    assert_all_is_there(running, filled)

    rotated = kegui("keys", "rotate", **both)

    assert rotated.exit_code == 0, rotated.output
    assert "KEGUI_DATA_KEY_PREVIOUS is not needed any longer" in rotated.output
    assert_all_is_there(running, filled)
    assert_all_is_there(vault(new), filled)
    assert heads() == {b"\x02\x00\x02"}
    assert_one_clear_line(kegui("keys", "list"), "KEGUI_DATA_KEY")
    shown = kegui("keys", "list", KEGUI_DATA_KEY=new)
    assert "2  since" in shown.output
    assert "seals" in shown.output
    verified = kegui("audit", "verify", KEGUI_DATA_KEY=new)
    assert verified.exit_code == 0, verified.output


def test_a_rotation_that_was_broken_off_is_begun_again(kegui: Kegui) -> None:
    assert kegui("migrate").exit_code == 0
    filled, new = fill(vault()), new_key()
    running = Vault(new, OLD, DataKey.all_wrapped)
    with db.connection():
        data_keys.rewrap(new, running, BY)
        data_keys.add(new, running, BY)

    assert kegui("keys", "rotate", KEGUI_DATA_KEY=new).exit_code == 0
    assert_all_is_there(vault(new), filled)
    assert heads() == {b"\x02\x00\x02"}


def test_a_key_that_is_not_needed_is_forgotten_and_the_first_one_never(kegui: Kegui) -> None:
    assert kegui("migrate").exit_code == 0
    filled = fill(vault())
    for _ in range(2):
        assert kegui("keys", "rotate").exit_code == 0

    with db.connection():
        assert [row.id for row in DataKey.select().order_by(DataKey.id)] == [1, 3]
        acts = [row.act for row in AuditEntry.select().order_by(AuditEntry.id)]
    assert [act for act in acts if act.startswith("keys.")][-2:] == ["keys.add", "keys.retire"]
    assert_all_is_there(vault(), filled)


@pytest.mark.parametrize(
    "arguments",
    [
        ("migrate",),
        ("keys", "list"),
        ("keys", "rotate"),
        ("audit", "verify"),
        ("token", "create", "--name", "x", "--scope", "read"),
        ("user", "grant", "anna", "auditor"),
        ("sync",),
    ],
)
def test_a_wrong_key_is_one_clear_line(kegui: Kegui, arguments: tuple[str, ...]) -> None:
    assert kegui("migrate").exit_code == 0

    refused = kegui(*arguments, KEGUI_DATA_KEY=new_key())

    assert refused.exit_code == 1
    assert "KEGUI_DATA_KEY is not the key of this database" in refused.stderr
    assert "Traceback" not in refused.stderr


def test_a_house_from_before_is_not_begun_under_another_key(kegui: Kegui) -> None:
    fill(Vault(OLD))

    assert_one_clear_line(kegui("migrate", KEGUI_DATA_KEY=new_key()), "KEGUI_DATA_KEY")
    assert kegui("migrate").exit_code == 0


def test_who_removes_the_keys_does_not_have_the_master_key_believed_alone(kegui: Kegui) -> None:
    assert kegui("migrate").exit_code == 0
    with db.connection():
        DataKey.delete().execute()

    assert_one_clear_line(kegui("keys", "list"), "gone", "backup")


def test_a_token_of_wecom_that_does_not_open_is_as_none(kegui: Kegui) -> None:
    assert kegui("migrate").exit_code == 0
    with db.connection():
        sealed = vault().seal(ACCESS_TOKEN, "contacts", b"of another secret")
        AccessToken.create(secret_name="app", sealed=sealed, expires_at=clock.now())

        assert DatabaseTokenStore(vault()).get("app") is None
