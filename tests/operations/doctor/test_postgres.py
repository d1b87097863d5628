"""What the doctor sees of a PostgreSQL server: role, connections, clock."""

from collections.abc import Iterator
from urllib.parse import urlsplit

import psycopg
import pytest

from bot.operations.doctor.storage import judge_clock, judge_connections
from tests.operations.doctor.conftest import Patient

pytestmark = pytest.mark.postgres
ROLE = "kegui_doctor_test"


@pytest.fixture
def application_url(postgres_url: str) -> Iterator[str]:
    """The URL of a role that may read and write and owns nothing."""
    with psycopg.connect(postgres_url, autocommit=True) as server:
        server.execute(f"CREATE ROLE {ROLE} LOGIN".encode())
        server.execute(f"GRANT ALL ON ALL TABLES IN SCHEMA public TO {ROLE}".encode())
        server.execute(f"GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO {ROLE}".encode())
        # As the migration does with whoever had these rights when it ran.
        revoked = "REVOKE UPDATE, DELETE, TRUNCATE ON audit_entry, audit_seal, audit_anchor"
        server.execute(f"{revoked} FROM {ROLE}".encode())
        yield postgres_url.replace(urlsplit(postgres_url).netloc, f"{ROLE}@127.0.0.1:5432")
        server.execute(f"DROP OWNED BY {ROLE}".encode())
        server.execute(f"DROP ROLE {ROLE}".encode())


def test_an_application_that_owns_its_tables_is_warned_of(
    patient: Patient, postgres_url: str
) -> None:
    report = patient.examine(KEGUI_DATABASE_URL=postgres_url)

    assert report.warnings == {"database role": "role_owns_tables"}
    assert "KEGUI_DATABASE_OWNER_URL" in report.row("database role")["what_to_do"]
    assert (report.failed, report.exit_code) == ({}, 0)


def test_a_role_that_owns_nothing_is_green(patient: Patient, application_url: str) -> None:
    report = patient.examine(KEGUI_DATABASE_URL=application_url)

    assert (report.failed, report.warnings) == ({}, {})


def test_a_role_that_lacks_a_right_is_told_which(
    patient: Patient, postgres_url: str, application_url: str
) -> None:
    with psycopg.connect(postgres_url, autocommit=True) as server:
        server.execute(f"REVOKE INSERT ON customer, staff FROM {ROLE}".encode())

    report = patient.examine(KEGUI_DATABASE_URL=application_url)

    assert report.failed == {"database role": "role_lacks_rights"}
    assert report.row("database role")["facts"] == {"count": 2}
    assert "GRANT" in report.row("database role")["what_to_do"]
    assert report.row("migrations")["status"] == "not checked"


def test_a_role_that_may_change_the_audit_log_is_warned_of(
    patient: Patient, postgres_url: str, application_url: str
) -> None:
    with psycopg.connect(postgres_url, autocommit=True) as server:
        server.execute(f"GRANT DELETE ON audit_seal TO {ROLE}".encode())

    report = patient.examine(KEGUI_DATABASE_URL=application_url)

    assert report.warnings == {"database role": "role_may_change_audit"}
    assert "REVOKE" in report.row("database role")["what_to_do"]


def test_a_role_that_could_become_the_owner_is_warned_of(
    patient: Patient, postgres_url: str, application_url: str
) -> None:
    with psycopg.connect(postgres_url, autocommit=True) as server:
        server.execute(f"GRANT CREATE ON SCHEMA public TO {ROLE}".encode())
    may = patient.examine(KEGUI_DATABASE_URL=application_url)
    with psycopg.connect(application_url, autocommit=True) as server:
        server.execute(
            "CREATE FUNCTION of_the_application() RETURNS int LANGUAGE sql AS 'SELECT 1'"
        )
    has = patient.examine(KEGUI_DATABASE_URL=application_url)

    assert may.warnings == {"database role": "role_may_create"}
    assert "kegui migrate" in may.row("database role")["what_to_do"]
    assert has.warnings == {"database role": "role_left_objects"}
    assert has.row("database role")["facts"] == {"count": 1}


def test_a_role_that_may_make_schemas_is_warned_of(
    patient: Patient, postgres_url: str, application_url: str
) -> None:
    name = urlsplit(postgres_url).path.strip("/")
    with psycopg.connect(postgres_url, autocommit=True) as server:
        server.execute(f"GRANT CREATE ON DATABASE {name} TO {ROLE}".encode())

    report = patient.examine(KEGUI_DATABASE_URL=application_url)

    assert report.warnings == {"database role": "role_may_create"}


def test_a_database_that_cannot_hold_every_name(patient: Patient, ascii_url: str) -> None:
    report = patient.examine(KEGUI_DATABASE_URL=ascii_url)

    assert report.failed == {"database": "wrong_encoding"}
    assert "UTF8" in report.row("database")["what_to_do"]


def test_more_processes_than_the_server_has_connections_for(
    patient: Patient, postgres_url: str
) -> None:
    report = patient.examine("--worker-processes", "500", KEGUI_DATABASE_URL=postgres_url)

    assert report.failed == {"connections": "few_connections"}
    assert "max_connections" in report.row("connections")["what_to_do"]


@pytest.mark.parametrize(("needed", "status"), [(97, "ok"), (98, "failed")])
def test_every_pool_may_be_full_at_once(needed: int, status: str) -> None:
    assert judge_connections(97, needed).status == status


@pytest.mark.parametrize(
    ("offset", "status"), [(0, "ok"), (-2, "ok"), (5, "warning"), (-11, "failed"), (3600, "failed")]
)
def test_a_clock_is_judged_by_its_distance(offset: float, status: str) -> None:
    assert judge_clock("database clock", "the database", offset).status == status
