"""What a decrypted message says: pure, for every type of path 91774 and for those to come."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

SWITCH, RECALL, SEND = "switch", "recall", "send"
# Where the body's key is not the type itself.
BODY_KEY = {
    "external_redpacket": "redpacket",
    "docmsg": "doc",
    "markdown": "info",
    "news": "info",
    "voiptext": "info",
    "qydiskfile": "info",
    "meeting_notification": "info",
    "solitaire": "info",
    "note": "info",
}
# messages.md 4: what is none of these is kept whole, and searched whole.
TYPES = frozenset(
    [
        *("text", "image", "revoke", "agree", "disagree", "voice", "video", "card", "location"),
        *("emotion", "file", "link", "weapp", "chatrecord", "todo", "vote", "collect"),
        *("redpacket", "external_redpacket", "meeting", "meeting_notification", "docmsg"),
        *("markdown", "news", "calendar", "mixed", "meeting_voice_call", "voip_doc_share"),
        *("sphfeed", "voiptext", "qydiskfile", "solitaire", "note", SWITCH),
    ]
)
ENVELOPE = frozenset(
    {
        "msgid",
        "action",
        "from",
        "tolist",
        "roomid",
        "msgtime",
        "msgtype",
        "time",
        "user",
        "voiceid",
        "voipid",
    }
)
# Fields with words of people, in the order in which they are read.
WORDS = (
    "title",
    "topic",
    "votetitle",
    "content",
    "solitaire_content",
    "description",
    "voteitem",
    "filename",
    "wish",
    "address",
    "displayname",
    "corpname",
    "sph_name",
    "feed_desc",
    "place",
    "remarks",
    "ques",
    "room_name",
    "creator",
    "creatorname",
    "attendeename",
    "url",
    "link_url",
)
PARTS = ("item", "items", "details", "demofiledata")
EXTERNAL, UPDOWN = "_external", "_updown_stream"
# Of a title, a type, an id: what a column takes.
MOST_ID = 128
MOST_TYPE = 64
DEEPEST = 8
SAFE_INTEGER = 2**53
MOST_SEQ = 2**63 - 1
# A type that WeCom's own archive does not know comes as this text (path 91552).
UNKNOWN_TYPE = "【未知消息类型】"
_HALF = re.compile("[\ud800-\udfff]")
_TIME_IN_MSGID = re.compile(r"_(\d{10}|\d{13})(?:_|$)")
# WeCom did not exist before 2016; what lies far ahead is no time either.
_EARLIEST, _LATEST = 1_451_606_400, 4_102_444_800


class NotAMessage(ValueError):
    """What was decrypted is no JSON object."""


@dataclass(frozen=True)
class MediaRef:
    """A file that a message names; ``size`` in bytes, ``kind`` WeCom's type of it."""

    file_id: str
    kind: str
    md5: str = ""
    size: int | None = None
    filename: str = ""
    extension: str = ""


@dataclass(frozen=True)
class Message:
    """A message as WeCom's archive gives it.

    ``sender`` and ``to`` are ids, ``chat_id`` "" in a single chat. ``is_estimated``: WeCom gave no
    time, and ``sent_at`` is that of the msgid or of the pull. ``recalls`` is the msgid of what it
    takes back.
    """

    msgid: str
    action: str
    msgtype: str
    sender: str
    to: tuple[str, ...]
    chat_id: str
    sent_at: datetime
    is_estimated: bool
    text: str
    body: Mapping[str, Any] = field(repr=False)
    media: tuple[MediaRef, ...] = ()
    recalls: str = ""

    @property
    def people(self) -> tuple[str, ...]:
        """Everybody who takes part, the sender first, each once."""
        return tuple(dict.fromkeys(one for one in (self.sender, *self.to) if one))


def parse(plain: bytes, pulled_at: datetime) -> Message:
    """Read a decrypted message; what it holds that we do not know is in ``body`` all the same.

    Args:
        pulled_at: its time where nothing else says one.

    Raises:
        NotAMessage: it is no JSON object.
    """
    try:
        # strict=False: nicknames hold control characters as they are.
        row = json.loads(plain.decode("utf-8", "replace"), strict=False)
    except (ValueError, RecursionError):
        raise NotAMessage from None
    if not isinstance(row, dict):
        raise NotAMessage
    action = _text(row.get("action"))
    msgtype = SWITCH if action == SWITCH else _text(row.get("msgtype"))
    body = body_of(row, msgtype)
    msgid = _text(row.get("msgid"))
    sent_at, is_estimated = _sent_at(row, msgid, pulled_at)
    return Message(
        msgid=msgid,
        action=action or SEND,
        msgtype=msgtype[:MOST_TYPE],
        sender=_text(row.get("from") or row.get("user")),
        to=tuple(_texts(row.get("tolist"))),
        chat_id=_text(row.get("roomid")),
        sent_at=sent_at,
        is_estimated=is_estimated,
        text=_readable("\n".join(_words(body, 0) if msgtype in TYPES else _every_text(body, 0))),
        body=body,
        media=tuple(_media(body, msgtype, 0)),
        recalls=_text(body.get("pre_msgid")) if action == RECALL or msgtype == "revoke" else "",
    )


def body_of(row: Mapping[str, Any], msgtype: str) -> Mapping[str, Any]:
    """Return the type's own part, whole; of a flat or unknown type, all that is no envelope.

    What is JSON in a text (forwarded records, mixed messages, notes) is read.
    """
    if msgtype == SWITCH:
        part: Any = {"time": row.get("time"), "user": row.get("user")}
    else:
        part = row.get(BODY_KEY.get(msgtype, msgtype))
    if not isinstance(part, dict):
        part = {name: value for name, value in row.items() if name not in ENVELOPE}
    outside = {
        name: row[name]
        for name in ("voiceid", "voipid", "time")
        if name in row and name not in part
    }
    return _opened({**part, **outside}, 0)


def _opened(value: Any, depth: int) -> Any:
    if isinstance(value, dict):
        opened = {name: _opened(one, depth + 1) for name, one in value.items()}
        nested = opened.get("content")
        if ("type" in opened or "msg_type" in opened) and isinstance(nested, str):
            opened["content"] = _nested(nested, depth)
        return opened
    if isinstance(value, list):
        return [_opened(one, depth + 1) for one in value]
    return value


def _nested(text: str, depth: int) -> Any:
    if depth > DEEPEST or not text.lstrip().startswith(("{", "[")):
        return text
    try:
        return _opened(json.loads(text, strict=False), depth + 1)
    except (ValueError, RecursionError):
        return text


def as_json(value: Any) -> Any:
    """Return a body as programs in other languages can read it: large numbers as texts, no odd
    characters."""
    if isinstance(value, dict):
        return {_readable(name): as_json(one) for name, one in value.items()}
    if isinstance(value, list):
        return [as_json(one) for one in value]
    if isinstance(value, str):
        return _readable(value)
    if type(value) is int and abs(value) >= SAFE_INTEGER:
        return str(value)
    return value


def _readable(text: str) -> str:
    """Halves of a character have no form in UTF-8; all else stays, also control characters."""
    return _HALF.sub("\ufffd", text)


def _every_text(value: Any, depth: int) -> Iterator[str]:
    """Of a type that nobody knows yet, all that is text can be found."""
    if depth > 2 * DEEPEST:
        return
    if isinstance(value, str):
        if value:
            yield value
    elif isinstance(value, dict | list):
        for one in value.values() if isinstance(value, dict) else value:
            yield from _every_text(one, depth + 1)


def _words(value: Any, depth: int) -> Iterator[str]:
    """Give what people wrote or read in it, also in forwarded and mixed records."""
    if depth > 2 * DEEPEST or not isinstance(value, dict):
        return
    for name in WORDS:
        said = value.get(name)
        if isinstance(said, str):
            if said:
                yield said
        elif isinstance(said, dict):
            yield from _words(said, depth + 1)
        elif isinstance(said, list):
            yield from (one for one in said if isinstance(one, str) and one)
    for name in PARTS:
        parts = value.get(name)
        for part in parts if isinstance(parts, list) else ():
            yield from _words(part, depth + 1)


def _media(value: Any, kind: str, depth: int) -> Iterator[MediaRef]:
    if depth > 2 * DEEPEST or not isinstance(value, dict):
        return
    file_id = _text(value.get("sdkfileid"))
    if file_id:
        size = next(
            (
                size
                for name in ("filesize", "voice_size", "imagesize")
                if type(size := value.get(name)) is int and size >= 0
            ),
            None,
        )
        yield MediaRef(
            file_id,
            kind[:MOST_TYPE],
            _text(value.get("md5sum")),
            size,
            _text(value.get("filename")),
            _text(value.get("fileext")),
        )
    for name in ("item", "items"):
        parts = value.get(name)
        for part in parts if isinstance(parts, list) else ():
            if isinstance(part, dict):
                inner = _text(part.get("type") or part.get("msg_type")) or kind
                yield from _media(part.get("content"), inner, depth + 1)


def _sent_at(row: Mapping[str, Any], msgid: str, pulled_at: datetime) -> tuple[datetime, bool]:
    """Return when it was sent, and whether that is only estimated (messages.md 1.7)."""
    for name in ("msgtime", "time"):
        given = row.get(name)
        if type(given) is int and _EARLIEST * 1000 <= given <= _LATEST * 1000:
            return datetime.fromtimestamp(given / 1000, UTC), False
    return time_in_msgid(msgid) or pulled_at, True


def time_in_msgid(msgid: str) -> datetime | None:
    """Return the server's time that most msgids hold, seconds after the message's own."""
    for found in _TIME_IN_MSGID.findall(msgid):
        seconds = int(found) / (1000 if len(found) == 13 else 1)
        if _EARLIEST <= seconds <= _LATEST:
            return datetime.fromtimestamp(seconds, UTC)
    return None


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value
    return str(value) if type(value) is int else ""


def _texts(value: Any) -> list[str]:
    return [found for one in value if (found := _text(one))] if isinstance(value, list) else []


@dataclass(frozen=True)
class Row:
    """A row of GetChatData: a message as it was delivered."""

    seq: int
    msgid: str
    publickey_ver: int
    random_key: str
    message: str


class NotAPage(ValueError):
    """The answer of GetChatData cannot be read."""


@dataclass(frozen=True)
class PageOfRows:
    """An answer of GetChatData; ``errcode`` is its second layer of errors (sdk.md 7)."""

    errcode: int
    rows: Sequence[Row]


def parse_page(content: bytes) -> PageOfRows:
    """Read an answer of GetChatData; without ``chatdata`` it is empty.

    Raises:
        NotAPage: it is none, or has a row without a place in the order.
    """
    try:
        answer = json.loads(content.decode("utf-8", "replace"), strict=False)
    except (ValueError, RecursionError):
        raise NotAPage("no JSON") from None
    if not isinstance(answer, dict):
        raise NotAPage("no object")
    errcode = answer.get("errcode", 0)
    if type(errcode) is not int:
        raise NotAPage("errcode")
    listed = answer.get("chatdata") or []
    if not isinstance(listed, list):
        raise NotAPage("chatdata")
    return PageOfRows(errcode, [_row(one) for one in listed])


def _row(one: Any) -> Row:
    if not isinstance(one, dict):
        raise NotAPage("row")
    seq = one.get("seq")
    seq = int(seq) if isinstance(seq, str) and seq.isdecimal() else seq
    # More than a column of either database holds: loud, not wrapped.
    if type(seq) is not int or not 0 <= seq <= MOST_SEQ:
        raise NotAPage("seq")
    version = one.get("publickey_ver", 0)
    version = int(version) if isinstance(version, str) and version.isdecimal() else version
    return Row(
        seq,
        _text(one.get("msgid"))[:MOST_ID] or f"seq {seq}",
        version if type(version) is int and abs(version) < 2**31 else 0,
        _text(one.get("encrypt_random_key")),
        _text(one.get("encrypt_chat_msg")),
    )
