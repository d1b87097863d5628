"""Every sentence that the code stores for people can be read in both languages."""

import ast
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import bot
from bot.capabilities import WORDS
from bot.console.reasons import PATTERNS, SENTENCES, fitting, reason
from bot.console.troubles import PATTERNS as TROUBLES
from bot.console.troubles import trouble
from bot.handover.rules import Piece, Successor, assign
from bot.models.handover import IN_SERVICE, OFFBOARDING
from bot.staff.names import Names
from bot.sync.findings import WHAT_TO_DO
from bot.wecom import errors

ROOT = Path(bot.__file__).parent
NAMES = Names(staff={"lihua": "李华"})
# What stands in the place of a value: it can be a number as well as a userid.
VALUE = "7"
KINDS = (OFFBOARDING, IN_SERVICE)
CAPABILITIES = (
    *("allocation", "backup", "channels", "consent", "customers", "handover", "identity"),
    *("inbox", "staff", "sync"),
)

# What these say stands in the log or the terminal, and is never stored.
ONLY_OPERATORS_READ = ("web_server.py", "backup.py", "dumps.py")


def trees(*folders: str) -> Iterator[ast.AST]:
    for folder in folders:
        for path in sorted((ROOT / folder).glob("*.py")):
            if path.name in ONLY_OPERATORS_READ:
                continue
            yield from ast.walk(ast.parse(path.read_text(encoding="utf-8")))


def written(value: ast.AST | None) -> set[str]:
    """The sentences of an expression; nothing for a name or a call."""
    if isinstance(value, ast.Constant):
        return {value.value} if isinstance(value.value, str) and value.value else set()
    if isinstance(value, ast.JoinedStr):
        parts = (next(iter(written(part)), VALUE) for part in value.values)
        return {"".join(parts)}
    if isinstance(value, ast.BoolOp):
        return {text for part in value.values for text in written(part)}
    if isinstance(value, ast.IfExp):
        return written(value.body) | written(value.orelse)
    return set()


def named(node: ast.AST, name: str) -> set[str]:
    """What a node gives to a keyword, a variable or an attribute of this name."""
    if isinstance(node, ast.keyword) and node.arg == name:
        return written(node.value)
    if isinstance(node, ast.Assign) and any(
        getattr(target, "id", getattr(target, "attr", "")) == name for target in node.targets
    ):
        return written(node.value)
    return set()


def called(node: ast.AST, name: str) -> list[ast.expr]:
    if isinstance(node, ast.Call):
        function = getattr(node.func, "id", getattr(node.func, "attr", ""))
        return node.args if function == name else []
    return []


def returned(node: ast.AST, *functions: str) -> set[str]:
    if not isinstance(node, ast.FunctionDef) or node.name not in functions:
        return set()
    returns = (one for one in ast.walk(node) if isinstance(one, ast.Return))
    return {text for one in returns for text in written(one.value)}


def reasons() -> set[str]:
    found: set[str] = set()
    for node in trees(*CAPABILITIES):
        found |= named(node, "reason") | named(node, "why")
        for argument in called(node, "settle_by_handover")[3:4]:
            found |= written(argument)
        found |= returned(node, "_unfit", "_nobody", "exclusion")
        for argument in called(node, "Decision")[1:2]:
            found |= written(argument)
    # A handover names itself by its kind.
    own = {text for text in found if text.startswith(f"{VALUE} {VALUE}")}
    return found - own | {text.replace(VALUE, kind, 1) for text in own for kind in KINDS}


def alarms() -> set[str]:
    found = {one.what_to_do for one in errors.MEANINGS.values()} - {""} | {errors._BANNED}
    for node in trees("", *CAPABILITIES, "jobs", "wecom"):
        found |= named(node, "what_to_do")
        for argument in called(node, "raise_alarm")[2:4]:
            found |= written(argument)
    return found


def hand_work() -> set[str]:
    found: set[str] = set()
    for node in trees(*CAPABILITIES):
        for argument in called(node, "leave_to_a_person")[3:4]:
            found |= written(argument)
    for node in trees(*CAPABILITIES):
        if isinstance(node, ast.FunctionDef) and any(
            called(one, "leave_to_a_person") for one in ast.walk(node)
        ):
            found |= {text for one in ast.walk(node) for text in named(one, "text")}
    return found


def test_every_reason_is_known() -> None:
    found = reasons()

    assert len(found) > 20
    assert [
        text
        for text in sorted(found)
        if text not in SENTENCES and not fitting(PATTERNS, text, NAMES)
    ] == []


def test_every_source_of_a_handover_is_known() -> None:
    relation_sources = set(WORDS["relation_source"])
    found = {text for node in trees("", *CAPABILITIES, "api") for text in named(node, "source")}

    assert {"api", "user_status"} < found
    assert [
        text
        for text in sorted(found - relation_sources - set(WORDS["source"]))
        if not fitting(PATTERNS, text, NAMES)
    ] == []


def test_every_reason_for_a_successor_is_known() -> None:
    near, far = Successor("lihua", (1,), capacity=1), Successor("zhangsan", (2,), capacity=1)

    assigned = assign([Piece(1), Piece(2), Piece(3)], [near, far], {1})

    assert len({one.reason for one in assigned}) == 3
    assert [one.reason for one in assigned if one.reason not in SENTENCES] == []


def advice() -> set[str]:
    return set(WHAT_TO_DO.values())


@pytest.mark.parametrize("found", [alarms, hand_work, advice])
def test_every_trouble_is_known(found: Callable[[], set[str]]) -> None:
    texts = found()

    assert len(texts) > 2
    assert [text for text in sorted(texts) if not fitting(TROUBLES, text, NAMES)] == []


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (
            str(errors.Refused("message/send", 81013, "no, hint: [x]")),
            "message/send（错误码 81013）",
        ),
        (str(errors.Transient("gettoken", None)), "接口 gettoken 没有答复"),
        ("- gettoken: paused: 60020", "接口 gettoken 暂停调用，稍后重试"),
        ("- gettoken: paused", "接口 gettoken 暂停调用，稍后重试"),
        ("busy: app_message", "另一进程正在处理，稍后重试"),
        ("OperationalError", "数据库暂时不可用"),
        ("KeyError", "程序错误 KeyError，详见日志"),
    ],
)
def test_an_error_of_an_event_says_what_it_means(error: str, text: str) -> None:
    assert text in trouble(error, NAMES)


def test_people_are_called_by_their_names() -> None:
    assert reason("the customer refused lihua", NAMES) == "客户拒绝由 李华 接替"
    assert "李华" in trouble("成员 lihua 的账号已不存在，但离职继承 3 尚未审批", NAMES)


def test_a_reason_within_a_reason_is_read_too() -> None:
    sentence = "the added member is not eligible: full"

    assert reason(sentence, NAMES) == "客户添加的成员不符合条件：客户数已满"


def test_what_a_person_wrote_stays_as_it_is() -> None:
    assert reason("客户要求", NAMES) == "客户要求"
    assert trouble("请联系管理员", NAMES) == "请联系管理员"
