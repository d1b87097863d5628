"""The tables that compliance signs off, held against what WeCom takes before anybody is told."""

import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from string import Formatter
from typing import Any

from bot.allocation import work_calendar
from bot.allocation.fault_words import texts_of
from bot.allocation.rule_files import products_from, read
from bot.wecom.customers import WELCOME_BYTES
from bot.wecom.messages import TEXT_BYTES
from config import table, text

NOTICES, ALLOCATION = "notices", "allocation"
PRODUCTS, CALENDAR = "products", "work_calendar"
VERSION_CHARACTERS = 32
ROW_NAME_CHARACTERS, BUTTON_CHARACTERS = 5, 10
# What is filled into each app message.
FIELDS: Mapping[str, frozenset[str]] = {
    "digest.text": frozenset({"customers", "wording"}),
    "conflict.owner": frozenset({"customer", "owner", "contender"}),
    "conflict.contender": frozenset({"customer", "owner", "contender"}),
    "conflict.manager": frozenset({"customer", "owner", "contender"}),
    "conflict.resolved": frozenset({"customer", "owner"}),
    "alarm.text": frozenset({"text", "what_to_do"}),
    "approval.few": frozenset({"most"}),
    "approval.many": frozenset({"most"}),
}
CARD_TEXTS = (
    "title",
    "nobody",
    *(
        f"outcome.{name}"
        for name in (
            "approved",
            "no_right",
            "own_proposal",
            "decided",
            "cancelled",
            "changed",
            "too_many",
        )
    ),
)
ROW_NAMES = ("leaver", "last_day", "customers", "groups", "successors")
BUTTONS = ("approve", "look", "look_and_approve")
NUMBERS = (
    "gap_after_seconds",
    "awaiting_consent_hours",
    "digest_every_seconds",
    "adds_without_code",
)


@dataclass(frozen=True)
class Misfit:
    """What WeCom would refuse, or nobody could send: where it stands, and what is wrong with it in
    Chinese and in English."""

    place: str
    chinese: str
    english: str

    def __str__(self) -> str:
        return f"{self.place}: {self.english}"


def misfits() -> list[Misfit]:
    """Look at all tables."""
    return [
        replace(found, place=f"config/{name}.toml {found.place}".rstrip())
        for name in (NOTICES, ALLOCATION, PRODUCTS, CALENDAR)
        for found in _of(name)
    ]


def _of(name: str) -> list[Misfit]:
    try:
        found = table(name)
    except FileNotFoundError:
        return [Misfit("", "文件不存在", "is not there")]
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        return [Misfit("", f"不是有效的 TOML（{error}）", f"no TOML ({error})")]
    return list(_READERS[name](found))


def _notices(notices: Mapping[str, Any]) -> Iterator[Misfit]:
    for section in ("consent", "digest", "conflict", "alarm", "approval"):
        yield from _version(notices, f"{section}.version")
    yield from _text(notices, "consent.text", WELCOME_BYTES)
    yield from _text(notices, "digest.wording", TEXT_BYTES)
    for place, fields in FIELDS.items():
        yield from _template(notices, place, fields)
    for name in CARD_TEXTS:
        yield from _text(notices, f"approval.{name}", TEXT_BYTES)
    for names, most in ((ROW_NAMES, ROW_NAME_CHARACTERS), (BUTTONS, BUTTON_CHARACTERS)):
        for name in names:
            text = _at(notices, f"approval.{name}")
            yield from _text(notices, f"approval.{name}", TEXT_BYTES)
            if isinstance(text, str) and len(text) > most:
                chinese = f"{len(text)} 字，最多 {most} 字"
                english = f"{len(text)} characters, at most {most}"
                yield Misfit(_shown(f"approval.{name}"), chinese, english)
    for name in NUMBERS:
        value = _at(notices, f"digest.{name}")
        if type(value) is not int or value < 1:
            yield Misfit(_shown(f"digest.{name}"), "须为正整数", "no number above 0")


def _allocation(_found: Mapping[str, Any]) -> Iterator[Misfit]:
    try:
        products = products_from(table(PRODUCTS))
    except (KeyError, TypeError, OSError, tomllib.TOMLDecodeError):
        # It is told of in its own place.
        products = {}
    for fault in read(text(ALLOCATION), products)[1]:
        chinese, english = texts_of(fault)
        yield Misfit(f"line {fault.line}", chinese, english)


def _products(found: Mapping[str, Any]) -> Iterator[Misfit]:
    yield from _version(found, "version")
    try:
        products_from(found)
    except (KeyError, TypeError) as error:
        yield Misfit("[product]", f"产品无法读取（{error}）", f"no product ({error})")


def _calendar(found: Mapping[str, Any]) -> Iterator[Misfit]:
    yield from _version(found, "version")
    for place, said in work_calendar.faults(found):
        yield Misfit(f"[{place}]" if place else "", f"日历有误（{said}）", said)


def _version(notices: Mapping[str, Any], place: str) -> Iterator[Misfit]:
    version = _at(notices, place)
    if not isinstance(version, str) or not 1 <= len(version) <= VERSION_CHARACTERS:
        most = VERSION_CHARACTERS
        english = f"a text of 1 to {most} characters is needed"
        yield Misfit(_shown(place), f"须为 1 至 {most} 字的文本", english)


def _text(notices: Mapping[str, Any], place: str, most: int) -> Iterator[Misfit]:
    text = _at(notices, place)
    if not isinstance(text, str) or not text.strip():
        yield Misfit(_shown(place), "缺少文本", "a text is needed")
    elif (size := len(text.encode())) > most:
        yield _too_long(_shown(place), size, most)


def _template(notices: Mapping[str, Any], place: str, fields: frozenset[str]) -> Iterator[Misfit]:
    found = list(_text(notices, place, TEXT_BYTES))
    yield from found
    text = _at(notices, place)
    if found or not isinstance(text, str):
        return
    try:
        named = {name for _, name, _, _ in Formatter().parse(text) if name is not None}
    except ValueError as error:
        yield Misfit(_shown(place), f"花括号有误（{error}）", f"braces: {error}")
        return
    if unknown := sorted(named - fields):
        names = ", ".join(f"{{{name}}}" for name in unknown)
        english = f"nothing is known to stand for {names}"
        yield Misfit(_shown(place), f"没有可填入 {names} 的内容", english)
    if place == "digest.text":
        yield from _digest(notices, text)


def _digest(notices: Mapping[str, Any], text: str) -> Iterator[Misfit]:
    """The wording comes last in the message: what is too much would be cut off there."""
    wording = _at(notices, "digest.wording")
    if isinstance(wording, str):
        size = len(text.encode()) + len(wording.encode())
        if size > TEXT_BYTES:
            yield _too_long("[digest] text + wording", size, TEXT_BYTES)


def _too_long(place: str, size: int, most: int) -> Misfit:
    chinese = f"{size} 字节，企业微信最多 {most} 字节"
    return Misfit(place, chinese, f"{size} bytes, WeCom takes {most}")


def _at(notices: Mapping[str, Any], place: str) -> Any:
    value: Any = notices
    for name in place.split("."):
        value = value.get(name) if isinstance(value, Mapping) else None
    return value


def _shown(place: str) -> str:
    section, _, name = place.rpartition(".")
    return f"[{section}] {name}" if section else name


_READERS = {
    NOTICES: _notices,
    ALLOCATION: _allocation,
    PRODUCTS: _products,
    CALENDAR: _calendar,
}
