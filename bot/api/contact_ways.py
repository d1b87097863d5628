"""「联系我」: the QR codes that Kegui makes, and whom they lead to."""

from datetime import datetime
from typing import Any

from apiflask import APIBlueprint
from flask import Response
from pydantic import field_validator
from pydantic.json_schema import SkipJsonSchema

from bot.api import context, paging
from bot.api.auth import READ, needs
from bot.api.paging import PageOut, PageQuery
from bot.api.schemas import (
    Asked,
    Filter,
    Name,
    Shown,
    SomeMembers,
    Words30,
    may_be_left_out,
    one_of,
    refuse_null,
)
from bot.channels import contact_ways
from bot.models import ContactWay

SCOPE = "allocation"

blueprint = APIBlueprint("contact_ways", __name__, url_prefix="/contact-ways", tag="Contact ways")


class ContactWaysQuery(PageQuery):
    state: Filter | None = None
    channel: Filter | None = None


class ContactWayIn(Asked):
    """``state`` comes back with every customer who used the code."""

    userids: SomeMembers
    state: Words30
    remark: Words30 = ""
    channel: Name = ""


class ContactWayChange(Asked):
    userids: SomeMembers | SkipJsonSchema[None] = may_be_left_out()
    remark: Words30 | SkipJsonSchema[None] = may_be_left_out()

    _no_null = field_validator("userids", "remark", mode="before")(refuse_null)


class ContactWayOut(Shown):
    id: int
    config_id: str
    qr_code: str
    userids: list[str]
    state: str
    remark: str
    channel: str
    created_at: datetime
    updated_at: datetime


class ContactWaysOut(PageOut):
    items: list[ContactWayOut]


@blueprint.post("")
@needs(SCOPE)
@blueprint.input(ContactWayIn)
@blueprint.output(ContactWayOut, status_code=201)
def create(json_data: ContactWayIn) -> ContactWay:
    """Make a contact way in WeCom."""
    return contact_ways.make(
        json_data.userids,
        json_data.state,
        json_data.remark,
        json_data.channel,
        context.who(),
        context.kegui(),
    )


@blueprint.get("")
@needs(READ, SCOPE)
@blueprint.input(ContactWaysQuery, location="query")
@blueprint.output(ContactWaysOut)
def index(query_data: ContactWaysQuery) -> dict[str, Any]:
    """List the contact ways that Kegui made, the latest first."""
    query = ContactWay.select()
    if query_data.state is not None:
        query = query.where(ContactWay.state == query_data.state)
    if query_data.channel is not None:
        query = query.where(ContactWay.channel == query_data.channel)
    rows, next_cursor = paging.page_of_query(query, ContactWay.id, query_data)
    return {"items": rows, "next_cursor": next_cursor}


@blueprint.get("/<int:number>")
@needs(READ, SCOPE)
@blueprint.output(ContactWayOut)
def show(number: int) -> ContactWay:
    """Show one contact way."""
    return _find(number)


@blueprint.patch("/<int:number>")
@needs(SCOPE)
@blueprint.input(ContactWayChange)
@blueprint.output(ContactWayOut)
def change(number: int, json_data: ContactWayChange) -> ContactWay:
    """Change whom the code leads to, or the remark."""
    way = _find(number)
    if not json_data.model_fields_set:
        return way
    return contact_ways.change(
        way,
        context.who(),
        context.kegui(),
        userids=json_data.userids,
        remark=json_data.remark,
    )


@blueprint.delete("/<int:number>")
@needs(SCOPE)
@blueprint.output({}, status_code=204)
def delete(number: int) -> Response:
    """Delete the contact way in WeCom and here."""
    contact_ways.remove(_find(number), context.who(), context.kegui())
    return Response(status=204)


def _find(number: int) -> ContactWay:
    way: ContactWay = one_of(ContactWay, number, "联系我", "contact way")
    return way
