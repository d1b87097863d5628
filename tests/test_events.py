"""WeCom's XML as events: every sample is read, one event has one key, and no bomb goes off."""

import contextlib
from pathlib import Path
from random import Random
from typing import Any
from xml.etree.ElementTree import Element, SubElement, tostring

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.events import MAX_BYTES, MAX_DEPTH, MAX_NODES, Event, MalformedEvent, key, parse, redacted

EVENTS = Path(__file__).parent / "data" / "wecom" / "fixtures" / "events"
SAMPLES = sorted(path for path in EVENTS.glob("*.xml") if not path.name.startswith("_envelope"))
OF_CALLBACKS = [path for path in SAMPLES if not path.name.startswith("passive_reply")]


def sample(name: str) -> Event:
    return parse((EVENTS / f"{name}.xml").read_bytes())


def xml(**fields: str) -> bytes:
    """An event of these fields, in the order given."""
    root = Element("xml")
    for name, text in fields.items():
        SubElement(root, name).text = text
    return tostring(root, encoding="utf-8")


@pytest.mark.parametrize("path", OF_CALLBACKS, ids=lambda path: path.stem)
def test_every_sample_is_read_as_what_its_name_says(path: Path) -> None:
    event = parse(path.read_bytes())

    words = path.stem.split(".")
    assert event.event in (*words, "text", "event")
    assert not event.change_type or event.change_type in words
    assert event.created_at.year >= 2014


def test_the_words_of_an_added_customer() -> None:
    event = sample("change_external_contact.add_external_contact")

    assert (event.event, event.change_type) == ("change_external_contact", "add_external_contact")
    assert event.userid == "zhangsan"
    assert event.external_userid == "wmAJ2GCAAAXtWyujaWJHDDGi0mACAAAA"
    assert (event.state, event.welcome_code) == ("poster_2026q4", "WELCOMECODE_add_0001")
    assert int(event.created_at.timestamp()) == 1795397400


def test_what_an_event_does_not_say_is_empty() -> None:
    event = sample("change_external_contact.add_external_contact.no_state_no_welcome")

    assert (event.state, event.welcome_code, event.chat_id) == ("",) * 3


def test_who_deleted_is_read() -> None:
    deleted = sample("change_external_contact.del_external_contact.by_transfer")

    assert deleted.source == "DELETE_BY_TRANSFER"


def test_a_click_says_who_clicked_which_button_of_which_card() -> None:
    event = sample("template_card_event.button_interaction")

    assert (event.from_user, event.event_key) == ("zhangsan", "approve")
    assert (event.task_id, event.response_code) == ("handover_20261123_0001", "ResponseCode_0001")
    assert redacted(event)["ResponseCode"] == "***"


def test_the_third_party_envelope_is_read_too() -> None:
    event = sample("thirdparty.change_external_contact.add_external_contact")

    assert (event.event, event.change_type) == ("change_external_contact", "add_external_contact")
    assert event.created_at.year >= 2014


def test_repeated_elements_are_a_list_and_nested_ones_a_mapping() -> None:
    event = parse(b"<xml><Event>e</Event><L><I>1</I><I>2</I><I>3</I></L><M><N>n</N></M></xml>")

    assert event.fields["L"] == {"I": ["1", "2", "3"]}
    assert event.fields["M"] == {"N": "n"}


def test_a_field_that_comes_twice_is_trusted_in_neither_form() -> None:
    event = parse(b"<xml><Event>e</Event><UserID>one</UserID><UserID>other</UserID></xml>")

    assert event.userid == ""


@pytest.mark.parametrize("seconds", ["", "soon", "-1e9", "9" * 30, "9" * 5000, "1.5"])
def test_a_senseless_time_is_the_beginning_of_time(seconds: str) -> None:
    assert parse(xml(Event="e", CreateTime=seconds)).created_at.year == 1970


def nested(depth: int) -> bytes:
    return b"<xml><Event>e</Event>" + b"<a>" * depth + b"</a>" * depth + b"</xml>"


BOMB = b"".join(
    [
        b'<?xml version="1.0"?><!DOCTYPE xml [<!ENTITY a "ha">',
        *(f'<!ENTITY {chr(98 + n)} "{f"&{chr(97 + n)};" * 10}">'.encode() for n in range(9)),
        b"]><xml><Event>&j;</Event></xml>",
    ]
)
MALFORMED = {
    "empty": b"",
    "no XML": b"Event=e",
    "JSON": b'{"Event": "e"}',
    "cut short": b"<xml><Event>e</Event>",
    "two roots": b"<xml><Event>e</Event></xml><xml/>",
    "a bomb of entities": BOMB,
    "a DTD": b"<!DOCTYPE xml><xml><Event>e</Event></xml>",
    "an inner entity": b'<!DOCTYPE xml [<!ENTITY e "e">]><xml><Event>&e;</Event></xml>',
    "an outer entity": (
        b'<!DOCTYPE xml [<!ENTITY e SYSTEM "file:///etc/hostname">]><xml><Event>&e;</Event></xml>'
    ),
    "an outer DTD": b'<!DOCTYPE xml SYSTEM "http://127.0.0.1:9/x.dtd"><xml><Event>e</Event></xml>',
    "an unknown entity": b"<xml><Event>&e;</Event></xml>",
    "a control character and nothing else": b"<xml><Event>&#0;</Event></xml>",
    "half a character and nothing else": b"<xml><Event>&#xD800;</Event></xml>",
    "a control character and no end": b"<xml><Event>a\x10</Event>",
    "a control character and a DTD": b"<!DOCTYPE xml><xml><Event>a\x10</Event></xml>",
    "a control character and an entity": b"<xml><Event>a\x10&e;</Event></xml>",
    "too deep": nested(MAX_DEPTH),
    "far too deep": nested(100_000),
    "too many nodes": b"<xml><Event>e</Event>" + b"<a/>" * MAX_NODES + b"</xml>",
    "too large": b"<xml><Event>" + b"e" * MAX_BYTES + b"</Event></xml>",
    "GBK": '<?xml version="1.0" encoding="gbk"?><xml><Event>客户</Event></xml>'.encode("gbk"),
    "an unknown encoding": b'<?xml version="1.0" encoding="klingon"?><xml><Event>e</Event></xml>',
    "no fields": b"<xml>text</xml>",
    "no event": b"<xml><UserID>zhangsan</UserID></xml>",
    "an empty event": b"<xml><Event></Event></xml>",
    "an event with parts": b"<xml><Event><a>e</a></Event></xml>",
}


@pytest.mark.parametrize(
    ("name", "read"),
    [
        (b"<![CDATA[a\x10b\x1d]]>", "ab"),
        (b"a&#16;b&#x1D;&#0;&#00000016;", "ab"),
        (b"&#65;\x01&#x1F600;", "A\U0001f600"),
        (b"&#xD83D;a&#xFFFF;b&#1114112;&#" + b"9" * 5000 + b";", "ab"),
        (b"a\0\xef\xbf\xbe", "a"),
        (b"<![CDATA[a&#16;b\x10]]>", "a&#16;b"),
        (b"a\xf0\x9f\x98", "a\ufffd"),
        (b"<![CDATA[a\xff]]>", "a\ufffd"),
        ("客户".encode("gbk"), "\ufffd\u037b\ufffd"),
    ],
)
def test_what_xml_forbids_is_left_out_and_the_rest_is_read(name: bytes, read: str) -> None:
    event = parse(b"<xml><Event>e</Event><Name>" + name + b"</Name><UserID>u</UserID></xml>")

    assert (event.event, event.userid, event.text("Name")) == ("e", "u", read)
    assert event.is_mended


@pytest.mark.parametrize("around", [b"%s\0\0", b"\0%s", b"\x10%s\x10"])
def test_what_xml_forbids_around_an_event_is_left_out(around: bytes) -> None:
    assert parse(around % b"<xml><Event>e</Event></xml>").event == "e"


def test_what_xml_allows_is_read_as_it_is() -> None:
    event = parse("<xml><Event>e</Event><Name>\t\ufffd\U0001f600&#9;</Name></xml>".encode())

    assert event.text("Name") == "\ufffd\U0001f600"
    assert not event.is_mended


@pytest.mark.parametrize("plaintext", MALFORMED.values(), ids=MALFORMED.keys())
def test_what_is_no_event_is_malformed_and_nothing_else(plaintext: bytes) -> None:
    with pytest.raises(MalformedEvent):
        parse(plaintext)


def test_what_is_just_within_the_limits_is_read() -> None:
    assert parse(nested(MAX_DEPTH - 1)).event == "e"
    assert parse(xml(Event="e", Content="x" * (MAX_BYTES - 100))).event == "e"


@given(st.binary(max_size=300) | st.text(max_size=200).map(lambda t: f"<xml>{t}</xml>".encode()))
def test_garbage_is_malformed_and_nothing_else(plaintext: bytes) -> None:
    with contextlib.suppress(MalformedEvent):
        parse(plaintext)


NAMES = st.sampled_from(["UserID", "ExternalUserID", "State", "WelcomeCode", "CreateTime", "Id"])
TEXTS = st.text("ab中文 ,1", max_size=6).map(str.strip)
FIELDS = st.dictionaries(NAMES, TEXTS)


@given(FIELDS, st.randoms(use_true_random=False))
def test_the_order_of_the_fields_does_not_matter(fields: dict[str, str], random: Random) -> None:
    given = {"Event": "e", **fields}
    names = list(given)
    random.shuffle(names)

    assert key("app", parse(xml(**given))) == key(
        "app", parse(xml(**{name: given[name] for name in names}))
    )


@given(FIELDS, FIELDS)
def test_only_the_same_fields_have_the_same_key(one: dict[str, str], other: dict[str, str]) -> None:
    keys = [key("app", parse(xml(Event="e", **fields))) for fields in (one, other)]

    assert (keys[0] == keys[1]) == (one == other)


@given(FIELDS)
def test_the_same_event_at_another_door_is_another(fields: dict[str, str]) -> None:
    event = parse(xml(Event="e", **fields))

    assert key("customer", event) != key("contacts", event)


def test_layout_does_not_matter() -> None:
    tight = parse(b"<xml><Event><![CDATA[e]]></Event><UserID>zhangsan</UserID></xml>")
    loose = parse(b"<xml>\n  <Event>e</Event>\n  <UserID> zhangsan </UserID>\n</xml>\n")

    assert key("app", tight) == key("app", loose)


def test_no_two_samples_share_a_key() -> None:
    events = [parse(path.read_bytes()) for path in OF_CALLBACKS]

    assert len({key("app", event) for event in events}) == len(events)


def test_values_that_only_look_joined_alike_have_different_keys() -> None:
    one = parse(xml(Event="e", UserID="ab", State="c"))
    other = parse(xml(Event="e", UserID="a", State="bc"))

    assert key("app", one) != key("app", other)


@pytest.mark.parametrize("path", OF_CALLBACKS, ids=lambda path: path.stem)
def test_no_sample_shows_a_code_a_phone_or_a_message(path: Path) -> None:
    shown = repr(redacted(parse(path.read_bytes())))

    for hidden in ("WELCOMECODE", "13800000000", "020-123456", "@example.com", "@corp.example"):
        assert hidden not in shown
    assert "hello" not in shown
    assert "this is a test" not in shown


@pytest.mark.parametrize(
    "inside",
    [
        "{}",
        "<Item>{}</Item>",
        "<Item><Deep>{}</Deep></Item>",
        "<Item>{}</Item><Item>{}</Item>",
        "<Items><Item><A>1</A>{}</Item><Item>{}</Item></Items>",
    ],
)
@pytest.mark.parametrize(
    "secret",
    [
        "<WelcomeCode>S3CRET</WelcomeCode>",
        "<Mobile>S3CRET</Mobile>",
        "<mobile>S3CRET</mobile>",
        "<Telephone>S3CRET</Telephone><Telephone>S3CRET</Telephone>",
        "<Content><Line>S3CRET</Line></Content>",
        "<ResponseCode>S3CRET</ResponseCode>",
        "<ExtAttr><Item><Name>工资卡</Name><Text><Value>S3CRET</Value></Text></Item></ExtAttr>",
        "<ExtAttr><Item><Web><Url>S3CRET</Url></Web></Item><Item>S3CRET</Item></ExtAttr>",
        "<External_Attr>S3CRET</External_Attr>",
        "<RemarkMobiles><Mobile>S3CRET</Mobile></RemarkMobiles>",
    ],
)
def test_secrets_are_hidden_however_deep_they_stand(inside: str, secret: str) -> None:
    body = inside.replace("{}", secret)
    shown = redacted(parse(f"<xml><Event>e</Event>{body}<UserID>me</UserID></xml>".encode()))

    assert "S3CRET" not in repr(shown)
    assert "***" in repr(shown)
    assert (shown["Event"], shown["UserID"]) == ("e", "me")


def test_an_empty_secret_is_shown_as_empty() -> None:
    shown: dict[str, Any] = redacted(parse(xml(Event="e", WelcomeCode="")))

    assert shown["WelcomeCode"] == ""
