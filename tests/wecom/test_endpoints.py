"""Every endpoint: the request has the shape of WeCom's samples, and the sample answer is read."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
import responses

from bot.wecom import (
    Button,
    Card,
    ContactWayDetail,
    ContactWayMade,
    CustomerDetail,
    CustomerOfMember,
    Department,
    FollowUser,
    Group,
    GroupMember,
    GroupRow,
    Member,
    MessageResult,
    OperatorNeeded,
    Page,
    Refused,
    TransferRow,
    Unassigned,
    User,
    WeCom,
)
from bot.wecom.messages import TEXT_BYTES, cut
from tests.wecom.speaking import (
    answer,
    asked,
    give_token,
    refuse,
    sample,
    sent,
    speak,
)

LI, MRS_WANG, OF_WECOM = (
    "wmAJ2GCAAAXtWyujaWJHDDGi0mACAAAA",
    "wmAJ2GCAAAd4uL12hdfsdasassdDmBBB",
    "woAJ2GCAAAXtWyujaWJHDDGi0mACHCCC",
)
CHATS = ["wrOgQhDgAAMYQiS5ol9G7gK9JVAAAA", "wrOgQhDgAAcwMTB7YmDkbeBsgTAAAA"]
CONFIG_ID = "42b34949e138eb6e027c123cba77fAAA"
QR_CODE = "https://p.qpic.cn/wwhead/duc2TvpEgSdicZ9RrdUtBkv2UiaA/0"
LATER_CURSOR = "r9FqSqsI8fgNbHLHE5QoCP50UIg2cFQbfma3l2QsmwI"


def at(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


WITH_ZHANGSAN = FollowUser("zhangsan", "李部长", at(1792805400), "poster_2026q4", 1, LI)
RESULTS = [
    TransferRow(LI, 1, at(1795393800)),
    TransferRow(MRS_WANG, 2, at(1795483400)),
    TransferRow(OF_WECOM, 3, None),
]


# Of the sample card without its source, and with rows that are plain.
CARD = Card(
    task_id="handover_20261123_0001",
    title="客户转接确认",
    text="请在24小时内处理",
    rows={"客户": "李四"},
    buttons=(Button("同意", key="approve"), Button("查看详情", url="https://bot.example.com/c/1")),
    url="https://bot.example.com/c/1",
)
CARD_SENT = {
    "card_type": "button_interaction",
    "main_title": {"title": "客户转接确认"},
    "sub_title_text": "请在24小时内处理",
    "horizontal_content_list": [{"keyname": "客户", "value": "李四"}],
    "card_action": {"type": 1, "url": "https://bot.example.com/c/1"},
    "task_id": "handover_20261123_0001",
    "button_list": [
        {"type": 0, "text": "同意", "style": 1, "key": "approve"},
        {"type": 1, "text": "查看详情", "style": 2, "url": "https://bot.example.com/c/1"},
    ],
}


@dataclass(frozen=True)
class Example:
    """A call, and what the samples say about it.

    ``without`` names what the sample request has and we do not send; ``instead`` what we send
    with another value.
    """

    endpoint: str
    call: Callable[[WeCom], Any]
    response: str
    result: Any
    request: str | None = None
    query: dict[str, str] = field(default_factory=dict)
    without: tuple[str, ...] = ()
    instead: dict[str, Any] = field(default_factory=dict)

    @property
    def is_read(self) -> bool:
        return self.request is None

    @property
    def body(self) -> dict[str, Any] | None:
        if self.request is None:
            return None
        expected = {**sample(f"{self.request}.request"), **self.instead}
        return {name: value for name, value in expected.items() if name not in self.without}


EXAMPLES = [
    Example(
        "department/list",
        lambda wecom: wecom.contacts.departments(),
        "department.list",
        [Department(1, "总部", 0, ()), Department(2, "广州研发中心", 1, ("zhangsan",))],
    ),
    Example(
        "user/simplelist",
        lambda wecom: wecom.contacts.members_of(2),
        "user.simplelist",
        [Member("zhangsan", "张三", (1, 2)), Member("lisi", "李四", (2,))],
        query={"department_id": "2"},
    ),
    Example(
        "user/get",
        lambda wecom: wecom.contacts.user("zhangsan"),
        "user.get",
        User("zhangsan", "张三", (1, 2), 1, (1,), "lisi", 1),
        query={"userid": "zhangsan"},
    ),
    Example(
        "externalcontact/get_follow_user_list",
        lambda wecom: wecom.customers.follow_users(),
        "externalcontact.get_follow_user_list",
        ["zhangsan", "lisi"],
    ),
    Example(
        "externalcontact/list",
        lambda wecom: wecom.customers.ids_of("zhangsan"),
        "externalcontact.list",
        [LI, OF_WECOM],
        query={"userid": "zhangsan"},
    ),
    Example(
        "externalcontact/get",
        lambda wecom: wecom.customers.get(LI),
        "externalcontact.get",
        CustomerDetail(
            LI,
            "李四",
            1,
            (
                replace(WITH_ZHANGSAN, tags=("A", "老乡")),
                FollowUser("lisi", "", at(1795138200), "", 202, "lisi"),
                FollowUser("wangwu", "", at(1795311000), "", 10, LI),
            ),
        ),
        query={"external_userid": LI},
    ),
    Example(
        "externalcontact/batch/get_by_user",
        lambda wecom: wecom.customers.batch_by_user("zhangsan"),
        "externalcontact.batch_get_by_user",
        Page([CustomerOfMember(LI, "李四", 1, WITH_ZHANGSAN)], LATER_CURSOR),
        request="externalcontact.batch_get_by_user",
    ),
    Example(
        "externalcontact/send_welcome_msg",
        lambda wecom: wecom.customers.send_welcome("WELCOMECODE_add_0001", "您好，很高兴为您服务"),
        "externalcontact.send_welcome_msg",
        None,
        request="externalcontact.send_welcome_msg",
        without=("attachments",),
    ),
    Example(
        "externalcontact/transfer_customer",
        lambda wecom: wecom.transfers.submit(
            "zhangsan", "lisi", [LI, MRS_WANG], "您好，后续将由我的同事李四继续为您服务。"
        ),
        "externalcontact.transfer_customer",
        {LI: 40096, MRS_WANG: 0},
        request="externalcontact.transfer_customer",
    ),
    Example(
        "externalcontact/transfer_customer",
        lambda wecom: wecom.transfers.submit("zhangsan", "lisi", [LI, MRS_WANG]),
        "externalcontact.transfer_customer",
        {LI: 40096, MRS_WANG: 0},
        request="externalcontact.transfer_customer",
        without=("transfer_success_msg",),
    ),
    Example(
        "externalcontact/transfer_result",
        lambda wecom: wecom.transfers.results("zhangsan", "lisi"),
        "externalcontact.transfer_result",
        RESULTS,
        request="externalcontact.transfer_result",
        without=("cursor",),
    ),
    Example(
        "externalcontact/transfer_result",
        lambda wecom: wecom.transfers.results("zhangsan", "lisi"),
        "externalcontact.transfer_result.limit",
        [*RESULTS, TransferRow("wmAJ2GCAAAXtWyujaWJHDDGi0mACDDDD", 4, None)],
        request="externalcontact.transfer_result",
        without=("cursor",),
    ),
    Example(
        "externalcontact/resigned/transfer_customer",
        lambda wecom: wecom.resigned.submit("wangwu", "lisi", [LI, MRS_WANG]),
        "resigned.transfer_customer",
        {LI: 40096, MRS_WANG: 0},
        request="resigned.transfer_customer",
    ),
    Example(
        "externalcontact/resigned/transfer_result",
        lambda wecom: wecom.resigned.results("wangwu", "lisi"),
        "resigned.transfer_result",
        RESULTS,
        request="resigned.transfer_result",
        without=("cursor",),
    ),
    Example(
        "externalcontact/get_unassigned_list",
        lambda wecom: list(wecom.resigned.unassigned()),
        "externalcontact.get_unassigned_list",
        [Unassigned("wangwu", one, at(1794965400)) for one in (LI, MRS_WANG)],
        request="externalcontact.get_unassigned_list",
        without=("cursor",),
    ),
    Example(
        "externalcontact/groupchat/list",
        lambda wecom: wecom.groups.owned_by("zhangsan"),
        "groupchat.list",
        [GroupRow(CHATS[0], 0), GroupRow(CHATS[1], 1)],
        request="groupchat.list",
        without=("cursor",),
    ),
    Example(
        "externalcontact/groupchat/get",
        lambda wecom: wecom.groups.get(CHATS[0]),
        "groupchat.get",
        Group(
            CHATS[0],
            "销售客服群",
            "zhangsan",
            at(1786757400),
            (GroupMember("zhangsan", 1), GroupMember(LI, 2)),
        ),
        request="groupchat.get",
        instead={"need_name": 0},
    ),
    Example(
        "externalcontact/groupchat/transfer",
        lambda wecom: wecom.groups.transfer(CHATS, "lisi", resigned=True),
        "groupchat.transfer",
        {CHATS[1]: 90500},
        request="groupchat.transfer",
    ),
    Example(
        "externalcontact/groupchat/onjob_transfer",
        lambda wecom: wecom.groups.transfer(CHATS, "lisi", resigned=False),
        "groupchat.onjob_transfer",
        {CHATS[1]: 90501},
        request="groupchat.onjob_transfer",
    ),
    Example(
        "message/send",
        lambda wecom: wecom.messages.send_text(["zhangsan"], "新客户 李四 已添加"),
        "message.send.text",
        MessageResult("vcT8gGc-7dFb4bxT35ONjBDz901sLlXPZw1DAMC_Gc26qRpK", ()),
        request="message.send.text",
        without=("enable_id_trans", "safe"),
        instead={"enable_duplicate_check": 1},
    ),
    Example(
        "message/send",
        lambda wecom: wecom.messages.send_text(
            ["nosuchuser", "wangwu", "lisi"], "新客户 李四 已添加"
        ),
        "message.send.partial_invalid",
        MessageResult("vcT8gGc-partial", ("nosuchuser", "wangwu")),
        request="message.send.text",
        without=("enable_id_trans", "safe"),
        instead={"enable_duplicate_check": 1, "touser": "nosuchuser|wangwu|lisi"},
    ),
    Example(
        "message/send",
        lambda wecom: wecom.messages.send_card(["zhangsan"], CARD),
        "message.send.template_card.button_interaction",
        MessageResult("vcT8gGc-7dFb4bxT35ONjBDz901sLlXPZw1DAMC_Gc26qRpK", ()),
        request="message.send.template_card.button_interaction",
        without=("enable_id_trans",),
        instead={"enable_duplicate_check": 1, "template_card": CARD_SENT},
    ),
    Example(
        "message/update_template_card",
        lambda wecom: wecom.messages.update_card("xyzxyz", ["zhangsan"], "已同意"),
        "message.update_template_card.button",
        (),
        request="message.update_template_card.button",
    ),
    Example(
        "externalcontact/add_contact_way",
        lambda wecom: wecom.contact_ways.add(["zhangsan"], "poster_2026q4", "渠道客户"),
        "externalcontact.add_contact_way",
        ContactWayMade(CONFIG_ID, QR_CODE),
        request="externalcontact.add_contact_way",
        instead={"type": 2},
    ),
    Example(
        "externalcontact/add_contact_way",
        lambda wecom: wecom.contact_ways.add(["zhangsan", "lisi"], "poster_2026q4", "渠道客户"),
        "externalcontact.add_contact_way.multi",
        ContactWayMade(CONFIG_ID, QR_CODE),
        request="externalcontact.add_contact_way.multi",
        without=("party", "is_exclusive"),
    ),
    Example(
        "externalcontact/get_contact_way",
        lambda wecom: wecom.contact_ways.get(CONFIG_ID),
        "externalcontact.get_contact_way",
        ContactWayDetail(
            CONFIG_ID, 2, 2, "渠道客户", "poster_2026q4", ("zhangsan", "lisi"), QR_CODE
        ),
        request="externalcontact.get_contact_way",
    ),
    Example(
        "externalcontact/list_contact_way",
        lambda wecom: list(wecom.contact_ways.ids()),
        "externalcontact.list_contact_way",
        [CONFIG_ID, "87bBiKEE811c62f63270041c62f5c9A4ef"],
        request="externalcontact.list_contact_way",
        without=("cursor", "end_time"),
        instead={"start_time": 1625846400},
    ),
    Example(
        "externalcontact/update_contact_way",
        lambda wecom: wecom.contact_ways.update(CONFIG_ID, ["zhangsan", "lisi"], remark="渠道客户"),
        "externalcontact.update_contact_way",
        None,
        request="externalcontact.update_contact_way",
        without=("skip_verify", "party", "state"),
    ),
    Example(
        "externalcontact/del_contact_way",
        lambda wecom: wecom.contact_ways.delete(CONFIG_ID),
        "externalcontact.del_contact_way",
        None,
        request="externalcontact.del_contact_way",
    ),
]


@pytest.fixture
def wecom(network: responses.RequestsMock) -> WeCom:
    give_token(network, "accesstoken000001")
    return speak()


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda one: one.response)
def test_a_request_has_the_samples_shape_and_the_sample_answer_is_read(
    network: responses.RequestsMock, wecom: WeCom, example: Example
) -> None:
    method = "GET" if example.is_read else "POST"
    answer(network, example.endpoint, sample(f"{example.response}.response"), method=method)

    assert example.call(wecom) == example.result

    [call] = asked(network, example.endpoint)
    query = dict(parse_qsl(urlsplit(str(call.request.url)).query))
    assert query == {"access_token": "accesstoken000001", **example.query}
    assert sent(call) == example.body
    assert example.is_read or call.request.headers["Content-Type"].startswith("application/json")


def pages(
    network: responses.RequestsMock, endpoint: str, bodies: Iterable[Any], method: str = "POST"
) -> None:
    for body in bodies:
        answer(network, endpoint, {"errcode": 0, "errmsg": "ok", **body}, method=method)


def moved(*names: str) -> list[dict[str, Any]]:
    return [{"external_userid": name, "status": 1, "takeover_time": 1795393800} for name in names]


@pytest.mark.parametrize("resigned", [False, True])
def test_transfer_results_are_read_to_the_last_page(
    network: responses.RequestsMock, wecom: WeCom, resigned: bool
) -> None:
    endpoint = f"externalcontact/{'resigned/' if resigned else ''}transfer_result"
    pages(
        network,
        endpoint,
        [
            {"customer": moved("wm_1", "wm_2"), "next_cursor": "second"},
            {"customer": [], "next_cursor": "third"},
            {"customer": moved("wm_3"), "next_cursor": ""},
        ],
    )

    read = wecom.resigned.results if resigned else wecom.transfers.results
    rows = read("zhangsan", "lisi")

    assert [row.external_userid for row in rows] == ["wm_1", "wm_2", "wm_3"]
    cursors = [sent(call).get("cursor") for call in asked(network, endpoint)]
    assert cursors == [None, "second", "third"]


def left(*names: str) -> list[dict[str, Any]]:
    return [
        {"handover_userid": "wangwu", "external_userid": name, "dimission_time": 1794965400}
        for name in names
    ]


UNASSIGNED = "externalcontact/get_unassigned_list"


def test_the_unassigned_are_read_to_the_last_page(
    network: responses.RequestsMock, wecom: WeCom
) -> None:
    pages(
        network,
        UNASSIGNED,
        [
            {"info": left("wm_1"), "is_last": False, "next_cursor": "second"},
            {"info": left("wm_2"), "is_last": True, "next_cursor": ""},
        ],
    )

    assert [one.external_userid for one in wecom.resigned.unassigned()] == ["wm_1", "wm_2"]
    assert [sent(call).get("cursor") for call in asked(network, UNASSIGNED)] == [None, "second"]


def test_a_cursor_that_went_bad_begins_the_unassigned_anew_once(
    network: responses.RequestsMock, wecom: WeCom
) -> None:
    pages(network, UNASSIGNED, [{"info": left("wm_1"), "next_cursor": "second"}])
    refuse(network, UNASSIGNED, 50100)
    pages(network, UNASSIGNED, [{"info": left("wm_1", "wm_2"), "next_cursor": ""}])

    assert {one.external_userid for one in wecom.resigned.unassigned()} == {"wm_1", "wm_2"}


def test_a_cursor_that_stays_bad_is_an_error(network: responses.RequestsMock, wecom: WeCom) -> None:
    refuse(network, UNASSIGNED, 50100)

    with pytest.raises(Refused, match="50100"):
        list(wecom.resigned.unassigned())

    assert len(asked(network, UNASSIGNED)) == 2


def test_a_customer_with_very_many_members_is_read_to_the_last_page(
    network: responses.RequestsMock, wecom: WeCom
) -> None:
    first = sample("externalcontact.get.wecom_user.response")
    last = {**first, "follow_user": [{"userid": "zhangsan"}], "next_cursor": ""}
    pages(network, "externalcontact/get", [first, last], "GET")

    detail = wecom.customers.get(OF_WECOM)

    assert [one.userid for one in detail.follow_users] == ["lisi", "zhangsan"]
    assert (detail.name, detail.type) == ("王五", 2)
    assert "cursor=NEXT_CURSOR" in str(asked(network, "externalcontact/get")[1].request.url)


def test_all_contact_ways_that_wecom_lists_are_read_to_the_last_page(
    network: responses.RequestsMock, wecom: WeCom
) -> None:
    pages(
        network,
        "externalcontact/list_contact_way",
        [
            {"contact_way": [{"config_id": "one"}], "next_cursor": "second"},
            {"contact_way": [{"config_id": "two"}], "next_cursor": ""},
        ],
    )

    assert list(wecom.contact_ways.ids()) == ["one", "two"]
    bodies = [sent(call) for call in asked(network, "externalcontact/list_contact_way")]
    # 2021-07-10 in China; without it WeCom begins 90 days ago.
    whole = {"start_time": 1625846400, "limit": 1000}
    assert bodies == [whole, {**whole, "cursor": "second"}]


def test_the_groups_of_an_owner_are_read_to_the_last_page(
    network: responses.RequestsMock, wecom: WeCom
) -> None:
    pages(
        network,
        "externalcontact/groupchat/list",
        [
            {"group_chat_list": [{"chat_id": "wr_1", "status": 0}], "next_cursor": "second"},
            {"group_chat_list": [{"chat_id": "wr_2", "status": 1}], "next_cursor": ""},
        ],
    )

    assert [row.chat_id for row in wecom.groups.owned_by("zhangsan")] == ["wr_1", "wr_2"]
    bodies = [sent(call) for call in asked(network, "externalcontact/groupchat/list")]
    assert [body["owner_filter"]["userid_list"] for body in bodies] == [["zhangsan"]] * 2
    assert [body.get("cursor") for body in bodies] == [None, "second"]


def test_where_department_names_are_refused_the_tree_is_read(
    network: responses.RequestsMock, wecom: WeCom
) -> None:
    refuse(network, "department/list", 48002, method="GET")
    answer(
        network,
        "department/simplelist",
        sample("department.simplelist.response"),
        method="GET",
    )

    for _ in range(2):
        assert wecom.contacts.departments() == [
            Department(2, "", 1, None),
            Department(3, "", 2, None),
        ]


def test_a_member_without_customers_has_an_empty_list(
    network: responses.RequestsMock, wecom: WeCom
) -> None:
    refuse(network, "externalcontact/list", 84061, method="GET")

    assert wecom.customers.ids_of("zhangsan") == []


@pytest.mark.parametrize("errcode", [40003, 60111])
def test_another_refusal_of_the_list_is_not_mistaken_for_no_customers(
    network: responses.RequestsMock, wecom: WeCom, errcode: int
) -> None:
    refuse(network, "externalcontact/list", errcode, method="GET")

    with pytest.raises(Refused):
        wecom.customers.ids_of("zhangsan")


def test_a_member_who_is_gone_is_refused(network: responses.RequestsMock, wecom: WeCom) -> None:
    refuse(network, "user/get", 60111, method="GET")

    with pytest.raises(Refused) as raised:
        wecom.contacts.user("zhangsan")

    assert raised.value.errcode == 60111


def test_all_groups_moved_is_an_empty_answer(network: responses.RequestsMock, wecom: WeCom) -> None:
    answer(network, "externalcontact/groupchat/transfer")

    assert wecom.groups.transfer(CHATS, "lisi", resigned=True) == {}


@pytest.mark.parametrize("count", [0, 101])
def test_wecom_is_never_asked_for_more_than_it_takes_in_one_call(
    network: responses.RequestsMock, wecom: WeCom, count: int
) -> None:
    many = [f"one_{number}" for number in range(count)]

    for call in (
        lambda: wecom.transfers.submit("zhangsan", "lisi", many),
        lambda: wecom.resigned.submit("zhangsan", "lisi", many),
        lambda: wecom.groups.transfer(many, "lisi", resigned=True),
        lambda: wecom.contact_ways.add(many, "state"),
        lambda: wecom.contact_ways.update(CONFIG_ID, many),
        lambda: wecom.messages.send_text(many * 10, "text"),
        lambda: wecom.messages.send_card(many * 10, CARD),
        lambda: wecom.messages.update_card("xyzxyz", many * 10, "已同意"),
    ):
        with pytest.raises(ValueError, match="are allowed in one call"):
            call()

    assert not network.calls


@pytest.mark.parametrize("text", ["字" * 1000, "a" + "字" * 1000, "😀" * 600, "short"])
def test_a_long_message_is_cut_between_characters(
    network: responses.RequestsMock, wecom: WeCom, text: str
) -> None:
    answer(network, "message/send")

    wecom.messages.send_text(["zhangsan"], text)

    content = sent(asked(network, "message/send")[0])["text"]["content"]
    assert text.startswith(content)
    assert len(content.encode()) <= TEXT_BYTES
    assert content == text or len(content.encode()) > TEXT_BYTES - 4
    assert cut(text, TEXT_BYTES) == content


@pytest.mark.parametrize("said", ["invaliduser", "unlicenseduser"])
def test_a_message_that_reached_nobody_is_refused_though_wecom_says_ok(
    network: responses.RequestsMock, wecom: WeCom, said: str
) -> None:
    answer(network, "message/send", {"errcode": 0, "errmsg": "ok", said: "lisi|wangwu"})

    for send in (
        lambda: wecom.messages.send_text(["LiSi", "WangWu"], "text"),
        lambda: wecom.messages.send_card(["LiSi"], CARD),
    ):
        with pytest.raises(Refused) as raised:
            send()
        assert raised.value.errcode == 81013
    # Whoever got it must not get it again: what reached somebody is no refusal.
    assert wecom.messages.send_text(["LiSi", "zhaoliu"], "text").msgid == ""


def test_without_an_agent_id_no_message_is_sent(
    network: responses.RequestsMock, wecom: WeCom
) -> None:
    wecom.messages.agent_id = None

    with pytest.raises(OperatorNeeded) as raised:
        wecom.messages.send_text(["zhangsan"], "text")

    assert raised.value.what_to_do.facts == {"variable": "KEGUI_AGENT_ID"}
    assert not network.calls


@pytest.mark.parametrize(
    "wrong",
    [
        {"task_id": ""},
        {"task_id": "offboarding 1"},
        {"task_id": "离职"},
        {"task_id": "x" * 129},
        {"title": ""},
        {"rows": {str(n): "1" for n in range(7)}},
        {"buttons": ()},
        {"buttons": [Button(str(n), key=str(n)) for n in range(7)]},
        {"buttons": [Button("", key="approve")]},
        {"buttons": [Button("同意")]},
        {"buttons": [Button("同意", key="approve", url="https://bot.example.com")]},
        {"buttons": [Button("同意", key="yes"), Button("好", key="yes")]},
        {"buttons": [Button("同意", key="字" * 342)]},
    ],
)
def test_a_card_that_wecom_would_refuse_is_a_mistake(
    network: responses.RequestsMock, wecom: WeCom, wrong: dict[str, Any]
) -> None:
    with pytest.raises(ValueError, match=r"card|button|task_id"):
        wecom.messages.send_card(["zhangsan"], replace(CARD, **wrong))

    assert not network.calls


def test_who_does_not_have_the_card_is_named(network: responses.RequestsMock, wecom: WeCom) -> None:
    endpoint = "message/update_template_card"
    answer(network, endpoint, {"errcode": 0, "errmsg": "ok", "invaliduser": ["lisi"]})

    assert wecom.messages.update_card("xyzxyz", ["zhangsan", "lisi"], "已同意") == ("lisi",)


def test_without_an_agent_id_no_card_changes(network: responses.RequestsMock, wecom: WeCom) -> None:
    wecom.messages.agent_id = None

    with pytest.raises(OperatorNeeded):
        wecom.messages.update_card("xyzxyz", ["zhangsan"], "已同意")

    assert not network.calls
