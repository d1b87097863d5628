"""客户: whose they are, who knows them, what they agreed to, and what happened."""

from datetime import datetime
from typing import Any, Literal

from apiflask import APIBlueprint
from pydantic import BaseModel, ConfigDict, Field, SerializerFunctionWrapHandler, model_serializer

from bot.api import context, paging
from bot.api.auth import READ, needs
from bot.api.paging import PageOut, PageQuery
from bot.api.problems import missing
from bot.api.schemas import Filter, Reasoned, Shown
from bot.api.timeline import entries
from bot.customers.by_consent import Whole, whole_customers, with_consent
from bot.customers.directory import find_customers
from bot.models import Customer
from bot.reports.journey import journey_of

blueprint = APIBlueprint("customers", __name__, url_prefix="/customers", tag="Customers")


class CustomersQuery(PageQuery):
    owner: Filter | None = Field(None, description="a userid; `none`: nobody's, `any`: somebody's")
    consent: Literal["agreed", "refused", "unknown"] | None = Field(
        None, description="customers of whom one conversation stands so"
    )
    q: Filter | None = Field(
        None, description="part of the name or id, the customer's or the owner's"
    )


class OwnerOut(Reasoned):
    userid: str
    since: datetime
    allocation_id: int | None


class RelationOut(Shown):
    userid: str
    state: Literal["active", "half", "ended"]
    added_at: datetime
    ended_at: datetime | None
    end: str | None


class PlatformConsentOut(Shown):
    """WeCom's own consent, with a member (userid) or in a group (chat_id)."""

    userid: str | None = None
    chat_id: str | None = None
    state: Literal["agreed", "refused", "unknown"]
    since: datetime
    evidence: str

    @model_serializer(mode="wrap")
    def _one_identifier(self, write: SerializerFunctionWrapHandler) -> dict[str, Any]:
        written: dict[str, Any] = write(self)
        return {name: value for name, value in written.items() if value is not None}


class FirmConsentOut(Shown):
    """The firm's own consent for a purpose."""

    purpose: str
    state: str
    version: str
    since: datetime


class ConsentOut(Shown):
    platform: list[PlatformConsentOut]
    firm: list[FirmConsentOut]


class CustomerOut(Shown):
    external_userid: str
    name: str
    owner: OwnerOut | None
    relations: list[RelationOut]
    consent: ConsentOut
    channel: str


class CustomersOut(PageOut):
    items: list[CustomerOut]


class TimelineEntryOut(BaseModel):
    """One thing that happened; what else it says depends on its kind."""

    model_config = ConfigDict(extra="allow")

    at: datetime
    kind: Literal[
        "event",
        "notice",
        "consent",
        "allocation",
        "ownership",
        "conflict",
        "settlement",
        "message",
        "digest",
        "handover",
    ]
    text: str


class TimelineOut(PageOut):
    items: list[TimelineEntryOut]


@blueprint.get("")
@needs(READ)
@blueprint.input(CustomersQuery, location="query")
@blueprint.output(CustomersOut)
def index(query_data: CustomersQuery) -> dict[str, Any]:
    """List customers by owner, consent, or part of a name."""
    query = find_customers(query_data.q or "", query_data.owner or "")
    if query_data.consent:
        query = with_consent(query, query_data.consent)
    column = Customer.external_userid
    rows, next_cursor = paging.page_of_query(query, column, query_data, newest_first=False)
    asked = query_data.model_dump(include={"q", "owner", "consent"})
    context.record_page("customer.list", "customers", [row.external_userid for row in rows], asked)
    return {
        "items": [_show(whole) for whole in whole_customers(rows)],
        "next_cursor": next_cursor,
    }


@blueprint.get("/<external_userid>")
@needs(READ)
@blueprint.output(CustomerOut)
def show(external_userid: str) -> dict[str, Any]:
    """Show one customer."""
    customer = Customer.get_or_none(Customer.external_userid == external_userid)
    if customer is None:
        raise missing("客户", "customer", external_userid)
    context.record_look("customer.look", f"customer {external_userid}")
    return _show(whole_customers([customer])[0])


@blueprint.get("/<external_userid>/timeline")
@needs(READ)
@blueprint.input(PageQuery, location="query")
@blueprint.output(TimelineOut)
def timeline(external_userid: str, query_data: PageQuery) -> dict[str, Any]:
    """Tell what happened with a customer and why, in the order of time."""
    journey = journey_of(external_userid)
    if journey is None:
        raise missing("客户", "customer", external_userid)
    context.record_look("customer.timeline", f"customer {external_userid}")
    told = entries(journey.steps)
    shown, next_cursor = paging.page_of_list(told, lambda entry: entry.key, query_data)
    return {"items": [entry.shown for entry in shown], "next_cursor": next_cursor}


def _show(whole: Whole) -> dict[str, Any]:
    return {
        "external_userid": whole.customer.external_userid,
        "name": whole.customer.name,
        "owner": whole.owner,
        "relations": whole.relations,
        "consent": {"platform": whole.answers, "firm": []},
        "channel": whole.customer.channel,
    }
