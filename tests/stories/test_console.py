"""People of the firm at real browsers, with all of Kegui behind them and the sandbox as WeCom."""

import os
import pty
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import datetime
from typing import Any
from urllib.parse import parse_qs, urlsplit
from zoneinfo import ZoneInfo

import pyotp
import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browsing import Reader, running_browser
from tests.stack import Stack, until

pytestmark = pytest.mark.browser

DAY = 86_401
DESK = {"width": 1440, "height": 900}
PHONE = {"width": 360, "height": 780}
IN_WECOM = "Mozilla/5.0 (Linux; Android 15) Chrome/142.0 Mobile wxwork/5.0.3 MicroMessenger/7.0.1"
# Who serves no customer; not in the corporation that `Stack.reset` makes.
OFFICE = {
    "heping": ("何平", "hr"),
    "shenyue": ("沈悦", "compliance_officer"),
    "xujie": ("徐杰", "administrator"),
}

Open = Callable[..., Reader]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with running_browser() as started:
        yield started


@pytest.fixture
def open_browser(browser: Browser, stack: Stack) -> Iterator[Open]:
    """Gives people a browser each, with nobody logged in; on no page anything went wrong."""
    readers: list[Reader] = []
    with ExitStack() as contexts:

        def begin(viewport: Any = DESK, **options: Any) -> Reader:
            context = contexts.enter_context(browser.new_context(viewport=viewport, **options))
            readers.append(Reader(context, stack.place.web_url))
            return readers[-1]

        yield begin
    assert [reader.troubles for reader in readers] == [[] for _ in readers]


@pytest.fixture
def office(stack: Stack) -> None:
    """HR, compliance and an administrator, each with their role."""
    members = [
        {"userid": userid, "name": name, "departments": [1], "follow": False}
        for userid, (name, _role) in OFFICE.items()
    ]
    stack.sandbox.post("/sandbox/staff", staff=members)
    stack.command("sync")
    for userid, (_name, role) in OFFICE.items():
        stack.command("user", "grant", userid, role)


def scan(reader: Reader, name: str, path: str = "/") -> Page:
    """Log in by WeCom's code, which somebody scans."""
    page = reader.open(path)
    page.get_by_role("link", name="企业微信登录").click()
    page.get_by_role("button", name=name).click()
    page.wait_for_url(lambda url: url.startswith(reader.address + path))
    return page


# ------------------------------------------------------------ coming in


class Terminal:
    """A person at a terminal, where a command asks."""

    def __init__(self, stack: Stack, *arguments: str) -> None:
        self._ours, theirs = pty.openpty()
        # A password is asked for at /dev/tty: the terminal must be the command's own.
        self._process = subprocess.Popen(
            ["setsid", "--ctty", "--wait", sys.executable, "-m", "bot", *arguments],
            env=stack.environment,
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
        )
        os.close(theirs)
        self.text = ""

    def read_until(self, awaited: str) -> str:
        """Read on until something is said that was not said before."""
        start = len(self.text)
        while awaited not in self.text[start:]:
            self.text += os.read(self._ours, 4096).decode("utf-8", "replace")
        return self.text

    def type(self, line: str) -> None:
        os.write(self._ours, f"{line}\n".encode())

    def end(self) -> None:
        """Wait until the command has ended well."""
        assert self._process.wait(timeout=30) == 0, self.text
        os.close(self._ours)

    def set_up_app(self) -> pyotp.TOTP:
        """Let an authenticator app read the secret; its first code is awaited then."""
        text = self.read_until("digits that it shows")
        [secret] = re.findall(r"enter the key ([A-Z2-7]+)", text)
        return pyotp.TOTP(secret)


@pytest.mark.usefixtures("office")
def test_the_first_administrator_is_made_at_a_terminal_and_proposes_a_role(
    stack: Stack, open_browser: Open
) -> None:
    password = "correct horse battery"
    name = f"first{time.time_ns()}"
    terminal = Terminal(stack, "user", "create-admin", name)
    terminal.read_until("Password")
    terminal.type(password)
    terminal.read_until("Again")
    terminal.type(password)
    app = terminal.set_up_app()
    terminal.type(app.now())
    terminal.read_until("is an administrator")
    terminal.end()
    # Proposing and deciding are two people's: it must be known who this is.
    stack.command("user", "bind", name, "xujie")
    assert password not in terminal.text

    page = open_browser().open("/")
    page.get_by_role("link", name="本地管理员登录").click()
    page.get_by_label("姓名").fill(name)
    page.get_by_label("密码").fill(password)
    # The code of this moment was used up at the terminal.
    page.get_by_label("动态码").fill(app.at(time.time() + 30))
    page.get_by_role("button", name="登录").click()
    page.get_by_role("link", name="角色与权限").click()
    page.get_by_role("link", name="提出角色变更").click()
    page.get_by_label("人员").fill("wangwu")
    page.get_by_label("质检审核员").check()
    page.get_by_label("理由").fill("协助合规抽查")
    page.get_by_role("button", name="提交复核").click()

    expect(page.get_by_role("status")).to_contain_text("需由另一位有复核权限的人决定")
    expect(page.locator("main")).to_contain_text("协助合规抽查")
    entries = stack.api.every("/audit", act="role.grant.propose")
    assert [entry["actor"] for entry in entries if "wangwu" in entry["subject"]] == [
        f"local:{name}"
    ]

    # The phone is lost: whoever has it is out before the new app has shown a code.
    terminal = Terminal(stack, "user", "second-factor", name)
    app = terminal.set_up_app()
    page.reload()
    expect(page.get_by_role("heading", level=1)).to_have_text("登录客规")
    terminal.type(app.now())
    terminal.read_until("has a new second factor")
    terminal.end()

    # Somebody saw the password being typed.
    terminal = Terminal(stack, "user", "set-password", name)
    for prompt in ("Password", "Again"):
        terminal.read_until(prompt)
        terminal.type("another quiet river 41")
    terminal.read_until("has a new password")
    terminal.end()
    assert "another quiet river" not in terminal.text


def test_who_scans_the_code_is_in_with_the_roles_that_wecom_knows(
    stack: Stack, open_browser: Open
) -> None:
    stack.command("sync")
    manager = open_browser()
    came_back: list[str] = []
    manager.page.on(
        "request", lambda one: came_back.append(one.url) if "/wecom/done" in one.url else None
    )

    page = scan(manager, "陈经理", "/account")

    expect(page.locator("main")).to_contain_text("销售主管")
    [used] = came_back
    answer = page.goto(used)
    assert answer is not None
    assert answer.status == 403
    expect(page.get_by_role("status")).to_contain_text("这次登录已失效")

    # Somebody who saw the code brings it back with a state of their own.
    thief = open_browser()
    page = thief.open("/account")
    page.get_by_role("link", name="企业微信登录").click()
    [state] = parse_qs(urlsplit(page.url).query)["state"]
    [code] = parse_qs(urlsplit(used).query)["code"]
    thief.open(f"/login/wecom/done?code={code}&state={state}")
    expect(page.get_by_role("status")).to_contain_text("登录凭证无效或已使用过")
    thief.open("/account")
    expect(page.get_by_role("heading", level=1)).to_have_text("登录客规")
    assert all(told.startswith(("403", "error")) for told in manager.troubles + thief.troubles)
    manager.troubles.clear()
    thief.troubles.clear()


def test_beside_a_chat_a_member_sees_whose_customer_it_is_and_reports_a_conflict(
    stack: Stack, open_browser: Open
) -> None:
    stack.command("sync")
    stack.meet("zhangsan", "wm_beside", name="吴女士")
    stack.settled()
    stack.meet("lisi", "wm_beside")
    stack.settled()
    [settled] = stack.api.every("/conflicts", external_userid="wm_beside")
    stack.api.post(f"/conflicts/{settled['id']}/resolve", owner="zhangsan", reason="先接待")

    member = open_browser(PHONE, user_agent=IN_WECOM)
    page = member.open("/sidebar?sandbox_external_userid=wm_beside")
    # The client would go on by itself; the sandbox asks who holds the phone.
    page.get_by_role("button", name="张三").click()

    expect(page.get_by_role("heading", level=1)).to_contain_text("吴女士")
    expect(page.locator("main")).to_contain_text("您是这位客户的归属成员")
    [checked] = stack.executed("jssdk_checked")
    assert (checked["config"], checked["agentConfig"]) == ("ok", "ok")

    page.get_by_role("button", name="上报归属冲突").click()

    expect(page.get_by_role("status")).to_contain_text("已上报")
    expect(page.locator("main")).to_contain_text("归属冲突等待主管裁定")
    [reported] = stack.api.every("/conflicts", external_userid="wm_beside", state="open")
    assert (reported["owner"], reported["contenders"]) == ("zhangsan", ["lisi"])
    until(lambda: "manager" in stack.told_of_conflicts("吴女士"))


# ------------------------------------------------------------ moving customers


def test_a_manager_on_a_phone_moves_a_customer(stack: Stack, open_browser: Open) -> None:
    stack.command("sync")
    stack.meet("zhangsan", "wm_phone", name="郑先生")
    stack.settled()
    page = scan(open_browser(PHONE), "陈经理")

    page.locator("summary", has_text="展开导航").click()
    page.get_by_role("link", name="客户", exact=True).click()
    page.get_by_role("link", name="郑先生").click()
    page.get_by_role("link", name="转接给其他成员").click()
    page.get_by_label("接替成员").select_option("lisi")
    assert page.evaluate("document.documentElement.scrollWidth") == PHONE["width"]
    page.get_by_role("button", name="开始转接").click()

    expect(page.get_by_role("status")).to_contain_text("转接已受理")
    stack.transferred("zhangsan", 1)
    stack.pass_time(DAY)
    [case, *_] = stack.api.get("/handovers", userid="zhangsan")["items"]
    assert page.url.endswith(f"/offboardings/{case['id']}")
    stack.reached(case, "done")
    assert stack.owner("wm_phone") == "lisi"
    page.reload()
    expect(page.locator("main")).to_contain_text("已完成")
    entries = stack.api.every("/audit", act="handover.open")
    assert entries[0]["actor"] == "manager"


@pytest.mark.usefixtures("office")
def test_hr_registers_a_leaver_and_the_manager_proves_who_approves(
    stack: Stack, open_browser: Open
) -> None:
    stack.hire("ding", "ding_heir", department=91)
    stack.hire("ding_boss", department=91, name="丁经理", follow=False)
    stack.sandbox.post(
        "/sandbox/departments", id=91, name="部门91", department_leader=["ding_boss"]
    )
    stack.customers("ding", [f"wm_ding_{number}" for number in range(25)])
    stack.command("sync")
    hr = open_browser()
    page = scan(hr, "何平")
    page.get_by_role("link", name="交接", exact=True).click()
    page.get_by_role("link", name="登记离职").click()
    page.get_by_label("离职成员").fill("ding")
    today = datetime.now(ZoneInfo("Asia/Shanghai")).date().isoformat()
    page.get_by_label("最后工作日").fill(today)
    page.get_by_label("接替成员").fill("ding_heir")
    page.get_by_label("事由").fill("个人原因")
    page.get_by_role("button", name="登记离职").click()
    expect(page.get_by_role("status")).to_contain_text("另一人审批后")
    case = stack.case("ding", "awaiting_approval")
    approval = f"/offboardings/{case['id']}/approve"

    page.reload()
    expect(page.get_by_role("link", name="审批")).to_have_count(0)
    hr.open(approval)
    expect(page.get_by_role("heading", level=1)).to_contain_text("没有权限")
    assert "403" in str(hr.troubles)
    hr.troubles.clear()
    assert stack.executed("transfer_started", handover="ding") == []

    # The manager follows the card's link inside WeCom, where nobody is asked who they are.
    page = open_browser(PHONE, user_agent=IN_WECOM).open(f"/offboardings/{case['id']}")
    page.get_by_role("button", name="丁经理").click()
    page.get_by_role("link", name="审批").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("再次确认身份")
    page.get_by_role("link", name="用企业微信扫码确认").click()
    page.get_by_role("button", name="丁经理").click()
    expect(page.locator("main")).to_contain_text("25")
    page.get_by_role("button", name="同意交接").click()

    expect(page.get_by_role("status")).to_contain_text("已审批")
    stack.transferred("ding", 25)
    stack.pass_time(DAY)
    ended = stack.case("ding", "done")
    assert ended["counts"] == {"done": 25}
    page.reload()
    expect(page.locator("main")).to_contain_text("已完成")
    [approved] = [
        entry
        for entry in stack.api.every("/audit", act="offboarding.approve")
        if entry["subject"] == f"offboarding {case['id']}"
    ]
    assert approved["actor"] == "ding_boss"


# ------------------------------------------------------------ looking after it


@pytest.mark.usefixtures("office")
def test_compliance_finds_out_why_a_customer_has_this_owner_and_has_said_what_for(
    stack: Stack, open_browser: Open
) -> None:
    stack.meet("lisi", "wm_why", name="孔先生")
    stack.settled()
    page = scan(open_browser(), "沈悦")

    page.get_by_role("link", name="客户", exact=True).click()
    expect(page.get_by_role("heading", level=1)).to_have_text("请说明查阅客户资料的目的")
    page.get_by_label("处理客户投诉").check()
    page.get_by_role("button", name="继续").click()
    page.get_by_role("searchbox").fill("孔先")
    page.keyboard.press("Enter")
    page.get_by_role("link", name="孔先生").click()

    expect(page.locator("main")).to_contain_text("客户添加的成员符合规则")
    page.get_by_text("分配依据", exact=True).first.click()
    expect(page.locator("main")).to_contain_text("版本 ")
    page.get_by_role("link", name="审计日志").click()
    look = page.get_by_role("row").filter(has_text="查看客户详情").first
    expect(look).to_contain_text("处理客户投诉")
    expect(look).to_contain_text("沈悦")
    [entry] = [
        row
        for row in stack.api.every("/audit", act="customer.look")
        if row["subject"] == "customer wm_why" and row["actor"] == "shenyue"
    ]
    assert entry["purpose"] == "complaint"


@pytest.mark.usefixtures("office")
def test_an_administrator_replays_an_event_that_was_given_up(
    stack: Stack, open_browser: Open
) -> None:
    with wecom_refuses(stack, "user/get", 40058, userid="wangwu"):
        stack.sandbox.patch("/sandbox/staff/wangwu", departments=[1, 2], announce=True)
        stack.settled()
    [dead] = stack.api.every("/events", state="dead", type="update_user")
    page = scan(open_browser(), "徐杰")

    page.get_by_role("link", name="事件处理失败").first.click()
    page.get_by_role("link", name="成员变更").first.click()
    expect(page.locator("main")).to_contain_text("40058")
    page.get_by_role("button", name="重新处理").click()

    expect(page.get_by_role("status")).to_contain_text("事件已重新排队")
    stack.settled()
    page.reload()
    expect(page.get_by_role("heading", level=1)).to_contain_text("已处理")
    assert stack.api.get(f"/events/{dead['id']}")["state"] == "done"
    entries = stack.api.every("/audit", act="event.replay")
    assert (entries[0]["actor"], entries[0]["subject"]) == ("xujie", f"event {dead['id']}")


@contextmanager
def wecom_refuses(stack: Stack, endpoint: str, errcode: int, **match: str) -> Iterator[None]:
    stack.sandbox.post("/sandbox/faults", endpoint=endpoint, errcode=errcode, match=match)
    yield
    stack.sandbox.delete("/sandbox/faults")
