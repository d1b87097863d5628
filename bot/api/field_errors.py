"""What may be wrong with a field of a request, in Chinese: pydantic itself speaks English alone."""

from collections.abc import Mapping
from typing import Any

from pydantic_core import ErrorDetails, PydanticCustomError

# By pydantic's own names of what is wrong (docs.pydantic.dev/latest/errors/validation_errors).
_CHINESE = {
    "missing": "缺少此项",
    "extra_forbidden": "没有此项",
    "string_type": "须为字符串",
    "string_too_short": "至少 {min_length} 个字符",
    "string_too_long": "至多 {max_length} 个字符",
    "string_unicode": "含有不允许的字符",
    "string_pattern_mismatch": "含有不允许的字符",
    "list_type": "须为列表",
    "too_short": "至少 {min_length} 项",
    "too_long": "至多 {max_length} 项",
    "int_type": "须为整数",
    "int_parsing": "须为整数",
    "int_from_float": "须为整数",
    "int_parsing_size": "数字过大",
    "greater_than_equal": "不得小于 {ge}",
    "less_than_equal": "不得大于 {le}",
    "bool_type": "须为 true 或 false",
    "literal_error": "须为 {expected}",
    "date_from_datetime_parsing": "没有这一天",
}
# What our own models find: the English with which they raise it, and the Chinese.
_OURS = {
    "day": ("a day is written YYYY-MM-DD", "日期须写作 YYYY-MM-DD"),
    "null": ("leave it out instead of null", "不需要时请省略，不要写 null"),
    "one_way": (
        "exactly one of takeover_userid and by_rule is needed",
        "takeover_userid 与 by_rule 须且只须给出一项",
    ),
}
NO_OBJECT = ("须为 JSON 对象", "a JSON object is needed")


def fault(kind: str) -> PydanticCustomError:
    """Return what a model raises when it finds one of our own faults."""
    return PydanticCustomError(kind, "{text}", {"text": _OURS[kind][0]})


def texts(found: ErrorDetails) -> tuple[str, str]:
    """Say what pydantic found, in Chinese and in English; what has no Chinese keeps its English."""
    english = found["msg"]
    if found["type"] in _OURS:
        return _OURS[found["type"]][1], english
    named: Mapping[str, Any] = found.get("ctx") or {}
    chinese = _CHINESE.get(found["type"])
    if chinese is None:
        return english, english
    values = {name: str(value).replace(" or ", " 或 ") for name, value in named.items()}
    return chinese.format_map(values), english
