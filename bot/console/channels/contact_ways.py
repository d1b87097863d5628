"""渠道活码: WeCom's contact ways that Kegui makes, and the members they lead to."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache

from apiflask import APIBlueprint
from flask import Response, abort, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from bot import alarms
from bot.channels import contact_ways
from bot.channels.by_channel import (
    customers_by_state,
    customers_within_by_state,
    find_ways,
    is_within,
    members_to_choose,
)
from bot.channels.rights import CHANGE_CONTACT_WAYS, SEE_CONTACT_WAYS
from bot.console import gate, sent_forms
from bot.console.gate import allow
from bot.console.pages import PAGE_SIZE, kegui, page_number
from bot.console.wecom_troubles import sentence
from bot.customers.rights import SEE_CUSTOMERS
from bot.db import released
from bot.models import ContactWay, Staff
from bot.paging import page_of_query
from bot.rights import Right
from bot.staff.names import names_of
from bot.wecom import Refused, WeComError
from bot.wecom.contact_ways import MEMBERS_OF_ONE
from bot.wecom.images import Image, Images

# WeCom takes so many characters (path 92228).
LONGEST_STATE = LONGEST_REMARK = 30
LONGEST_CHANNEL = 64
CHOICES = 30
# The list says 10,000+ from here on; the page of one way has the number.
MOST_CUSTOMERS = 10_000
# Whoever sees a part of the firm has their own counted among so many.
LATEST_IN_LIST = 500
LATEST_OF_ONE = 5_000
FIND = "find"
WAY = "/<int(max=9223372036854775807):way_id>"

blueprint = APIBlueprint(
    "contact_ways",
    __name__,
    template_folder="templates",
    url_prefix="/contact-ways",
    enable_openapi=False,
)


@dataclass
class Typed:
    """What stands in the form, and what is wrong with it by the fields' names."""

    userids: list[str] = field(default_factory=list)
    state: str = ""
    channel: str = ""
    remark: str = ""
    search: str = ""
    seen: str = ""
    errors: dict[str, str] = field(default_factory=dict)


@blueprint.get("")
@allow(SEE_CONTACT_WAYS)
def index() -> str:
    """The ways that lead to nobody but members over whom the asker's right goes."""
    text = request.args.get("q", "").strip()
    scope = gate.scope(SEE_CONTACT_WAYS)
    page = page_of_query(find_ways(text, scope), page_number(), PAGE_SIZE)
    ways: list[ContactWay] = list(page.rows)
    latest = _looked_at(LATEST_IN_LIST)
    return render_template(
        "contact_ways/index.html",
        ways=ways,
        page=page,
        text=text,
        is_part=not scope.is_firm,
        met=_met([way.state for way in ways], latest, MOST_CUSTOMERS),
        most=latest or MOST_CUSTOMERS,
        latest=latest,
        names=names_of(staff=[userid for way in ways for userid in way.userids]),
    )


@blueprint.get(WAY)
@allow(SEE_CONTACT_WAYS)
def show(way_id: int) -> str:
    """One way: its code to scan, whom it leads to, and how many came."""
    way = _visible(way_id, SEE_CONTACT_WAYS)
    latest = _looked_at(LATEST_OF_ONE)
    return render_template(
        "contact_ways/show.html",
        way=way,
        has_image=_image(way) is not None,
        may_change=_may_change(way),
        met=_met([way.state], latest).get(way.state, 0),
        latest=latest,
        names=names_of(staff=way.userids),
    )


@blueprint.get(f"{WAY}/qr")
@allow(SEE_CONTACT_WAYS)
def qr(way_id: int) -> Response:
    """The image to scan, or to print; WeCom's own address is asked by the server alone."""
    image = _image(_visible(way_id, SEE_CONTACT_WAYS))
    if image is None:
        abort(404)
    answer = Response(image.content, mimetype=image.type)
    answer.headers["Cache-Control"] = "private, max-age=3600"
    if "download" in request.args:
        ending = image.type.removeprefix("image/")
        answer.headers["Content-Disposition"] = f'attachment; filename="qr-{way_id}.{ending}"'
    return answer


@blueprint.get("/new")
@allow(CHANGE_CONTACT_WAYS)
def new() -> str:
    """The form for a new way."""
    return _form(Typed(), None)


@blueprint.post("/new")
@allow(CHANGE_CONTACT_WAYS)
def create() -> ResponseReturnValue:
    """Make a way in WeCom."""
    typed = _typed()
    if request.form.get("do") == FIND:
        return _form(typed, None)
    _check(typed, is_new=True)
    if not typed.errors and not sent_forms.is_first(request.form.get("key", "")):
        flash(_("这张表单已经提交过，没有再次新建。请在列表中核对。"), "info")
        return redirect(url_for("console.contact_ways.index"))
    if not typed.errors:
        try:
            way = contact_ways.make(
                typed.userids, typed.state, typed.remark, typed.channel, gate.who(), kegui()
            )
        except WeComError as error:
            alarms.raise_alarm_for(error, kegui())
            typed.errors["wecom"] = sentence(error)
            return _form(typed, None), _status(error)
        flash(_("渠道活码已建立，可以下载二维码使用。"), "good")
        return redirect(url_for("console.contact_ways.show", way_id=way.id))
    return _form(typed, None), 422


@blueprint.get(f"{WAY}/edit")
@allow(CHANGE_CONTACT_WAYS)
def edit(way_id: int) -> str:
    """The form of a way's members and remark."""
    way = _visible(way_id, CHANGE_CONTACT_WAYS)
    return _form(_as_it_is(way), way)


@blueprint.post(f"{WAY}/edit")
@allow(CHANGE_CONTACT_WAYS)
def change(way_id: int) -> ResponseReturnValue:
    """Change a way in WeCom and here."""
    way = _visible(way_id, CHANGE_CONTACT_WAYS)
    typed = _typed()
    typed.state, typed.channel = way.state, way.channel
    typed.seen = request.form.get("seen", "")
    if request.form.get("do") == FIND:
        return _form(typed, way)
    if typed.seen not in ("", _seen(way)):
        return _changed_meanwhile(way)
    _check(typed, is_new=False)
    if typed.errors:
        return _form(typed, way), 422
    userids = None if set(typed.userids) == set(way.userids) else typed.userids
    remark = None if typed.remark == way.remark else typed.remark
    if userids is None and remark is None:
        flash(_("没有改动。"), "info")
        return redirect(url_for("console.contact_ways.show", way_id=way.id))
    try:
        contact_ways.change(way, gate.who(), kegui(), userids=userids, remark=remark)
    except contact_ways.Changed:
        return _changed_meanwhile(_visible(way_id, CHANGE_CONTACT_WAYS))
    except WeComError as error:
        alarms.raise_alarm_for(error, kegui())
        typed.errors["wecom"] = sentence(error)
        return _form(typed, way), _status(error)
    flash(_("渠道活码已修改，二维码不变。"), "good")
    return redirect(url_for("console.contact_ways.show", way_id=way.id))


def _as_it_is(way: ContactWay) -> Typed:
    """What the form shows before anything was typed."""
    return Typed(list(way.userids), way.state, way.channel, way.remark, seen=_seen(way))


def _seen(way: ContactWay) -> str:
    """As of when a form shows a way: somebody else may change it while one types."""
    return way.updated_at.isoformat()


def _changed_meanwhile(way: ContactWay) -> ResponseReturnValue:
    typed = _as_it_is(way)
    typed.errors["wecom"] = _("内容刚刚被他人修改。以下是最新内容，请核对后再修改。")
    return _form(typed, way), 409


@blueprint.get(f"{WAY}/remove")
@allow(CHANGE_CONTACT_WAYS)
def confirm_removal(way_id: int) -> str:
    """Ask for a yes: what is printed leads nowhere afterwards."""
    return _removal(_visible(way_id, CHANGE_CONTACT_WAYS), "")


@blueprint.post(f"{WAY}/remove")
@allow(CHANGE_CONTACT_WAYS)
def remove(way_id: int) -> ResponseReturnValue:
    """Delete a way in WeCom and here."""
    way = _visible(way_id, CHANGE_CONTACT_WAYS)
    try:
        contact_ways.remove(way, gate.who(), kegui())
    except contact_ways.Changed:
        way = _visible(way_id, CHANGE_CONTACT_WAYS)
        return _removal(way, _("他人正在修改，请稍后再试。")), 409
    except WeComError as error:
        alarms.raise_alarm_for(error, kegui())
        return _removal(way, sentence(error)), _status(error)
    flash(_("渠道活码“%(state)s”已删除。", state=way.state), "good")
    return redirect(url_for("console.contact_ways.index"))


def _form(typed: Typed, way: ContactWay | None) -> str:
    scope = gate.scope(CHANGE_CONTACT_WAYS)
    found = members_to_choose(typed.search, scope, typed.userids, CHOICES + 1)
    return render_template(
        "contact_ways/form.html",
        typed=typed,
        way=way,
        key=sent_forms.new_key(),
        found=found[:CHOICES],
        has_more=len(found) > CHOICES,
        most=MEMBERS_OF_ONE,
        names=names_of(staff=typed.userids),
    )


def _removal(way: ContactWay, error: str) -> str:
    return render_template(
        "contact_ways/remove.html",
        way=way,
        error=error,
        names=names_of(staff=way.userids),
    )


def _typed() -> Typed:
    def text(name: str) -> str:
        return request.form.get(name, "").strip()

    userids = list(dict.fromkeys(request.form.getlist("userids")))
    return Typed(userids, text("state"), text("channel"), text("remark"), text("search"))


def _check(typed: Typed, *, is_new: bool) -> None:
    """Note what is wrong with the form."""
    typed.errors |= _too_long(typed)
    if is_new and not typed.state:
        typed.errors["state"] = _("请填写渠道标识，客户由它区分来源。")
    if not typed.userids:
        typed.errors["userids"] = _("请至少选择一位成员。")
    elif len(typed.userids) > MEMBERS_OF_ONE:
        typed.errors["userids"] = _("最多选择 %(most)s 位成员。", most=MEMBERS_OF_ONE)
    else:
        outside = _outside(typed.userids)
        if outside:
            names = _("、").join(outside)
            typed.errors["userids"] = _("只能选择您管辖的成员，请去掉：%(names)s。", names=names)


def _too_long(typed: Typed) -> dict[str, str]:
    longest = {"state": LONGEST_STATE, "remark": LONGEST_REMARK, "channel": LONGEST_CHANNEL}
    return {
        name: _("不超过 %(most)s 个字。", most=most)
        for name, most in longest.items()
        if len(getattr(typed, name)) > most or re.search(r"[\x00-\x1f]", getattr(typed, name))
    }


def _outside(userids: Sequence[str]) -> list[str]:
    """Those whom the asker may not name; whether they can have customers is for WeCom to say."""
    named = Staff.select(Staff.userid).where(Staff.userid.in_(userids))
    allowed = gate.scope(CHANGE_CONTACT_WAYS).of_members(named, Staff.userid)
    known = {row.userid for row in allowed}
    return [userid for userid in userids if userid not in known]


def _visible(way_id: int, right: Right) -> ContactWay:
    """The way, if it leads to nobody but members over whom the asker's right goes."""
    way = ContactWay.get_or_none(ContactWay.id == way_id)
    if way is None or not is_within(way, gate.scope(right)):
        abort(404)
    return way


def _looked_at(latest: int) -> int | None:
    """Among how many of a channel's latest customers the asker's are counted; None: of all."""
    return None if gate.scope(SEE_CUSTOMERS).is_firm else latest


def _met(states: Sequence[str], latest: int | None, most: int | None = None) -> dict[str, int]:
    """How many customers came by each, of those whom the asker may see."""
    if latest is None:
        return customers_by_state(states, most)
    return customers_within_by_state(states, gate.scope(SEE_CUSTOMERS), latest)


def _may_change(way: ContactWay) -> bool:
    right = CHANGE_CONTACT_WAYS
    return gate.me().may(right) and is_within(way, gate.scope(right))


def _image(way: ContactWay) -> Image | None:
    if not way.qr_code:
        return None
    with released():
        return _images(kegui().settings.wecom_api_base).get(way.qr_code)


@lru_cache(maxsize=1)
def _images(api_base: str) -> Images:
    """The images that this process has fetched."""
    return Images(api_base)


def _status(error: WeComError) -> int:
    return 422 if isinstance(error, Refused) else 503
