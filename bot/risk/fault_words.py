"""What is wrong with a rule pack, as people read it: in Chinese and in English."""

from collections.abc import Mapping
from typing import NamedTuple

from bot.risk.located import Fault


class Texts(NamedTuple):
    chinese: str
    english: str


FAULTS: Mapping[str, Texts] = {
    "missing_file": Texts("没有这个文件", "this file is missing"),
    "not_utf8": Texts("不是 UTF-8 编码", "no UTF-8"),
    "empty_file": Texts("文件是空的", "the file is empty"),
    "not_yaml": Texts("不是有效的 YAML（{said}）", "no YAML: {said}"),
    "alias": Texts("不允许 YAML 别名", "YAML aliases are not allowed"),
    "bad_key": Texts("键须为文本", "a key must be a text"),
    "key_twice": Texts("键“{key}”出现了两次", "the key {key!r} stands here twice"),
    "no_mapping": Texts("须为“键: 值”", "a mapping is needed"),
    "too_long": Texts("超过 {most} 字节", "longer than {most} bytes"),
    "unknown_key": Texts("没有“{key}”这个键", "there is no key {key!r}"),
    "bad_mapping": Texts("{key} 须为“键: 值”", "{key} must be a mapping"),
    "bad_text": Texts("{key} 须为文本", "{key} must be a text"),
    "bad_texts": Texts("{key} 须为文本列表", "{key} must be a list of texts"),
    "bad_number": Texts(
        "{key} 须为 {least} 至 {most} 的整数", "{key} must be a number from {least} to {most}"
    ),
    "bad_share": Texts("{key} 须为 0 至 1 的数", "{key} must be a number from 0 to 1"),
    "bad_flag": Texts("{key} 须为 true 或 false", "{key} must be true or false"),
    "bad_choice": Texts(
        "{key} 须为 {known} 之一，而不是“{value}”", "{key} is one of {known}, not {value!r}"
    ),
    "bad_bars": Texts("没有“{layer}”这一层", "there is no layer {layer!r}"),
    "no_level": Texts("缺少级别 {level} 的分值", "the level {level!r} has no score"),
    "no_effect": Texts("语境“{name}”没有 effect", "the guard {name!r} has no effect"),
    "bad_expression": Texts(
        "表达式第 {at} 个字符起不可用（{why}）：{what}", "expression, character {at}: {why} {what}"
    ),
    "not_folded": Texts(
        "“{what}”须写成“{folded}”，否则永远匹配不到",
        "{what!r} is never found: texts are folded, write {folded!r}",
    ),
    "term_too_long": Texts("词超过 {most} 字", "a term is longer than {most} characters"),
    "bad_picture": Texts("“{what}”须为一个字符", "{what!r} must be one character"),
    "bad_syllable": Texts("“{what}”须为小写拼音", "{what!r} must be pinyin in lower case"),
    "no_syllable": Texts("“{word}”中的“{what}”没有拼音", "{what} of {word!r} has no pinyin"),
    "same_word": Texts("写法与“{word}”相同", "this is written as {word!r} itself"),
    "wrong_category": Texts(
        "category 须与文件名 {file} 相同", "category must be the name of the file {file}"
    ),
    "bad_id": Texts(
        "“{id}”须为“{category}.”加编号", "the id {id!r} must be {category!r} and a name"
    ),
    "id_twice": Texts(
        "“{id}”已在 {file} 第 {first} 行用过", "{id!r} stands in {file}, line {first}, too"
    ),
    "unknown_guard": Texts("没有“{guard}”这种语境", "there is no guard {guard!r}"),
    "no_rules": Texts("没有规则", "there are no rules"),
    "no_detection": Texts("“{id}”没有词也没有表达式", "{id!r} has neither terms nor expressions"),
    "no_examples": Texts(
        "“{id}”须有应命中和不应命中的句子", "{id!r} needs sentences that hit and that miss"
    ),
    "example_missed": Texts("“{id}”没有命中这句", "{id!r} does not hit this sentence"),
    "example_hit": Texts("“{id}”不应命中这句", "{id!r} hits this sentence"),
    "bad_model": Texts("模型不可用（{why}）", "the model cannot be used: {why}"),
    "bad_message": Texts("不是一条消息（{why}）", "no message: {why}"),
    "bad_labels": Texts("labels 须为规则包中的类别", "labels must be categories of the pack"),
}


def texts_of(fault: Fault) -> Texts:
    """Return what a fault means; an unknown code is shown as it is."""
    found = FAULTS.get(fault.code)
    if found is None:
        return Texts(fault.code, fault.code)
    return Texts(*(one.format_map(fault.facts) for one in found))
