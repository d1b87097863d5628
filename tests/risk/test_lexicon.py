"""What the words of the shipped pack say of messages, and what no writer gains by disguises."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.risk import classify
from bot.risk.lexicon import Lexicon
from bot.risk.normalise import is_han
from bot.risk.packs import Pack

SIGNS = ("\u200b", "\u2060", " ", "*", "·", "-", "_", "~", "|", "❤", "😀", "\u3000", "\u0336")
NEGATIONS = ("我们不", "我们不承诺", "我们从不", "公司禁止", "谁也不能", "没有", "请勿相信")


def score(lexicon: Lexicon, text: str, sender: str = "staff") -> int:
    return classify.verdict(lexicon.find(text, sender).hits, lexicon.pack).score


def labels(lexicon: Lexicon, text: str, sender: str = "staff") -> tuple[str, ...]:
    return classify.verdict(lexicon.find(text, sender).hits, lexicon.pack).labels


@pytest.mark.parametrize(
    "text",
    [
        "这款保*本*保*息",
        "这款 保 本 保 息",
        "这款保\u200b本",
        "这款宝本的",
        "这款baoben",
        "这款 b-a-o b-e-n 的",
        "這款保本",
        "这款亻呆本",
        "这款保ben",
        "这款保😀本",
        "这款保̶本̶",
        "这款\n保\n本\n",
    ],
)
def test_a_disguised_promise_is_found_and_weighs_no_less(lexicon: Lexicon, text: str) -> None:
    assert "guaranteed_return" in labels(lexicon, text)
    assert score(lexicon, text) >= score(lexicon, "这款保本")


@pytest.mark.parametrize(
    ("text", "sender"),
    [
        ("我们不承诺保本", "staff"),
        ("这个产品保本吗？", "customer"),
        ("凡是听到“保本高息”这类话术请挂断", "staff"),
        ("这下惹了大麻烦", "customer"),
        ("募集资金已经到位", "staff"),
        ("反洗钱培训周五上午", "staff"),
        ("卫星互联网板块今天走强", "staff"),
        ("担保本金的是抵押物", "staff"),
        ("退回扣款记录请查收", "staff"),
        ("快递代签收就行", "customer"),
        ("", "staff"),
    ],
)
def test_harmless_messages_have_no_label(lexicon: Lexicon, text: str, sender: str) -> None:
    assert labels(lexicon, text, sender) == ()


def test_who_says_it_decides(lexicon: Lexicon) -> None:
    assert labels(lexicon, "我要投诉你们", "customer") == ("customer_complaint",)
    assert labels(lexicon, "我要投诉你们", "staff") == ()


def hit_sentences(pack: Pack) -> list[tuple[str, str]]:
    return [(one.text, one.sender) for rule in pack.rules for one in rule.hits]


@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_signs_between_characters_never_lower_a_score(
    pack: Pack, lexicon: Lexicon, data: st.DataObject
) -> None:
    text, sender = data.draw(st.sampled_from(hit_sentences(pack)))
    places = [at for at in range(1, len(text)) if is_han(text[at - 1]) and is_han(text[at])]
    chosen = data.draw(st.sets(st.sampled_from(places))) if places else set()
    signs = st.text(st.sampled_from(SIGNS), min_size=1, max_size=3)
    made = "".join(
        (data.draw(signs) if at in chosen else "") + char for at, char in enumerate(text)
    )

    assert score(lexicon, made, sender) >= score(lexicon, text, sender)


def test_a_negation_before_it_never_raises_a_score(pack: Pack, lexicon: Lexicon) -> None:
    raised = [
        negation + text
        for text, sender in hit_sentences(pack)
        for negation in NEGATIONS
        if score(lexicon, negation + text, sender) > score(lexicon, text, sender)
    ]

    assert raised == []


@settings(max_examples=200, deadline=None)
@given(
    text=st.text(
        st.one_of(
            st.characters(codec="utf-8"),
            st.sampled_from("保本息稳赚微信转账不亏亻呆車專bao ben*·“”。，\n\u200b🧧＋Ｖ1３.5％"),
        ),
        max_size=40,
    )
)
def test_normal_twice_is_normal_once_and_each_character_knows_its_place(
    pack: Pack, lexicon: Lexicon, text: str
) -> None:
    normal = pack.normaliser.normal(text)

    assert pack.normaliser.normal(normal.text).text == normal.text
    for at in range(len(normal.text)):
        start, end = normal.original(at, at + 1)
        assert 0 <= start < end <= len(text)
    for hit in lexicon.find(text, "staff").hits:
        assert 0 <= hit.start < hit.end <= len(text)


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_a_span_is_where_the_words_stand_in_the_original(
    pack: Pack, lexicon: Lexicon, data: st.DataObject
) -> None:
    before, after = data.draw(st.sampled_from(["", "您好。", "😀❤。", "ＡＢ；"])), "。回见！"
    word = data.draw(st.sampled_from(["保本", "保*本", "保\u200b本", "bao本", "宝 本", "ＢＡＯ本"]))

    [hit] = [
        one
        for one in lexicon.find(f"{before}这款{word}{after}", "staff").hits
        if one.rule == "guaranteed_return.01"
    ]

    assert f"{before}这款{word}{after}"[hit.start : hit.end] == word
