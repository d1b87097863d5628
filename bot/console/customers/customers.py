"""客户: every customer, and one customer's whole story."""

from collections.abc import Collection
from typing import Any

from apiflask import APIBlueprint
from flask import abort, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from bot import alarms
from bot.audit.log import without_phones
from bot.audit.search import as_kept
from bot.console import gate
from bot.console.customers.conflicts import resolvable, settled_by
from bot.console.gate import allow
from bot.console.pages import PAGE_SIZE, choice, kegui, page_number
from bot.console.words import word
from bot.customers import phones as phone_acts
from bot.customers.by_consent import with_consent
from bot.customers.directory import entries, find_customers
from bot.customers.rights import REVEAL_PHONES, SEE_CUSTOMERS
from bot.db import released
from bot.handover.rights import MOVE_CUSTOMERS, OPEN_OFFBOARDINGS
from bot.models import Allocation, Conflict, Customer, HandoverItem
from bot.models.conflict import OPEN
from bot.paging import page_of_list, page_of_query
from bot.reports import journey as story
from bot.reports.journey import Journey, Step, journey_of
from bot.staff.names import Names, names_of
from bot.wecom import WeComError
from bot.words import QUIET

STEPS_PER_PAGE = 100
# Whoever looks for one behind them asks for a name or an owner.
MOST_CUSTOMERS = 1_000
CONSENTS = ("agreed", "refused", "unknown")
# Where the words for the state of such a step are.
TOPICS = {
    story.EVENT: "inbox",
    story.NOTICE: "notice",
    story.CONSENT: "consent",
    story.CONFLICT: "conflict",
    story.HANDOVER: "item",
    story.MESSAGE: "message",
}

blueprint = APIBlueprint(
    "customers",
    __name__,
    template_folder="templates",
    url_prefix="/customers",
    enable_openapi=False,
)


@blueprint.get("")
@allow(SEE_CUSTOMERS, shows_customers=True)
def index() -> str:
    """Customers by name, id or owner, those met last first."""
    text = request.args.get("q", "").strip()
    owner = request.args.get("owner", "")
    channel = request.args.get("channel", "").strip()
    consent = choice("consent", ("", *CONSENTS), "")
    query = find_customers(text, owner, gate.scope(SEE_CUSTOMERS))
    if consent:
        query = with_consent(query, consent)
    if channel:
        query = query.where(Customer.channel == channel)
    page = page_of_query(query, page_number(), PAGE_SIZE, MOST_CUSTOMERS)
    gate.record_look(
        "customer.list",
        "customers",
        q=as_kept(text) or None,
        owner=as_kept(owner) or None,
        consent=consent or None,
        channel=without_phones(channel) or None,
        page=page.number,
    )
    found = entries(page.rows)
    members = [userid for entry in found for userid in (entry.owner, *entry.members)]
    return render_template(
        "customers/index.html",
        entries=found,
        page=page,
        text=text,
        owner=owner,
        consent=consent,
        channel=channel,
        names=names_of(staff=[*members, owner if gate.scope(SEE_CUSTOMERS).has(owner) else None]),
    )


@blueprint.post("/<external_userid>/phones")
@allow(REVEAL_PHONES, shows_customers=True)
def phones(external_userid: str) -> ResponseReturnValue:
    """Ask WeCom for the phone numbers that members noted, and show them once; none is kept."""
    if not gate.me().may_see_customer(external_userid, REVEAL_PHONES):
        abort(404)
    back = url_for("console.customers.show", external_userid=external_userid)
    try:
        phone_acts.note_reveal(external_userid, gate.who(), kegui())
    except phone_acts.TooMany:
        most = kegui().settings.phones_per_hour
        flash(
            _("一小时内最多查看 %(most)s 位客户的手机号，您已达上限，请稍后再试。", most=most),
            "bad",
        )
        return redirect(back)
    try:
        with released():
            found = kegui().wecom.customers.phones_of(external_userid)
    except WeComError as error:
        alarms.raise_alarm_for(error, kegui())
        flash(_("企业微信暂时没有答复，请稍后重试。"), "bad")
        return redirect(back)
    within = gate.scope(REVEAL_PHONES).within(found)
    return render_template(
        "customers/phones.html",
        phones={userid: found[userid] for userid in sorted(within) if found[userid]},
        back=back,
        external_userid=external_userid,
        names=names_of(staff=within, customers=[external_userid]),
    )


@blueprint.get("/<external_userid>")
@allow(SEE_CUSTOMERS, shows_customers=True)
def show(external_userid: str) -> str:
    """What happened to one customer, step by step, and why."""
    if not gate.me().may_see_customer(external_userid, SEE_CUSTOMERS):
        abort(404)
    gate.record_look("customer.look", f"customer {external_userid}")
    journey = journey_of(external_userid)
    if journey is None:
        abort(404)
    owner = journey.owner.userid if journey.owner else None
    within = gate.scope(MOVE_CUSTOMERS)
    needless = journey.needless_notices()
    moving = journey.under_way()
    names = _names_in(journey)
    owner_has_left = (
        owner is not None
        and moving is None
        and names.has_left(owner)
        and gate.scope(OPEN_OFFBOARDINGS).has(owner)
    )
    return render_template(
        "customers/show.html",
        journey=journey,
        moving=moving,
        owner_has_left=owner_has_left,
        may_move=owner is not None and within.has(owner) and moving is None,
        page=page_of_list(journey.steps, page_number(), STEPS_PER_PAGE),
        mine_to_resolve=resolvable(
            step.row
            for step in journey.steps
            if isinstance(step.row, Conflict) and step.row.state == OPEN
        ),
        tone_of=_tone,
        needless_notices=needless,
        names=names,
    )


def _tone(step: Step, needless: Collection[int]) -> str:
    """How a step went, as the colour of its mark."""
    topic = TOPICS.get(step.kind)
    row: Any = step.row
    if step.kind == story.NOTICE and row.id in needless:
        return QUIET
    return word(topic, row.state).tone if topic else QUIET


def _names_in(journey: Journey) -> Names:
    members: set[str | None] = {contact.relation.userid for contact in journey.contacts}
    for step in journey.steps:
        row = step.row
        members |= {getattr(row, "userid", None), getattr(row, "owner", None), step.recipient}
        members |= {attempt.takeover_userid for attempt in step.attempts}
        if isinstance(row, Allocation):
            members |= {one["userid"] for one in row.candidates}
            members.add(row.added_userid)
        elif isinstance(row, Conflict):
            members |= {*row.contenders, settled_by(row)}
        elif isinstance(row, HandoverItem):
            members |= {row.takeover_userid, row.handover.userid}
    return names_of(
        staff=members,
        customers=[journey.customer.external_userid],
        groups=[consent.chat_id for consent in journey.group_consents],
    )
