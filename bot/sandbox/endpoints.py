"""The list of endpoints, and what each asks of the state."""

from typing import Any

from bot.sandbox import (
    cards,
    contact_ways,
    customers,
    groups,
    jsapi,
    login,
    messages,
    staff,
    tokens,
    transfers,
    welcome,
)
from bot.sandbox.errors import Refusal
from bot.sandbox.gate import APP, ARCHIVE, CONTACTS, Call, Endpoint, endpoint
from bot.sandbox.paging import page
from bot.sandbox.state import ContactWay, Department

PAGE = 1000
FOLLOWERS = 500
WAYS_DEFAULT, DAYS_BACK = 100, 90
PAIRS, TOO_MANY_PAIRS = 100, 301060
WRONG_AGENT = 301002
Answer = dict[str, Any]


def gettoken(call: Call) -> Answer:
    corp_id = call.parameters.text("corpid")
    secret = call.parameters.text("corpsecret")
    token, seconds = tokens.get(call.world, corp_id, secret, call.address)
    return {"access_token": token, "expires_in": seconds}


def addresses(_call: Call) -> Answer:
    return {"ip_list": ["127.0.0.1"]}


def getuserinfo(call: Call) -> Answer:
    return login.identity(call.world, call.app, call.parameters.text("code", required=False))


def get_jsapi_ticket(call: Call) -> Answer:
    return jsapi.give_ticket(call.world, jsapi.CORPORATION)


def ticket_get(call: Call) -> Answer:
    if call.parameters.text("type") != "agent_config":
        raise Refusal(40058, "type")
    return jsapi.give_ticket(call.world, call.app.agent_id)


def _department(call: Call, name: str) -> int | None:
    given = call.parameters.values.get(name)
    return call.parameters.number(name) if given else None


def _departments(call: Call) -> list[Department]:
    found = staff.subtree(call.world, _department(call, "id"))
    return [] if staff.range_is_empty(call.world) else found


def agent_get(call: Call) -> Answer:
    if call.parameters.number("agentid", required=True) != call.app.agent_id:
        raise Refusal(WRONG_AGENT)
    seen = staff.visible(call.world)
    sees_all = all(one.visible for one in call.world.members.values())
    shown = [] if sees_all else [{"userid": one.userid} for one in seen]
    return {
        "agentid": call.app.agent_id,
        "name": "客规",
        "square_logo_url": "",
        "description": "",
        "allow_userinfos": {"user": shown},
        "allow_partys": {"partyid": [1] if sees_all else []},
        "allow_tags": {"tagid": list[int]()},
        "close": int(not call.app.enabled),
        "redirect_domain": call.app.trusted_domain,
        "report_location_flag": 0,
        "isreportenter": 0,
        "home_url": "",
    }


def department_list(call: Call) -> Answer:
    rows = []
    for one in _departments(call):
        row: Answer = {"id": one.id, "name": one.name, "department_leader": one.department_leader}
        row |= {"parentid": one.parentid, "order": one.order}
        rows.append(row | ({"name_en": one.name_en} if one.name_en else {}))
    return {"department": rows}


def department_simplelist(call: Call) -> Answer:
    found = _departments(call)
    rows = [{"id": one.id, "parentid": one.parentid, "order": one.order} for one in found]
    return {"department_id": rows}


def user_get(call: Call) -> Answer:
    member = staff.find(call.world, call.parameters.text("userid"))
    if member is not None and member.errcode:
        raise Refusal(member.errcode)
    if member is None or not member.visible:
        raise Refusal(60111)
    if member.deleted and call.world.switches.left_member == "gone":
        raise Refusal(60111)
    return staff.user_row(member)


def user_simplelist(call: Call) -> Answer:
    department = call.parameters.number("department_id", required=True)
    if department not in call.world.departments:
        raise Refusal(40066)
    rows = [
        {"userid": one.userid, "name": one.name, "department": one.departments}
        for one in call.world.members.values()
        if department in one.departments and one.visible and not one.deleted
    ]
    return {"userlist": rows}


def user_list_id(call: Call) -> Answer:
    rows = [
        {"userid": one.userid, "department": department}
        for one in call.world.members.values()
        if not one.deleted
        for department in one.departments
    ]
    limit = call.parameters.number("limit", default=10_000, most=10_000) or 10_000
    shown, following = _page(call, rows, limit)
    return {"next_cursor": following, "dept_user": shown}


def _page(call: Call, rows: list[Any], limit: int) -> tuple[list[Any], str]:
    cursor = call.parameters.text("cursor", required=False)
    return page(rows, cursor, limit, call.world.switches)


def follow_user_list(call: Call) -> Answer:
    members = call.world.members.values()
    return {"follow_user": [one.userid for one in members if staff.has_contacts(one)]}


def customer_list(call: Call) -> Answer:
    member = staff.in_range(call.world, call.parameters.text("userid"))
    relations = call.world.by_member.get(staff.key(member.userid), {})
    found = [one for one, relation in relations.items() if relation.is_usable]
    if not member.follow:
        found = []
    if not found and call.world.switches.empty_list_code:
        raise Refusal(call.world.switches.empty_list_code)
    return {"external_userid": found}


def customer_get(call: Call) -> Answer:
    customer = call.world.customers.get(call.parameters.text("external_userid"))
    if customer is None:
        raise Refusal(40096)
    found = customers.followers(call.world, customer)
    if not found:
        raise Refusal(84061)
    shown, following = _page(call, found, FOLLOWERS)
    rows = [customers.follow_row(one) | {"tags": list[Any]()} for one in shown]
    answer = {"external_contact": customers.contact_row(customer), "follow_user": rows}
    return answer | ({"next_cursor": following} if following else {})


def batch_get_by_user(call: Call) -> Answer:
    userids = call.parameters.texts("userid_list", most=100)
    # Above the maximum the maximum holds (path 92994).
    limit = min(call.parameters.number("limit", default=50) or 50, 100)
    found = []
    for userid in dict.fromkeys(map(staff.key, userids)):
        member = staff.in_range(call.world, userid, 40003)
        if staff.has_contacts(member):
            found += [one for one in call.world.by_member.get(userid, {}).values() if one.is_usable]
    shown, following = _page(call, found, limit)
    rows = [
        {
            "external_contact": customers.contact_row(call.world.customers[one.external_userid]),
            "follow_info": customers.follow_row(one) | {"tag_id": list[str]()},
        }
        for one in shown
    ]
    fail_info = {"unlicensed_userid_list": list[str]()}
    return {"external_contact_list": rows, "next_cursor": following, "fail_info": fail_info}


REMARK_FIELDS = {"remark": 20, "description": 150, "remark_company": 20}


def remark(call: Call) -> Answer:
    parameters = call.parameters
    userid, external_userid = parameters.text("userid"), parameters.text("external_userid")
    given: Answer = {
        name: parameters.text(name, required=False, most=most)
        for name, most in REMARK_FIELDS.items()
        if name in parameters.values
    }
    if "remark_mobiles" in parameters.values:
        mobiles = parameters.texts("remark_mobiles", most=100, required=False)
        given["remark_mobiles"] = [one for one in mobiles if one]
    if not given and "remark_pic_mediaid" not in parameters.values:
        raise Refusal(40063, "one of the remark fields")
    relation = customers.usable_relation(call.world, userid, external_userid)
    for name, value in given.items():
        setattr(relation, "remark_corp_name" if name == "remark_company" else name, value)
    call.world.record("remark", userid=relation.userid, external_userid=external_userid, **given)
    return {}


def send_welcome_msg(call: Call) -> Answer:
    code = call.parameters.text("welcome_code")
    text = call.parameters.part("text").text("content", required=False)
    attachments = call.parameters.items("attachments")
    welcome.check_content(text, attachments)
    welcome.send(call.world, code, call.app.agent_id, text, len(attachments or []))
    return {}


def _transfer(call: Call, is_resigned: bool) -> Answer:
    handover = call.parameters.text("handover_userid")
    takeover = call.parameters.text("takeover_userid")
    external = call.parameters.texts("external_userid", most=100)
    if not is_resigned:
        call.parameters.text("transfer_success_msg", required=False, most=200)
    return {"customer": transfers.start(call.world, handover, takeover, external, is_resigned)}


def transfer_customer(call: Call) -> Answer:
    return _transfer(call, is_resigned=False)


def resigned_transfer_customer(call: Call) -> Answer:
    return _transfer(call, is_resigned=True)


def _results(call: Call, is_resigned: bool) -> Answer:
    handover = call.parameters.text("handover_userid")
    takeover = call.parameters.text("takeover_userid")
    rows = transfers.results(call.world, handover, takeover, is_resigned)
    shown, following = _page(call, rows, PAGE)
    return {"customer": shown, "next_cursor": following}


def transfer_result(call: Call) -> Answer:
    return _results(call, is_resigned=False)


def resigned_transfer_result(call: Call) -> Answer:
    return _results(call, is_resigned=True)


def unassigned_list(call: Call) -> Answer:
    limit = call.parameters.number("page_size", default=PAGE, most=PAGE) or PAGE
    shown, following = _page(call, transfers.unassigned(call.world), limit)
    return {"info": shown, "is_last": not following, "next_cursor": following}


def group_list(call: Call) -> Answer:
    limit = call.parameters.number("limit", required=True, most=PAGE)
    if limit == 0:
        raise Refusal(40058, "limit")
    status = call.parameters.number("status_filter", most=3)
    owners = call.parameters.part("owner_filter").texts("userid_list", most=100, required=False)
    shown, following = _page(call, groups.listed(call.world, status, owners), limit)
    return {"group_chat_list": shown, "next_cursor": following}


def group_get(call: Call) -> Answer:
    group = groups.find(call.world, call.parameters.text("chat_id"))
    need_name = call.parameters.number("need_name", most=1) == 1
    return {"group_chat": groups.row(call.world, group, need_name)}


def _transfer_groups(call: Call, is_resigned: bool) -> Answer:
    chat_ids = call.parameters.texts("chat_id_list", most=100)
    new_owner = call.parameters.text("new_owner")
    failed = groups.transfer(call.world, chat_ids, new_owner, is_resigned)
    return {"failed_chat_list": failed}


def group_transfer(call: Call) -> Answer:
    return _transfer_groups(call, is_resigned=True)


def group_onjob_transfer(call: Call) -> Answer:
    return _transfer_groups(call, is_resigned=False)


def add_contact_way(call: Call) -> Answer:
    way = contact_ways.add(call.world, call.app.agent_id, call.parameters)
    return {"config_id": way.config_id} | ({"qr_code": way.qr_code} if way.qr_code else {})


def _way(call: Call) -> ContactWay:
    config_id = call.parameters.text("config_id")
    return contact_ways.find(call.world, call.app.agent_id, config_id)


def get_contact_way(call: Call) -> Answer:
    return {"contact_way": contact_ways.row(_way(call))}


def list_contact_way(call: Call) -> Answer:
    now = int(call.world.now())
    start = call.parameters.number("start_time", default=now - DAYS_BACK * staff.DAY_SECONDS)
    end = call.parameters.number("end_time", default=now)
    limit = call.parameters.number("limit", default=WAYS_DEFAULT, most=PAGE) or WAYS_DEFAULT
    rows = contact_ways.between(call.world, call.app.agent_id, start, end)
    shown, following = _page(call, rows, limit)
    return {"contact_way": shown, "next_cursor": following}


def update_contact_way(call: Call) -> Answer:
    contact_ways.update(call.world, _way(call), call.parameters)
    return {}


def del_contact_way(call: Call) -> Answer:
    contact_ways.delete(call.world, _way(call))
    return {}


def message_send(call: Call) -> Answer:
    return messages.send(call.world, call.app.agent_id, call.parameters, call.raw)


def update_template_card(call: Call) -> Answer:
    return cards.update(call.world, call.app.agent_id, call.parameters)


def check_single_agree(call: Call) -> Answer:
    pairs = call.parameters.items("info")
    if not pairs:
        raise Refusal(40063 if pairs is None else 40035, "info")
    if len(pairs) > PAIRS:
        raise Refusal(TOO_MANY_PAIRS)
    rows = []
    for pair in pairs:
        if not isinstance(pair, dict):
            raise Refusal(40058, "info")
        row = _agreement(call, str(pair.get("userid", "")), str(pair.get("exteranalopenid", "")))
        rows += [row] if row else []
    return {"agreeinfo": rows}


def _agreement(call: Call, userid: str, external_userid: str) -> Answer | None:
    customer = call.world.customers.get(external_userid)
    relation = customer.relations.get(staff.key(userid)) if customer else None
    unasked = call.world.switches.unasked_consent
    if relation is None or (not relation.consent and unasked == "omit"):
        return None
    return {
        "status_change_time": relation.consent_at or relation.createtime,
        "userid": relation.userid,
        # Spelt so by the platform (path 91782).
        "exteranalopenid": external_userid,
        "agree_status": relation.consent or unasked,
    }


def check_room_agree(call: Call) -> Answer:
    """What the customers of a group answered; who was not asked is as in single chats."""
    group = groups.find(call.world, call.parameters.text("roomid"))
    unasked = call.world.switches.unasked_consent
    rows = []
    for who in group.members:
        state, at = group.consents.get(who, (unasked, group.create_time))
        if who in call.world.customers and state != "omit":
            row = {"status_change_time": at, "exteranalopenid": who, "agree_status": state}
            rows.append(row)
    return {"agreeinfo": rows}


def get_permit_user_list(call: Call) -> Answer:
    call.parameters.number("type", most=3)
    return {"ids": [one.userid for one in call.world.members.values() if one.in_service]}


EVERYONE = (APP, CONTACTS, ARCHIVE)
DETAILS = {"detail_kinds": frozenset({CONTACTS})}

ENDPOINTS: dict[str, Endpoint] = {
    "gettoken": endpoint("GET", gettoken, EVERYONE, needs_token=False),
    "getcallbackip": endpoint("GET", addresses, EVERYONE),
    "get_api_domain_ip": endpoint("GET", addresses, EVERYONE),
    "auth/getuserinfo": endpoint("GET", getuserinfo),
    "get_jsapi_ticket": endpoint("GET", get_jsapi_ticket, gives_ticket=True),
    "ticket/get": endpoint("GET", ticket_get, gives_ticket=True),
    "agent/get": endpoint("GET", agent_get),
    "department/list": endpoint("GET", department_list, **DETAILS),
    "department/simplelist": endpoint("GET", department_simplelist, (APP, CONTACTS)),
    "user/get": endpoint("GET", user_get, **DETAILS),
    "user/simplelist": endpoint("GET", user_simplelist, **DETAILS),
    "user/list_id": endpoint("POST", user_list_id, (CONTACTS,)),
    "externalcontact/get_follow_user_list": endpoint("GET", follow_user_list),
    "externalcontact/list": endpoint("GET", customer_list),
    "externalcontact/get": endpoint("GET", customer_get),
    "externalcontact/batch/get_by_user": endpoint("POST", batch_get_by_user),
    "externalcontact/remark": endpoint("POST", remark),
    "externalcontact/send_welcome_msg": endpoint("POST", send_welcome_msg),
    "externalcontact/transfer_customer": endpoint("POST", transfer_customer),
    "externalcontact/transfer_result": endpoint("POST", transfer_result),
    "externalcontact/resigned/transfer_customer": endpoint(
        "POST", resigned_transfer_customer, alone="handover_userid"
    ),
    "externalcontact/resigned/transfer_result": endpoint("POST", resigned_transfer_result),
    "externalcontact/get_unassigned_list": endpoint("POST", unassigned_list),
    "externalcontact/groupchat/list": endpoint("POST", group_list),
    "externalcontact/groupchat/get": endpoint("POST", group_get),
    "externalcontact/groupchat/transfer": endpoint("POST", group_transfer),
    "externalcontact/groupchat/onjob_transfer": endpoint("POST", group_onjob_transfer),
    "externalcontact/add_contact_way": endpoint("POST", add_contact_way),
    "externalcontact/get_contact_way": endpoint("POST", get_contact_way),
    "externalcontact/list_contact_way": endpoint("POST", list_contact_way),
    "externalcontact/update_contact_way": endpoint("POST", update_contact_way),
    "externalcontact/del_contact_way": endpoint("POST", del_contact_way),
    "message/send": endpoint("POST", message_send),
    "message/update_template_card": endpoint("POST", update_template_card),
    "msgaudit/check_single_agree": endpoint("POST", check_single_agree, (ARCHIVE,)),
    "msgaudit/check_room_agree": endpoint("POST", check_room_agree, (ARCHIVE,)),
    "msgaudit/get_permit_user_list": endpoint("POST", get_permit_user_list, (ARCHIVE,)),
}
