"""WeCom's XML as typed events; no I/O."""

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from xml.etree.ElementTree import Element

from bot import safe_xml

# An event's time is WeCom's, and its lists lag behind its events: within this a list proves
# nothing against an event.
SETTLING = timedelta(minutes=10)
MAX_BYTES = 1024 * 1024
MAX_DEPTH = 20
MAX_NODES = 10_000
# What XML 1.0 allows nowhere (its production 2), beside surrogates, which are no characters.
FORBIDDEN = re.compile("[^\\t\\n\\r\\x20-\\ud7ff\\ue000-\\ufffd\\U00010000-\\U0010ffff]")
# In CDATA a reference is a text like any other.
CDATA_OR_REFERENCE = re.compile(
    r"<!\[CDATA\[.*?\]\]>|&#(?:x(?P<hex>[0-9a-fA-F]+)|(?P<decimal>[0-9]+));", re.DOTALL
)
MOST_DIGITS = 7


class MalformedEvent(ValueError):
    """What was decrypted is no event of WeCom's."""


@dataclass(frozen=True)
class Event:
    """One event as WeCom sent it: its kind, and every field of it by WeCom's own names."""

    event: str
    change_type: str
    fields: Mapping[str, Any]
    created_at: datetime
    # Read without characters that XML forbids, and with U+FFFD for bytes that are no UTF-8.
    is_mended: bool = False

    @property
    def userid(self) -> str:
        return self.text("UserID")

    @property
    def external_userid(self) -> str:
        return self.text("ExternalUserID")

    @property
    def new_userid(self) -> str:
        return self.text("NewUserID")

    @property
    def welcome_code(self) -> str:
        return self.text("WelcomeCode")

    @property
    def state(self) -> str:
        return self.text("State")

    @property
    def chat_id(self) -> str:
        return self.text("ChatId")

    @property
    def source(self) -> str:
        return self.text("Source")

    @property
    def from_user(self) -> str:
        return self.text("FromUserName")

    @property
    def event_key(self) -> str:
        return self.text("EventKey")

    @property
    def task_id(self) -> str:
        return self.text("TaskId")

    @property
    def response_code(self) -> str:
        return self.text("ResponseCode")

    def text(self, name: str) -> str:
        """Return the field of this name, "" when there is none."""
        value = self.fields.get(name, "")
        return value if isinstance(value, str) else ""


def parse(plaintext: bytes) -> Event:
    """Read one decrypted event; the third-party envelope (InfoType, TimeStamp) too.

    Names that people type may hold characters that XML forbids. WeCom sends nothing again that
    was refused, so such an event is read without them.

    Raises:
        MalformedEvent: no XML, entities or a DTD in it, too deep, too large, or no event name.
    """
    if len(plaintext) > MAX_BYTES:
        raise MalformedEvent("too large")
    is_mended = False
    try:
        root = _tree(plaintext)
    except MalformedEvent:
        mended = _without_forbidden(plaintext)
        if mended == plaintext:
            raise
        root, is_mended = _tree(mended), True
    _check_size(root)
    fields = _children(root)
    if not isinstance(fields, dict):
        raise MalformedEvent("no fields")
    kind = next(
        (
            value
            for name in ("Event", "InfoType", "MsgType")
            if isinstance(value := fields.get(name), str) and value
        ),
        None,
    )
    if kind is None:
        raise MalformedEvent("no event name")
    change_type = fields.get("ChangeType", "")
    return Event(
        kind,
        change_type if isinstance(change_type, str) else "",
        fields,
        _created_at(fields),
        is_mended,
    )


def _tree(plaintext: bytes) -> Element:
    try:
        return safe_xml.read(plaintext)
    except safe_xml.NotXML:
        raise MalformedEvent("not XML") from None


def _without_forbidden(plaintext: bytes) -> bytes:
    """Take out what XML forbids, as a character and as a reference to one (``&#16;``)."""
    text = FORBIDDEN.sub("", plaintext.decode("utf-8", errors="replace"))
    return CDATA_OR_REFERENCE.sub(_without_bad_reference, text).encode()


def _without_bad_reference(found: re.Match[str]) -> str:
    digits, base = (found["hex"], 16) if found["hex"] else (found["decimal"], 10)
    if digits is None:
        return found[0]
    digits = digits.lstrip("0")
    code = int(digits or "0", base) if len(digits) <= MOST_DIGITS else -1
    is_character = 0 <= code <= 0x10FFFF and not FORBIDDEN.match(chr(code))
    return found[0] if is_character else ""


def _check_size(root: Element) -> None:
    nodes = 0
    level = [root]
    for _ in range(MAX_DEPTH):
        nodes += len(level)
        if nodes > MAX_NODES:
            raise MalformedEvent("too many nodes")
        level = [child for node in level for child in node]
        if not level:
            return
    raise MalformedEvent("too deep")


def _children(node: Element) -> Any:
    """A leaf is its text; other nodes are mappings, repeated names in them lists."""
    if len(node) == 0:
        return (node.text or "").strip()
    fields: dict[str, Any] = {}
    for child in node:
        value = _children(child)
        if child.tag not in fields:
            fields[child.tag] = value
        elif isinstance(fields[child.tag], list):
            fields[child.tag].append(value)
        else:
            fields[child.tag] = [fields[child.tag], value]
    return fields


def _created_at(fields: Mapping[str, Any]) -> datetime:
    seconds = fields.get("CreateTime") or fields.get("TimeStamp") or "0"
    try:
        return datetime.fromtimestamp(int(str(seconds)), UTC)
    except (ValueError, OverflowError, OSError):
        return datetime.fromtimestamp(0, UTC)


def key(source: str, event: Event) -> str:
    """Return what makes two deliveries the same event: a digest over source and fields.

    Customer events share sender and second, and that a repeated delivery is byte for byte the
    same is unconfirmed (path 90238): so all fields count, in whatever order they came.
    """
    canonical = json.dumps([source, event.fields], ensure_ascii=False, sort_keys=True)
    return hashlib.sha256(canonical.encode()).hexdigest()


# By how a name is written without its underscores, and in lower case.
HIDDEN = (
    "welcomecode",
    "responsecode",
    "email",
    "bizmail",
    "address",
    "content",
    # What a firm keeps of its members besides: phones, numbers of identity cards.
    "extattr",
    "externalattr",
)
# Mobile, Telephone, remark_mobiles.
HIDDEN_PARTS = ("mobile", "phone")


def redacted(event: Event) -> dict[str, Any]:
    """Return the fields as people may see them: no live code, no phone, no message,
    nothing that a firm keeps of a member besides."""
    return {name: _hide(name, value) for name, value in event.fields.items()}


def _hide(name: str, value: Any) -> Any:
    plain = name.lower().replace("_", "")
    if value and (plain in HIDDEN or any(part in plain for part in HIDDEN_PARTS)):
        return "***"
    if isinstance(value, dict):
        return {inner: _hide(inner, one) for inner, one in value.items()}
    if isinstance(value, list):
        return [_hide(name, one) for one in value]
    return value
