"""WeCom's error codes, sorted by whom they concern and by what they ask of us."""

import re
from dataclasses import dataclass, replace
from datetime import datetime
from enum import Enum

from bot.reason import NO_REASON, Reason

# Codes of reasons; their words stand in bot/wecom/words.py.
PAUSED = "wecom_paused"
NO_ANSWER = "wecom_gave_no_answer"
REFUSED = "wecom_refused"

_FROM_IP = re.compile(r"from ip: ([0-9A-Fa-f.:]{2,45})")


class WeComError(Exception):
    """WeCom did not do what was asked; ``errcode`` None: no answer that could be read.

    ``from_ip`` is our address as WeCom saw it, where its words name one (60020 asks for it).
    """

    def __init__(self, endpoint: str, errcode: int | None, errmsg: str = "") -> None:
        self.endpoint = endpoint
        self.errcode = errcode
        found = _FROM_IP.search(errmsg)
        self.from_ip = found.group(1) if found else ""
        # WeCom appends a hint and our own address after the first comma: not for logs.
        self.errmsg = errmsg.split(", hint")[0].split(", from ip")[0][:120]
        super().__init__(endpoint, errcode, self.errmsg)

    def __str__(self) -> str:
        code = "-" if self.errcode is None else str(self.errcode)
        return f"{code} {self.endpoint}: {self.errmsg}".rstrip(": ")


class Refused(WeComError):
    """An answer: this request will not succeed. Record it and go on."""


class Transient(WeComError):
    """Try again soon. ``maybe_executed``: the request may have reached WeCom."""

    def __init__(
        self,
        endpoint: str,
        errcode: int | None,
        errmsg: str = "",
        *,
        maybe_executed: bool = False,
    ) -> None:
        super().__init__(endpoint, errcode, errmsg)
        self.maybe_executed = maybe_executed


class Unreadable(Transient):
    """An answer came, and it is none that can be read: that may be so for this record alone."""


class Throttled(WeComError):
    """Too much: wait ``wait_seconds`` at least before the next call to this endpoint."""

    def __init__(
        self, endpoint: str, errcode: int | None, errmsg: str = "", *, wait_seconds: float = 60
    ) -> None:
        super().__init__(endpoint, errcode, errmsg)
        self.wait_seconds = wait_seconds


class OperatorNeeded(WeComError):
    """Somebody must act; ``what_to_do`` says what."""

    def __init__(
        self,
        endpoint: str,
        errcode: int | None,
        errmsg: str = "",
        *,
        what_to_do: Reason = NO_REASON,
    ) -> None:
        super().__init__(endpoint, errcode, errmsg)
        self.what_to_do = what_to_do


class Paused(WeComError):
    """No call was made: the endpoint is paused until ``until`` (UTC).

    ``cause`` is the code of the answer that began the pause; None: the network did.
    """

    def __init__(
        self, endpoint: str, until: datetime, reason: str, cause: int | None = None
    ) -> None:
        super().__init__(endpoint, None, f"paused: {reason}")
        self.until = until
        self.reason = reason
        self.cause = cause

    @property
    def needs_operator(self) -> bool:
        return needs_operator(self.cause)


def reason_of(error: WeComError) -> Reason:
    """Return a call's failure as it is remembered; WeCom's own words are not kept."""
    if isinstance(error, Paused):
        return Reason(PAUSED, {"endpoint": error.endpoint, "errcode": error.cause})
    if error.errcode is None:
        return Reason(NO_ANSWER, {"endpoint": error.endpoint})
    return Reason(REFUSED, {"endpoint": error.endpoint, "errcode": error.errcode})


def is_out_of_reach(error: WeComError) -> bool:
    """Whether no answer came that could be read, or none was waited for since none had come.

    "System busy" is an answer: WeCom can be reached.
    """
    if isinstance(error, Paused):
        return error.cause is None
    return isinstance(error, Transient) and error.errcode is None


GETTOKEN = "gettoken"
TOKEN_CODES = (40014, 42001)
TOO_OFTEN = 45009
# An answer about one record with which nothing can be done: note it, and go on with the next one.
ABOUT_ONE = (Refused, Unreadable)


class Concern(Enum):
    """Whom a code concerns."""

    RECORD = "record"  # the member, customer, message or file of this call; nobody else waits
    ENDPOINT = "endpoint"  # every call of this endpoint
    APP = "app"  # the app, its secret or the corporation
    ADDRESS = "address"  # from where we call


class Ask(Enum):
    """What a code asks of us."""

    NOTE = "note"  # so it stands at WeCom: it will be the answer tomorrow too
    MEND = "mend"  # WeCom does not take what we sent; of one record after the other: our mistake
    REPEAT = "repeat"  # only these may be sent again without looking first
    WAIT = "wait"
    OPERATOR = "operator"


@dataclass(frozen=True)
class Meaning:
    """``what_to_do``: the code of what an operator must do."""

    concerns: Concern
    asks: Ask
    what_to_do: str = ""
    wait_seconds: float = 0


# Codes of what an operator must do; their words stand in bot/wecom/words.py.
SECRET = "do_check_secret"  # noqa: S105 - a code
ADDRESS = "do_trust_address"
PERMISSION = "do_check_permission"
RANGE = "do_check_range"
CAP = "do_remove_unused"
CORPORATION = "do_mend_corporation"
ARCHIVE = "do_renew_archive"
CALLBACK = "do_check_callback"
STILL_REFUSED = "do_check_secret_of_new_token"
# With gettoken it may be the ban of an address for an hour (help of 45009).
BANNED = "do_check_secret_and_lift_ban"
SPAM = "do_check_what_is_sent"
OPENSSL = "do_update_openssl"
SET_VARIABLE = "do_set_variable"


def _codes(text: str) -> list[int]:
    """Read numbers and spans (``41037-41040``)."""
    found: list[int] = []
    for one in text.split():
        first, _, last = one.partition("-") if not one.startswith("-") else (one, "", "")
        found += range(int(first), int(last or first) + 1)
    return found


# path 90313. A code that stands here twice, or not at all, is found by tests/wecom/test_errors.py.
_TABLE: list[tuple[Meaning, str]] = [
    # How things stand with one member, customer, group, tag, message or file.
    (
        Meaning(Concern.RECORD, Ask.NOTE),
        """
        40003 40029 40031 40066 40068 40071 40144 40145 40050 46004 49008 60003 60111 60123
        60136 81011 81013
        40096 84061 84083 84084 90514 40132 41043 41044 41054 41201 41050 41051 41053 41056 41058
        610001 610004 610014 610018
        40097-40100 40128-40131 40143 40205 90500-90504 90507-90509
        41046-41048 41093 41304 41070 41071 41077 42014 42016 42052 60140 82101 82102
        50100 301048 301059 301061 301112 830001-830003 86001-86008 86101 86201-86224
        """,
    ),
    # Outside the app's visible range: about a member where the call names one, else the app.
    (
        Meaning(Concern.RECORD, Ask.NOTE, RANGE),
        "60011 60021 50002 92000 60030",
    ),
    (Meaning(Concern.RECORD, Ask.MEND, PERMISSION), "84074"),
    # One message, refused by anti-spam.
    (Meaning(Concern.RECORD, Ask.MEND, SPAM), "40201 40204 85002"),
    # What we sent is not as WeCom wants it.
    (
        Meaning(Concern.RECORD, Ask.MEND),
        """
        40032 40033 40035 40039 40094 40058 40063 40072 41110 41111 40203 40206
        41009 41011 41017 41018 41035 45029 81012 81017 82001-82004
        41037-41042 41091 41049 41052 41064 41065 41068 41069 41072 41076 41080-41084 41088
        41090 41300-41303 610003 610015 610017 92002 92003
        40004-40009 40011 41006 44001 44004 45001 45002 45007
        42015 42017-42020 42027-42051 301016 301017 301019 301058 301060
        """,
    ),
    (Meaning(Concern.RECORD, Ask.REPEAT), "6000 45035 41063 41096"),
    (Meaning(Concern.RECORD, Ask.WAIT, wait_seconds=86_400), "41094"),
    # Every call of the endpoint.
    (Meaning(Concern.ENDPOINT, Ask.REPEAT), "-1 81026"),
    (Meaning(Concern.ENDPOINT, Ask.WAIT, wait_seconds=60), "45009 45036"),
    (Meaning(Concern.ENDPOINT, Ask.WAIT, wait_seconds=5), "45033"),
    (Meaning(Concern.ENDPOINT, Ask.OPERATOR, CAP), "40126 41045 41055 41095"),
    (Meaning(Concern.ENDPOINT, Ask.MEND), "48005 48008"),
    (
        Meaning(Concern.ENDPOINT, Ask.OPERATOR, PERMISSION),
        "48001 48002 48004 48006 41098 41200 92001 701314",
    ),
    # The app, its secret, the corporation.
    (
        Meaning(Concern.APP, Ask.OPERATOR, SECRET),
        "40001 40013 40091 45031 41002 41004 41024",
    ),
    (Meaning(Concern.APP, Ask.MEND), "41001"),
    (Meaning(Concern.APP, Ask.OPERATOR, STILL_REFUSED), "40014 42001"),
    (Meaning(Concern.APP, Ask.OPERATOR, PERMISSION), "48011 60031"),
    (Meaning(Concern.APP, Ask.OPERATOR, RANGE), "50003 50006 301007 301002 40056"),
    (
        Meaning(Concern.APP, Ask.OPERATOR, CORPORATION),
        "610023 610024 90510 701008 701099 41057 41305 610016",
    ),
    (Meaning(Concern.APP, Ask.OPERATOR, ARCHIVE), "301052 301053 301111 301116"),
    (Meaning(Concern.APP, Ask.OPERATOR, CALLBACK), "40057 43012"),
    # The code of a login comes from outside: it pauses nobody.
    (Meaning(Concern.APP, Ask.NOTE), "50001"),
    # From where we call.
    (Meaning(Concern.ADDRESS, Ask.OPERATOR, ADDRESS), "60020 301042 90308 48009"),
    (
        Meaning(Concern.ADDRESS, Ask.OPERATOR, OPENSSL),
        "48010",
    ),
]


def _sorted() -> dict[int, Meaning]:
    found: dict[int, Meaning] = {}
    for meaning, codes in _TABLE:
        for code in _codes(codes):
            if code in found:
                raise ValueError(f"{code} stands in the table twice")
            found[code] = meaning
    return found


MEANINGS = _sorted()
_NO_ANSWER = Meaning(Concern.ENDPOINT, Ask.REPEAT)
# Repeating what we do not understand could do something twice.
_UNKNOWN = Meaning(Concern.RECORD, Ask.MEND)
# Calls that name no member, customer or group: nobody but the app can be out of range there.
NAME_NOBODY = frozenset(
    {
        GETTOKEN,
        "getcallbackip",
        "agent/get",
        "get_jsapi_ticket",
        "ticket/get",
        "department/list",
        "department/simplelist",
        "externalcontact/get_follow_user_list",
        "externalcontact/get_unassigned_list",
        "externalcontact/list_contact_way",
        "msgaudit/get_permit_user_list",
    }
)
# Of a member, department or tag that the app may not see, or of all of them.
OUT_OF_RANGE = (60011, 60021, 50002, 92000, 60030)
NO_CONTACT_PERMISSION = 84074


def meaning_of(endpoint: str, errcode: int | None) -> Meaning:
    """Say whom a code concerns where this endpoint answers it, and what it asks (path 90313)."""
    if errcode is None:
        return _NO_ANSWER
    if endpoint == GETTOKEN and errcode == TOO_OFTEN:
        return Meaning(Concern.ADDRESS, Ask.OPERATOR, BANNED)
    meaning = MEANINGS.get(errcode, _UNKNOWN)
    if errcode in (*OUT_OF_RANGE, NO_CONTACT_PERMISSION) and endpoint in NAME_NOBODY:
        return replace(meaning, concerns=Concern.APP, asks=Ask.OPERATOR)
    return meaning


def what_to_do(errcode: int | None) -> Reason:
    """Return what an operator must do about a code that lasts; no reason: it passes by itself, or
    says how things stand."""
    return NO_REASON if errcode is None else Reason(MEANINGS.get(errcode, _UNKNOWN).what_to_do)


def needs_operator(errcode: int | None) -> bool:
    """Whether what this code says lasts until somebody acts."""
    return bool(what_to_do(errcode))


def classify(endpoint: str, errcode: int, errmsg: str) -> WeComError:
    """Return the error of a code."""
    meaning = meaning_of(endpoint, errcode)
    if meaning.asks is Ask.REPEAT:
        return Transient(endpoint, errcode, errmsg)
    if meaning.asks is Ask.WAIT:
        return Throttled(endpoint, errcode, errmsg, wait_seconds=meaning.wait_seconds)
    if meaning.asks is Ask.OPERATOR:
        return OperatorNeeded(endpoint, errcode, errmsg, what_to_do=Reason(meaning.what_to_do))
    return Refused(endpoint, errcode, errmsg)
