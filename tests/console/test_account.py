"""我的账户: one's own logins."""

import pytest
from flask.testing import FlaskClient

from bot.models import AuditEntry, Login
from tests.console.conftest import log_in, submit


@pytest.mark.usefixtures("database")
def test_all_other_logins_can_be_ended_at_once(client: FlaskClient) -> None:
    other = client.application.test_client()
    log_in(other, "boss")

    submit(client, "/account/logins/end-others")

    assert other.get("/").status_code == 302
    assert client.get("/").status_code == 200
    assert Login.select().where(Login.ended_at.is_null()).count() == 1
    assert AuditEntry.select().where(AuditEntry.act == "login.end").count() == 1
