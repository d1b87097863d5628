"""The pieces of which the API's requests and answers are made."""

import re
from datetime import date
from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    model_validator,
)

from bot.api.field_errors import fault
from bot.api.paging import LARGEST_ID
from bot.api.problems import missing
from bot.db import Model
from bot.handover.rules import MOST_SUCCESSORS
from bot.models import Staff
from bot.models.staff import LONGEST_USERID
from bot.reason import Reason, in_words

# PostgreSQL stores no NUL.
_CLEAN = r"^[^\x00]*$"


Userid = Annotated[str, StringConstraints(min_length=1, max_length=LONGEST_USERID, pattern=_CLEAN)]
# A member: the userid as it is written here, however the caller spells it.
Member = Annotated[Userid, AfterValidator(Staff.spelled)]
Members = Annotated[
    list[Userid], Field(max_length=MOST_SUCCESSORS), AfterValidator(Staff.each_spelled)
]
SomeMembers = Annotated[Members, Field(min_length=1)]
# What a list is narrowed by: an id, a type, a part of a name.
Filter = Annotated[str, StringConstraints(max_length=200)]
MemberFilter = Annotated[Filter, AfterValidator(Staff.spelled)]
Name = Annotated[str, StringConstraints(max_length=64, pattern=_CLEAN)]
Words30 = Annotated[str, StringConstraints(max_length=30, pattern=_CLEAN)]
Words200 = Annotated[str, StringConstraints(max_length=200, pattern=_CLEAN)]
Words = Annotated[str, StringConstraints(max_length=2000, pattern=_CLEAN)]


def _written_day(value: Any) -> Any:
    """A day is written out; a number would be read as seconds."""
    if not isinstance(value, str) or not re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", value):
        raise fault("day")
    return value


Day = Annotated[date, BeforeValidator(_written_day)]


class Asked(BaseModel):
    """The body of a request: a field that does not exist is refused."""

    model_config = ConfigDict(extra="forbid")


class Shown(BaseModel):
    """Something in an answer, read from the attributes of what the models remember."""

    model_config = ConfigDict(from_attributes=True)


class Reasoned(Shown):
    """Something that has a reason: its code, and what that means in the caller's language."""

    reason: str
    reason_text: str

    @model_validator(mode="before")
    @classmethod
    def _in_words(cls, row: Any) -> Any:
        names = set(cls.model_fields) - {"reason_text"}
        given = row if isinstance(row, dict) else {name: getattr(row, name) for name in names}
        reason = given["reason"]
        if not isinstance(reason, Reason):
            # A person's own words.
            return {"reason_text": reason, **given}
        return {**given, "reason": reason.code, "reason_text": in_words(reason)}


def may_be_left_out() -> Any:
    """A field that keeps what there is when it is left out; null is no way to say that."""
    return Field(default=None, json_schema_extra=_without_default)


def _without_default(schema: dict[str, Any]) -> None:
    schema.pop("default", None)


def one_of(model: type[Model], number: int, chinese: str, english: str, *where: Any) -> Any:
    """Return the row with this id.

    Raises:
        Problem: there is none.
    """
    key: Any = model._meta.primary_key
    row = model.get_or_none(key == number, *where) if number <= LARGEST_ID else None
    if row is None:
        raise missing(chinese, english, number)
    return row


def refuse_null(value: Any) -> Any:
    """Refuse null in a field that may only be left out."""
    if value is None:
        raise fault("null")
    return value
