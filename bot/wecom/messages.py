"""App messages to members, plain and as cards with buttons."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from bot.reason import Reason
from bot.wecom.answers import text as text_of
from bot.wecom.answers import texts
from bot.wecom.customers import check_count
from bot.wecom.errors import SET_VARIABLE, OperatorNeeded, Refused
from bot.wecom.transport import Transport

TEXT_BYTES = 2048
# Of the very same text, so many seconds after the first (path 90236).
DUPLICATE_CHECK_SECONDS = 1800
NOBODY_REACHED = 81013
RECIPIENTS = 1000
TASK_ID = re.compile(r"[A-Za-z0-9_@-]{1,128}")
CARD_ROWS = 6
CARD_BUTTONS = 6
KEY_BYTES = 1024
DATA_CHARACTERS = 200
_BRACKETS = str.maketrans("<>", "＜＞")
_DOT_OF_A_HOST = re.compile(r"(?<=\w)\.(?=[^\W\d_])")
# They turn around the letters beside them.
_DIRECTIONS = re.compile("[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")
_LINE_ENDS = re.compile(r"[\x00-\x20\x7f-\x9f\u2028\u2029]+")


@dataclass(frozen=True)
class MessageResult:
    """What became of a message; whoever is named did not get it, in whatever case WeCom says it.

    ``unlicensed_userids``: visible, but without a licence for the basic APIs.
    """

    msgid: str
    invalid_userids: tuple[str, ...]
    unlicensed_userids: tuple[str, ...] = ()


@dataclass(frozen=True)
class Button:
    """A button of a card: one with a ``key`` calls back when clicked, one with a ``url`` leads
    there."""

    text: str
    key: str = ""
    url: str = ""


@dataclass(frozen=True)
class Card:
    """A card with buttons (按钮交互型); ``url`` is where a click beside the buttons leads.

    ``task_id`` names it for ever: WeCom takes each only once from an app.
    """

    task_id: str
    title: str
    buttons: Sequence[Button]
    text: str = ""
    rows: Mapping[str, str] = field(default_factory=dict)
    url: str = ""


@dataclass
class Messages:
    """What the app says to members of the corporation."""

    transport: Transport
    agent_id: int | None

    def send_text(self, userids: Sequence[str], text: str) -> MessageResult:
        """Send a text (path 90236); WeCom drops the very same one within the checked time.

        Args:
            userids: 1 to 1000.
            text: cut at 2048 bytes, never inside a character; what people wrote comes into it
                through ``as_data``, because a tag in it is a link.

        Raises:
            Refused: 81013: nobody got it.
        """
        content = {"content": cut(text, TEXT_BYTES)}
        return self._deliver(userids, "text", content)

    def send_card(self, userids: Sequence[str], card: Card) -> MessageResult:
        """Send a card with buttons (path 90236); WeCom refuses a task_id that it has seen.

        Args:
            userids: 1 to 1000.

        Raises:
            ValueError: the card has what WeCom would refuse whole.
            Refused: 81013: nobody got it; 42014: the task_id was used.
        """
        return self._deliver(userids, "template_card", _as_json(card))

    def update_card(self, response_code: str, userids: Sequence[str], text: str) -> tuple[str, ...]:
        """Put one grey text in the place of a card's buttons (path 94888).

        Args:
            response_code: of the click, once and within 72 hours.
            userids: whose card it is, 1 to 1000; gives those of whom it is not.

        Raises:
            Refused: 60140: the code is used or too old.
        """
        check_count(userids, RECIPIENTS)
        body = {
            "userids": list(userids),
            "atall": 0,
            "agentid": self._own_agent_id("message/update_template_card"),
            "response_code": response_code,
            "button": {"replace_name": text},
        }
        answer = self.transport.act("message/update_template_card", body)
        return tuple(texts(answer, "invaliduser"))

    def _deliver(
        self,
        userids: Sequence[str],
        kind: str,
        content: Mapping[str, Any],
    ) -> MessageResult:
        check_count(userids, RECIPIENTS)
        answer = self.transport.act(
            "message/send",
            {
                "touser": "|".join(userids),
                "msgtype": kind,
                "agentid": self._own_agent_id("message/send"),
                kind: content,
                "enable_duplicate_check": 1,
                "duplicate_check_interval": DUPLICATE_CHECK_SECONDS,
            },
        )
        invalid, unlicensed = _listed(answer, "invaliduser"), _listed(answer, "unlicenseduser")
        # WeCom answers in lower case, and with errcode 0 also when nobody is left (path 90236).
        missed = {userid.lower() for userid in (*invalid, *unlicensed)}
        if missed.issuperset(userid.lower() for userid in userids):
            raise Refused("message/send", NOBODY_REACHED, "errcode 0, but nobody got it")
        return MessageResult(text_of(answer, "msgid"), invalid, unlicensed)

    def _own_agent_id(self, endpoint: str) -> int:
        if self.agent_id is None:
            raise OperatorNeeded(
                endpoint, None, what_to_do=Reason(SET_VARIABLE, {"variable": "KEGUI_AGENT_ID"})
            )
        return self.agent_id


def _listed(answer: Mapping[str, Any], name: str) -> tuple[str, ...]:
    return tuple(filter(None, text_of(answer, name).split("|")))


def _as_json(card: Card) -> dict[str, Any]:
    _check(card)
    content: dict[str, Any] = {
        "card_type": "button_interaction",
        "main_title": {"title": card.title},
        "task_id": card.task_id,
        "button_list": [_button(one, style) for style, one in enumerate(card.buttons, 1)],
    }
    if card.text:
        content["sub_title_text"] = card.text
    if card.rows:
        content["horizontal_content_list"] = [
            {"keyname": name, "value": as_data(value)} for name, value in card.rows.items()
        ]
    if card.url:
        content["card_action"] = {"type": 1, "url": card.url}
    return content


def _button(button: Button, number: int) -> dict[str, Any]:
    leads = {"type": 0, "key": button.key} if button.key else {"type": 1, "url": button.url}
    # The first one is the one to press; the second style is the quiet one.
    return {"text": button.text, "style": min(number, 2), **leads}


def _check(card: Card) -> None:
    keys = [button.key for button in card.buttons if button.key]
    if not TASK_ID.fullmatch(card.task_id):
        raise ValueError("a task_id has 1 to 128 letters, digits, _, - or @")
    if not card.title:
        raise ValueError("a card needs a title")
    if not 1 <= len(card.buttons) <= CARD_BUTTONS or len(card.rows) > CARD_ROWS:
        raise ValueError(f"a card has 1 to {CARD_BUTTONS} buttons and up to {CARD_ROWS} rows")
    if any(not button.text or bool(button.key) == bool(button.url) for button in card.buttons):
        raise ValueError("a button has a text, and either a key or a url")
    if len(set(keys)) < len(keys) or any(len(key.encode()) > KEY_BYTES for key in keys):
        raise ValueError(f"the keys of buttons differ and have up to {KEY_BYTES} bytes")


def as_data(written: str, most: int = DATA_CHARACTERS) -> str:
    """Return what people wrote so that it is only read: one line, no link, no longer than that.

    A text may hold ``<a href>`` (path 90236), and the client of a member also makes a link of
    what merely looks like an address; what makes one stands here in full width.
    """
    line = _LINE_ENDS.sub(" ", _DIRECTIONS.sub("", written)).strip()
    shown = line if len(line) <= most else f"{line[: most - 1]}…"
    return _DOT_OF_A_HOST.sub("．", shown.translate(_BRACKETS).replace("://", "：//"))


def cut(text: str, most: int) -> str:
    """Shorten a text to ``most`` UTF-8 bytes without breaking a character."""
    return text.encode()[:most].decode(errors="ignore")
