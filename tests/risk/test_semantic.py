"""The shipped model: what no word says, what a disguise changes, and what it costs to judge."""

from pathlib import Path

import pytest

from bot.risk import learn, measure, semantic
from bot.risk.classify import MODEL, Classifier
from bot.risk.corpora import Line
from bot.risk.lexicon import Lexicon
from bot.risk.packs import Pack
from config import RISK


@pytest.fixture(scope="module")
def judge(pack: Pack) -> Classifier:
    return Classifier(pack, "all", semantic.load(RISK / MODEL, sorted(pack.categories)))


def test_meaning_finds_what_no_word_says(judge: Classifier) -> None:
    text = "赚了您给我包个大的，亏了我一分不少赔您"

    found = judge.judge(text, "staff")

    assert found.labels
    assert any(hit.rule.startswith("semantic.") for hit in found.hits)
    assert all(0 <= hit.start < hit.end <= len(text) for hit in found.hits)


def test_a_disguise_changes_nothing_for_the_model(judge: Classifier) -> None:
    plain = judge.judge("账户密码给我我来替您操作", "staff")
    hidden = judge.judge("账户 密*码给我我\u200b来替您操 作", "staff")

    assert hidden.score >= plain.score
    assert set(hidden.labels) == set(plain.labels)


def test_the_words_keep_what_they_found(judge: Classifier, lexicon: Lexicon, pack: Pack) -> None:
    for rule in pack.rules[::7]:
        for one in rule.hits:
            by_words = {hit.rule for hit in lexicon.find(one.text, one.sender).hits}
            assert by_words <= {hit.rule for hit in judge.judge(one.text, one.sender).hits}


def test_training_learns_and_forgets_nothing_by_saving(
    pack: Pack, lexicon: Lexicon, tmp_path: Path
) -> None:
    lines = [Line(f"明天见{number}号", "customer", (), True) for number in range(40)]
    lines += [Line(f"首佣返您{number}成", "staff", ("rebate",), False) for number in range(40)]
    seen = measure.look(pack, lexicon, lines)
    model = learn.train(
        [one.features for one in seen], [one.line.labels for one in seen], sorted(pack.categories)
    )
    path = tmp_path / "model.npz"
    model.save(path)

    again = semantic.load(path, sorted(pack.categories))

    likely = [semantic.any_of(again.probabilities(one.features)) for one in seen]
    assert max(likely[:40]) < 0.5 < min(likely[40:])


def test_a_file_that_is_no_model_is_refused(pack: Pack, tmp_path: Path) -> None:
    path = tmp_path / "model.npz"
    path.write_bytes(b"no model")

    with pytest.raises(semantic.BadModel):
        semantic.load(path, sorted(pack.categories))
