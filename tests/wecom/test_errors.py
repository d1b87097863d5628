"""Every code that concerns this service is sorted, by whom it concerns and by what it asks."""

from pathlib import Path

import pytest

from bot.reason import Reason
from bot.wecom.errors import (
    GETTOKEN,
    MEANINGS,
    Concern,
    OperatorNeeded,
    Refused,
    Throttled,
    Transient,
    WeComError,
    classify,
    meaning_of,
)

# Copied from the official list (path 90313), as far as it concerns customer contact.
CODES = Path(__file__).parent.parent / "data" / "wecom" / "errors.txt"
USER, FOLLOWERS = "user/get", "externalcontact/get_follow_user_list"


def test_every_code_of_the_list_is_sorted() -> None:
    lines = CODES.read_text(encoding="utf-8").splitlines()
    listed = {int(line) for line in lines if not line.startswith("#")}

    assert listed - MEANINGS.keys() == set()


@pytest.mark.parametrize("errcode", [60011, 60021, 50002, 60111, 40003, 40096, 84061, 40201, 40204])
def test_what_is_said_of_one_record_concerns_that_record(errcode: int) -> None:
    assert meaning_of(USER, errcode).concerns is Concern.RECORD
    assert isinstance(classify(USER, errcode, ""), Refused)


@pytest.mark.parametrize("errcode", [60011, 60021, 50002])
def test_out_of_range_concerns_the_app_where_the_call_names_nobody(errcode: int) -> None:
    error = classify(FOLLOWERS, errcode, "")

    assert meaning_of(FOLLOWERS, errcode).concerns is Concern.APP
    assert isinstance(error, OperatorNeeded)
    assert error.what_to_do == Reason("do_check_range")


@pytest.mark.parametrize(
    ("endpoint", "errcode", "concern", "kind"),
    [
        (USER, 48002, Concern.ENDPOINT, OperatorNeeded),
        (USER, 45009, Concern.ENDPOINT, Throttled),
        (USER, -1, Concern.ENDPOINT, Transient),
        (USER, 50003, Concern.APP, OperatorNeeded),
        (GETTOKEN, 40001, Concern.APP, OperatorNeeded),
        (USER, 60020, Concern.ADDRESS, OperatorNeeded),
        (GETTOKEN, 45009, Concern.ADDRESS, OperatorNeeded),
        (USER, 6000, Concern.RECORD, Transient),
        ("externalcontact/remind_groupmsg_send", 41094, Concern.RECORD, Throttled),
        (USER, 99999, Concern.RECORD, Refused),
    ],
)
def test_a_code_concerns(
    endpoint: str, errcode: int, concern: Concern, kind: type[WeComError]
) -> None:
    assert meaning_of(endpoint, errcode).concerns is concern
    assert isinstance(classify(endpoint, errcode, ""), kind)
