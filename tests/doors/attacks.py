"""What somebody could send to a door: without the keys, with stolen keys, or by mistake.

Each attack is told what it is by its name, and gives one request for one door. ``MARK`` stands in
every content, so that a log line that holds content can be recognised.
"""

import struct
import time
from collections.abc import Callable, Mapping

from tests.doors.knocking import Door, Knock, envelope, remark_changed

MARK = "mark-of-content"
MIB = 1024 * 1024
BLOCK = 32
Attack = Callable[[Door], Knock]

LAUGHS = (
    '<?xml version="1.0"?><!DOCTYPE xml [<!ENTITY a "mark-of-content">'
    + "".join(
        f'<!ENTITY {name} "{("&" + before + ";") * 10}">'
        for before, name in zip("abcdefgh", "bcdefghi", strict=True)
    )
    + "]>"
)
FILE = '<!DOCTYPE xml [<!ENTITY a SYSTEM "file:///etc/passwd">]>'
PARAMETER = '<!DOCTYPE xml [<!ENTITY % a SYSTEM "http://127.0.0.1:1/mark-of-content"> %a;]>'
BLOWUP = f'<!DOCTYPE xml [<!ENTITY a "{MARK * 10_000}">]>'
DEEP = b"<a>" * 10_000 + b"</a>" * 10_000
WIDE = b"<xml>" + b"<a>mark-of-content</a>" * 40_000 + b"</xml>"
MANY = b"<xml><Event>x</Event>" + b"<a/>" * 100_000 + b"</xml>"


def _event(dtd: str) -> bytes:
    return f"{dtd}<xml><Event>&a;{MARK}</Event></xml>".encode()


def _outer(dtd: str) -> bytes:
    return f"{dtd}<xml><Encrypt>&a;{MARK}</Encrypt></xml>".encode()


def _frame(message: bytes, length: int, receiver: str) -> bytes:
    """Frame and pad like WeCom, with any length said."""
    frame = b"r" * 16 + struct.pack(">I", length) + message + receiver.encode()
    padding = BLOCK - len(frame) % BLOCK
    return frame + bytes([padding]) * padding


def _good(door: Door) -> bytes:
    return remark_changed(door.corp_id, 0)


def _in_seconds(number: int) -> str:
    return str(int(time.time()) + number)


def _without(name: str) -> Attack:
    """A good event, sealed and signed, with one parameter left out of the query."""

    def attack(door: Door) -> Knock:
        encrypted = door.seal().encrypt(_good(door))
        return door.signed(encrypted, **{name: None})

    return attack


# Nobody without the token gets as far as the cipher.
UNSIGNED: Mapping[str, Attack] = {
    "a wrong signature": lambda door: door.signed(
        door.seal().encrypt(_good(door)), msg_signature="0" * 40
    ),
    "an empty signature": lambda door: door.signed(MARK, msg_signature=""),
    "a signature that is not ASCII": lambda door: door.signed(MARK, msg_signature="签名"),
    "a very long signature": lambda door: door.signed(MARK, msg_signature="a" * 3000),
    "another nonce": lambda door: door.signed(door.seal().encrypt(_good(door)), nonce="1"),
    "another timestamp": lambda door: door.signed(door.seal().encrypt(_good(door)), timestamp="1"),
    "no signature": _without("msg_signature"),
    "no timestamp": _without("timestamp"),
    "no nonce": _without("nonce"),
    "no query": lambda door: Knock("", envelope(door.seal().encrypt(_good(door)))),
    "bytes in the query": lambda door: Knock("msg_signature=%ff%00&nonce=%fe", envelope(MARK)),
}

# Whoever holds the keys of another corporation, or of half a secret.
RECEIVER: Mapping[str, Attack] = {
    "another corporation": lambda door: door.sealed(_good(door), "wwother"),
    "our corporation and more": lambda door: door.sealed(_good(door), door.corp_id + "x"),
    "no receiver": lambda door: door.enciphered(_frame(_good(door), len(_good(door)), "")),
    "a message length of nothing": lambda door: door.enciphered(
        _frame(_good(door), 0, door.corp_id)
    ),
}

# The body is read before the signature can be checked.
BODIES: Mapping[str, Attack] = {
    "an empty body": lambda door: Knock(door.query("")),
    "bytes": lambda door: Knock(door.query(""), bytes(range(256)) * 40 + MARK.encode()),
    "null bytes": lambda door: Knock(door.query(""), b"\0" * 1000),
    "JSON": lambda door: Knock(
        door.query(MARK), b'{"Encrypt": "mark-of-content"}', content_type="application/json"
    ),
    "a form": lambda door: Knock(
        door.query(MARK),
        b"Encrypt=mark-of-content",
        content_type="application/x-www-form-urlencoded",
    ),
    "a form with a file": lambda door: Knock(
        door.query(MARK),
        b'--x\r\nContent-Disposition: form-data; name="Encrypt"\r\n\r\nmark-of-content\r\n--x--',
        content_type="multipart/form-data; boundary=x",
    ),
    "no content type": lambda door: Knock(door.query(MARK), MARK.encode(), content_type=""),
    "XML without Encrypt": lambda door: Knock(door.query(""), b"<xml><A>mark-of-content</A></xml>"),
    "an empty Encrypt": lambda door: Knock(door.query(""), envelope("")),
    "XML without an end": lambda door: Knock(door.query(MARK), envelope(MARK)[:-3]),
    "XML that is not UTF-8": lambda door: Knock(door.query(""), b"<xml><Encrypt>\xff</Encrypt>"),
    "an unknown encoding": lambda door: Knock(
        door.query(MARK), b'<?xml version="1.0" encoding="base64"?>' + envelope(MARK)
    ),
    "a billion laughs": lambda door: Knock(door.query(""), _outer(LAUGHS)),
    "a file as an entity": lambda door: Knock(door.query(""), _outer(FILE)),
    "an address as an entity": lambda door: Knock(door.query(""), _outer(PARAMETER)),
    "a quadratic blow-up": lambda door: Knock(door.query(""), _outer(BLOWUP)),
    "a depth of 10,000": lambda door: Knock(door.query(""), DEEP),
    "40,000 nodes": lambda door: Knock(door.query(""), WIDE),
    "100,000 nodes": lambda door: Knock(door.query(""), MANY),
    "a MiB of one letter": lambda door: Knock(door.query(""), b"<" * MIB),
}

TOO_LARGE: Mapping[str, Attack] = {
    "a byte more than a MiB": lambda door: Knock(door.query(MARK), b"x" * (MIB + 1)),
    "10 MiB": lambda door: Knock(door.query(MARK), MARK.encode() * (10 * MIB // len(MARK))),
    "10 MiB in chunks": lambda door: Knock(door.query(MARK), b"x" * (10 * MIB), chunked=True),
    "a good event and 10 MiB of blanks, in chunks": lambda door: Knock(
        door.query(door.seal().encrypt(_good(door))), b" " * (10 * MIB), chunked=True
    ),
}

# From here on the signature fits: keys were stolen, or WeCom changed its mind.
SIGNED: Mapping[str, Attack] = {
    "a text that is no base64": lambda door: door.signed(MARK + "!"),
    "a text that is not ASCII": lambda door: door.signed(MARK + "密文"),
    "base64 without its end": lambda door: door.signed("QUJ"),
    "base64 of one byte": lambda door: door.signed("QQ=="),
    "base64 of 33 bytes": lambda door: door.signed("QUFB" * 11),
    "base64 of one AES block": lambda door: door.signed("QUFBQUFBQUFBQUFBQUFBQQ=="),
    "base64 in lines": lambda door: door.signed("QUFB\nQUFB" * 8),
    "noise": lambda door: door.signed("k9Xh" * 256),
    "half a MiB of noise": lambda door: door.signed("k9Xh" * (MIB // 8)),
    "padding of nothing": lambda door: door.enciphered(b"\0" * 64),
    "padding of 33": lambda door: door.enciphered(b"\x21" * 64),
    "padding of 255": lambda door: door.enciphered(b"\xff" * 64),
    "padding that differs": lambda door: door.enciphered(b"a" * 60 + b"\x01\x02\x03\x04"),
    "nothing but padding": lambda door: door.enciphered(b"\x20" * 32),
    "a frame without a length": lambda door: door.enciphered(b"r" * 18 + b"\x0e" * 14),
    "a length beyond the frame": lambda door: door.enciphered(
        _frame(_good(door), 0xFFFFFFFF, door.corp_id)
    ),
}

EVENTS: Mapping[str, Attack] = {
    "an empty event": lambda door: door.sealed(b""),
    "an event that is no XML": lambda door: door.sealed(MARK.encode()),
    "an event in JSON": lambda door: door.sealed(b'{"Event": "mark-of-content"}'),
    "an event in GBK": lambda door: door.sealed(
        '<?xml version="1.0" encoding="gbk"?><xml><Event>事件</Event></xml>'.encode("gbk")
    ),
    "an event name of forbidden characters": lambda door: door.sealed(
        b"<xml><Event>\x10&#29;</Event></xml>"
    ),
    "forbidden characters and no end": lambda door: door.sealed(b"<xml><Event>a\x10</Event>"),
    "a DTD behind a forbidden character": lambda door: door.sealed(b"\x10" + _event(LAUGHS)),
    "an unknown entity": lambda door: door.sealed(b"<xml><Event>a&nbsp;</Event></xml>"),
    "no event name": lambda door: door.sealed(b"<xml><UserID>mark-of-content</UserID></xml>"),
    "an empty event name": lambda door: door.sealed(b"<xml><Event> </Event></xml>"),
    "two event names": lambda door: door.sealed(b"<xml><Event>a</Event><Event>b</Event></xml>"),
    "a tree as event name": lambda door: door.sealed(b"<xml><Event><a>b</a></Event></xml>"),
    "a name and nothing else": lambda door: door.sealed(b"<Event>mark-of-content</Event>"),
    "laughs in an event": lambda door: door.sealed(_event(LAUGHS)),
    "a file in an event": lambda door: door.sealed(_event(FILE)),
    "an address in an event": lambda door: door.sealed(_event(PARAMETER)),
    "a blow-up in an event": lambda door: door.sealed(_event(BLOWUP)),
    "a DTD alone": lambda door: door.sealed(b"<!DOCTYPE xml><xml><Event>a</Event></xml>"),
    "a DTD in UTF-16": lambda door: door.sealed(_event(LAUGHS).decode().encode("utf-16")),
    "an event of 10,000 levels": lambda door: door.sealed(DEEP),
    "an event of 21 levels": lambda door: door.sealed(
        b"<xml><Event>a</Event>" + b"<a>" * 20 + b"</a>" * 20 + b"</xml>"
    ),
    "an event of 100,000 nodes": lambda door: door.sealed(MANY),
}
# Signed by WeCom, and sent again long after, or long before.
STALE: Mapping[str, Attack] = {
    "an event of last year": lambda door: door.sealed(_good(door), at=_in_seconds(-365 * 86_400)),
    "an event of next year": lambda door: door.sealed(_good(door), at=_in_seconds(+365 * 86_400)),
    "an event of no moment": lambda door: door.sealed(_good(door), at=""),
    "an event of a word": lambda door: door.sealed(_good(door), at=MARK),
    "an event of other digits": lambda door: door.sealed(_good(door), at="１７９０００００００"),
    "an event of a very long number": lambda door: door.sealed(_good(door), at="1" * 3000),
}
ALL: Mapping[str, Attack] = {
    **UNSIGNED,
    **RECEIVER,
    **BODIES,
    **TOO_LARGE,
    **SIGNED,
    **EVENTS,
    **STALE,
}

# status and reasons that the log may give
EXPECTED: Mapping[str, tuple[int, set[str]]] = {
    **dict.fromkeys(UNSIGNED, (403, {"signature"})),
    **dict.fromkeys(RECEIVER, (403, {"receiver"})),
    **dict.fromkeys(BODIES, (400, {"body"})),
    **dict.fromkeys(TOO_LARGE, (413, {"too_large"})),
    **dict.fromkeys(SIGNED, (400, {"base64", "length", "padding", "frame"})),
    **dict.fromkeys(EVENTS, (400, {"event"})),
    **dict.fromkeys(STALE, (403, {"stale"})),
}
