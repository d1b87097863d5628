"""`kegui rules check`: 0, or 2 and each fault with its line."""

from pathlib import Path

import pytest
from click.testing import CliRunner, Result

import config
from bot import clock, db
from bot.cli import main
from bot.models import Staff


def check(file: Path, url: str) -> Result:
    environment = {"KEGUI_DATABASE_URL": url, "KEGUI_LOG_LEVEL": "ERROR"}
    return CliRunner().invoke(main, ["rules", "check", str(file)], env=environment)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "rules.toml"


def test_rules_that_stand_say_nothing(file: Path, sqlite_url: str) -> None:
    file.write_text(config.text("allocation"), encoding="utf-8")

    result = check(file, sqlite_url)

    assert (result.exit_code, result.output) == (0, "")


def test_each_fault_is_a_line(file: Path, sqlite_url: str) -> None:
    made = db.connect(sqlite_url)
    with db.connection():
        Staff.create(userid="lihua", seen_at=clock.now())
    made.close_all()
    text = 'version = "1"\n[[rule]]\nname = "a"\nuserids = ["lihua", "nobody"]\n'
    file.write_text(text, encoding="utf-8")

    result = check(file, sqlite_url)
    file.write_text(text.replace("userids", "useridz"), encoding="utf-8")
    typo = check(file, sqlite_url)

    assert result.exit_code == typo.exit_code == 2
    assert result.stdout == f"{file}:4: 'a': there is no member 'nobody'\n"
    assert typo.stdout == f"{file}:4: there is no key 'useridz'\n"


def test_without_a_database_the_text_alone_is_checked(file: Path, tmp_path: Path) -> None:
    file.write_text('version = "1"\n[[rule]]\nname = "a"\nuserids = ["x"]\n', encoding="utf-8")

    result = check(file, f"sqlite:///{tmp_path / 'none.db'}")

    assert result.exit_code == 0
    assert result.stdout == ""
    assert "not looked up" in result.stderr
