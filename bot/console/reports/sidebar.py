"""聊天侧边栏: beside a chat in WeCom, whose customer this is and what is open with them."""

from urllib.parse import urlsplit

from apiflask import APIBlueprint
from flask import Response, abort, flash, jsonify, make_response, redirect, render_template, request
from flask import url_for as address_of
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from bot import alarms, clock
from bot.consent.gaps import open_gaps_with
from bot.console import gate, pages
from bot.console.gate import allow
from bot.console.pages import kegui
from bot.console.reports import jssdk
from bot.customers import conflicts
from bot.customers.by_consent import in_contact, whole_customers
from bot.effects import Busy
from bot.models import Conflict, Customer, HandoverItem, Ownership
from bot.models.conflict import OPEN
from bot.models.handover import CUSTOMER, ITEM_OPEN
from bot.reports.rights import SIDEBAR
from bot.staff.names import names_of
from bot.wecom import WeComError

blueprint = APIBlueprint(
    "sidebar", __name__, template_folder="templates", url_prefix="/sidebar", enable_openapi=False
)


@blueprint.after_request
def allow_sdk(response: Response) -> Response:
    """Tencent's script may run here and on no other page, and speak with where it came from."""
    sdk = urlsplit(kegui().settings.wecom_jssdk_url)
    origin = f"{sdk.scheme}://{sdk.netloc}"
    response.headers["Content-Security-Policy"] = (
        f"{pages.HEADERS['Content-Security-Policy']}; script-src 'self' {origin};"
        f" connect-src 'self' {origin}"
    )
    return response


@blueprint.get("")
@allow(SIDEBAR)
def show() -> str:
    """Ask WeCom's client whose chat this is, then show that customer."""
    settings = kegui().settings
    return render_template(
        "sidebar/show.html",
        sdk=settings.wecom_jssdk_url,
        corp_id=settings.corp_id,
        agent_id=settings.agent_id,
    )


@blueprint.get("/signature")
@allow(SIDEBAR)
def signature() -> ResponseReturnValue:
    """Sign one of our own pages for the client."""
    url, identity = request.args.get("url", ""), request.args.get("as", "")
    # Not as the request has it: a browser may be made to ask under any name.
    is_ours = any(url.startswith(f"{one}/") for one in kegui().settings.own_addresses)
    if identity not in jssdk.IDENTITIES or not is_ours or "#" in url:
        abort(404)
    try:
        made = jssdk.sign(url, identity, kegui())
    except WeComError as error:
        alarms.raise_alarm_for(error, kegui())
        return jsonify({"error": _("企业微信暂时没有答复，请稍后重试。")}), 503
    return jsonify(
        {"timestamp": made.timestamp, "nonceStr": made.nonce, "signature": made.signature}
    )


@blueprint.get("/customers/<external_userid>")
@allow(SIDEBAR)
def customer(external_userid: str) -> str:
    """Whose customer, what they agreed to, and what is open; the id comes from the browser."""
    known = _visible(external_userid)
    gate.record_look("sidebar.look", f"customer {external_userid}")
    [whole] = whole_customers([known])
    conflict = Conflict.get_or_none(external_userid=external_userid, state=OPEN)
    moving = HandoverItem.get_or_none(
        HandoverItem.kind == CUSTOMER,
        HandoverItem.subject == external_userid,
        HandoverItem.state.in_(ITEM_OPEN),
    )
    me = str(gate.me().userid)
    owner = whole.owner.userid if whole.owner else None
    answers = {answer.userid: answer.state for answer in whole.answers if answer.userid}
    return render_template(
        "sidebar/customer.html",
        customer=known,
        owner=whole.owner,
        is_mine=owner == me,
        consent=answers.get(me, "unknown"),
        conflict=conflict,
        moving=moving,
        gaps=open_gaps_with(external_userid, clock.now()),
        names=names_of(
            staff=[
                owner,
                *(conflict.contenders if conflict else ()),
                moving.takeover_userid if moving else None,
            ],
            customers=[external_userid],
        ),
    )


@blueprint.post("/customers/<external_userid>/conflict")
@allow(SIDEBAR)
def open_conflict(external_userid: str) -> ResponseReturnValue:
    """Say that two members are after this customer; the manager decides."""
    _visible(external_userid)
    me = str(gate.me().userid)
    owner = Ownership.current(external_userid)
    others = [userid for userid in in_contact(external_userid) if userid != me]
    contender = me if owner is None or owner.userid != me else next(iter(others), "")
    if owner is None or not contender or contender == owner.userid:
        flash(_("没有第二位成员与这位客户联系，无需上报。"), "info")
    else:
        try:
            conflicts.open_by_member(external_userid, owner.userid, contender, gate.who(), kegui())
            flash(_("已上报，归属成员和主管会收到通知。"), "good")
        except (WeComError, Busy) as error:
            alarms.raise_alarm_for(error, kegui())
            flash(_("已记录归属冲突，但通知暂时没有发出，请直接告知主管。"), "warn")
    return redirect(address_of("console.sidebar.customer", external_userid=external_userid))


def _visible(external_userid: str) -> Customer:
    known = Customer.get_or_none(Customer.external_userid == external_userid)
    if known is None or not gate.me().may_see_customer(external_userid, SIDEBAR):
        abort(make_response(render_template("sidebar/unknown.html"), 404))
    return known
