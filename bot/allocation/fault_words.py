"""What is wrong with a rule set, as people read it: in Chinese and in English."""

from collections.abc import Mapping
from typing import NamedTuple

from bot.allocation.rule_files import Fault


class Texts(NamedTuple):
    chinese: str
    english: str


FAULTS: Mapping[str, Texts] = {
    "not_toml": Texts("不是有效的 TOML（{said}）", "no TOML: {said}"),
    "too_long": Texts("超过 {most} 字节", "longer than {most} bytes"),
    "no_version": Texts(
        "version 须为 1 至 {most} 字的文本", "version must be a text of 1 to {most} characters"
    ),
    "no_rules": Texts("须有 1 至 200 条 [[rule]]", "1 to 200 [[rule]] are needed"),
    "unknown_key": Texts("没有“{key}”这个键", "there is no key {key!r}"),
    "bad_text": Texts("“{rule}”的 {key} 须为文本", "{rule!r}: {key} must be a text"),
    "bad_texts": Texts("“{rule}”的 {key} 须为文本列表", "{rule!r}: {key} must be a list of texts"),
    "bad_numbers": Texts(
        "“{rule}”的 {key} 须为正整数列表", "{rule!r}: {key} must be a list of numbers above 0"
    ),
    "bad_flag": Texts(
        "“{rule}”的 {key} 须为 true 或 false", "{rule!r}: {key} must be true or false"
    ),
    "bad_weights": Texts(
        "“{rule}”的 {key} 须为“成员 = 0 至 1000 的数”",
        "{rule!r}: {key} must give numbers from 0 to 1000",
    ),
    "no_name": Texts("第 {rule} 条规则没有 name", "rule {rule} has no name"),
    "name_twice": Texts(
        "规则名“{rule}”已在第 {first} 行用过", "{rule!r} stands on line {first} too"
    ),
    "unknown_strategy": Texts(
        "“{rule}”没有“{value}”这种分配方式", "{rule!r}: there is no strategy {value!r}"
    ),
    "unknown_hours": Texts(
        "“{rule}”的 hours 须为 work、off 或 any，而不是“{value}”",
        "{rule!r}: hours is work, off or any, not {value!r}",
    ),
    "unknown_type": Texts(
        "“{rule}”的客户类型须为 wechat 或 wecom，而不是“{value}”",
        "{rule!r}: a type is wechat or wecom, not {value!r}",
    ),
    "empty_list": Texts(
        "“{rule}”的 {key} 是空的，没有客户或成员符合；不限请删去这个键",
        "{rule!r}: an empty {key} fits nobody; leave the key out for everybody",
    ),
    "weights_unused": Texts(
        "“{rule}”写了权重，但分配方式是 {strategy}",
        "{rule!r}: weights mean nothing to the strategy {strategy!r}",
    ),
    "weights_zero": Texts(
        "“{rule}”的权重全为 0，没有人可分", "{rule!r}: with weights of 0 alone nobody is drawn"
    ),
    "weight_of_nobody": Texts(
        "“{rule}”的权重写了“{name}”，但规则不包括它",
        "{rule!r}: a weight of {name!r}, whom the rule does not name",
    ),
    "no_departments": Texts(
        "“{rule}”先选部门，但没有写 departments", "{rule!r}: by_department needs departments"
    ),
    "unknown_product": Texts(
        "“{rule}”的产品“{value}”不在 config/products.toml 中，也没有写 licences",
        "{rule!r}: the product {value!r} is not in config/products.toml, and no licences are named",
    ),
    "unknown_rule": Texts(
        "“{rule}”的 otherwise 指向不存在的规则“{value}”",
        "{rule!r}: otherwise names {value!r}, which is no rule",
    ),
    "never_reached": Texts(
        "“{rule}”永远轮不到：其客户都先由“{before}”决定",
        "{rule!r} is never reached: {before!r} decides of all its customers before",
    ),
    "loop": Texts("otherwise 绕成了圈：{loop}", "otherwise goes round in a circle: {loop}"),
    "unknown_member": Texts(
        "“{rule}”：没有成员“{userid}”", "{rule!r}: there is no member {userid!r}"
    ),
    "member_left": Texts(
        "“{rule}”：成员“{userid}”已离职或已停用", "{rule!r}: the member {userid!r} has left"
    ),
    "unknown_department": Texts("“{rule}”：没有部门 {id}", "{rule!r}: there is no department {id}"),
    "nobody_allowed": Texts(
        "“{rule}”不包括任何在职成员，无法满足", "{rule!r} cannot be satisfied: it is about nobody"
    ),
    "nobody_licensed": Texts(
        "“{rule}”无法满足：范围内没有成员登记过资质 {licences}",
        "{rule!r} cannot be satisfied: nobody whom it is about has a licence {licences}",
    ),
    "calendar": Texts(
        "“{rule}”按工作时间，但 config/work_calendar.toml 有误：{said}",
        "{rule!r} goes by working time, and config/work_calendar.toml is wrong: {said}",
    ),
}


def texts_of(fault: Fault) -> Texts:
    """Return what a fault says; one without words is shown by its code."""
    known = FAULTS.get(fault.code)
    if known is None:
        return Texts(fault.code, fault.code)
    facts = {name: _written(value) for name, value in fault.facts.items()}
    return Texts(known.chinese.format(**facts), known.english.format(**facts))


def _written(value: object) -> object:
    return " → ".join(map(str, value)) if isinstance(value, list) else value
