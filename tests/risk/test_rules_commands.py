"""`kegui rules classify` and `kegui rules test`, as outside checks run them."""

import json
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from bot.cli import main
from config import RISK

PROMISE = {"id": "a", "text": "这款😀保*本，放心", "sender": "staff"}


def run(*args: str, given: str | None = None) -> Result:
    return CliRunner().invoke(main, ["rules", *args], input=given)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return Path(shutil.copytree(RISK, tmp_path / "risk"))


@pytest.mark.parametrize("layer", ["lexicon", "semantic", "all"])
def test_each_message_is_judged_in_order(layer: str) -> None:
    messages = [PROMISE, {"id": 7, "text": "明天见", "sender": "customer", "note": "x"}]
    given = "\n".join(json.dumps(one, ensure_ascii=False) for one in messages) + "\n\n"

    result = run("classify", "-", "--layer", layer, given=given)

    assert result.exit_code == 0, result.output
    first, second = map(json.loads, result.stdout.splitlines())
    assert (first["id"], first["labels"]) == ("a", ["guaranteed_return"])
    assert 30 <= first["score"] <= 100
    assert all(
        set(hit) == {"rule", "category", "start", "end"} and hit["end"] <= len(PROMISE["text"])
        for hit in first["hits"]
    )
    assert second == {"id": 7, "labels": [], "score": 0, "hits": []}


def test_the_words_are_highlighted_where_they_stand() -> None:
    result = run("classify", "-", "--layer", "lexicon", given=json.dumps(PROMISE))

    [hit] = json.loads(result.stdout)["hits"]
    assert PROMISE["text"][hit["start"] : hit["end"]] == "保*本"


def test_a_bad_line_is_told_with_its_number_and_the_others_are_judged() -> None:
    bad = [
        "保本",
        "[]",
        '{"text": "x", "sender": "staff"}',
        '{"id": 1, "sender": "staff"}',
        '{"id": 1, "text": "x", "sender": "boss"}',
    ]

    result = run(
        "classify", "-", "--layer", "lexicon", given="\n".join([*bad, json.dumps(PROMISE)])
    )

    assert result.exit_code == 2
    lines = result.stderr.splitlines()
    assert [line.split(":")[1] for line in lines] == ["1", "2", "3", "4", "5"]
    assert "保本" not in result.stderr
    assert json.loads(result.stdout)["id"] == "a"


def test_a_wrong_pack_is_told_by_file_and_line(folder: Path) -> None:
    path = folder / "rebate.yaml"
    path.write_text(path.read_text(encoding="utf-8").replace("level: high", "level: huge", 1))

    for command in (["test"], ["classify", "-"]):
        result = run(*command, "--pack", str(folder), given="")

        assert result.exit_code == 2
        assert f"{path}:6: level is one of critical, high" in result.stderr


def test_a_wrong_line_of_a_corpus_is_told_by_file_and_line(folder: Path) -> None:
    path = folder / "corpora" / "corpus_dev.jsonl"
    path.write_text('{"id": 1, "text": "x", "sender": "staff", "labels": ["other"]}\n')

    result = run("test", "--layer", "lexicon", "--pack", str(folder))

    assert result.exit_code == 2
    assert f"{path}:1: labels must be categories of the pack" in result.stderr


def test_the_words_of_the_shipped_pack_reach_its_bars() -> None:
    result = run("test", "--layer", "lexicon")

    assert result.exit_code == 0, result.output
    rows = [line.split() for line in result.stdout.splitlines()]
    assert sum(len(row) == 4 and row[1].isdigit() for row in rows) == 25


def test_below_its_bars_the_command_ends_with_1(folder: Path) -> None:
    path = folder / "pack.yaml"
    text = path.read_text(encoding="utf-8")
    path.write_text(text.replace("lexicon: {precision: 0.", "lexicon: {precision: 0.99", 1))

    result = run("test", "--layer", "lexicon", "--pack", str(folder))

    assert result.exit_code == 1
    assert "below the bar: lexicon: precision" in result.stderr


def test_a_model_of_other_categories_is_refused(folder: Path) -> None:
    (folder / "rebate.yaml").unlink()

    result = run("classify", "-", "--pack", str(folder), given=json.dumps(PROMISE))

    assert result.exit_code == 2
    assert "model.npz:1: the model cannot be used" in result.stderr
