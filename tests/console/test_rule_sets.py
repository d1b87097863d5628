"""分配规则 in a browser: one person changes and tries the rules, another releases them."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from bot import db
from bot.allocation import dry_runs, rule_sets
from bot.models import AuditEntry, RuleSet
from tests.browsing import Reader, running_browser
from tests.console.scene import COMPLIANCE, MANAGER, Scene, served_scene

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with running_browser() as started:
        yield started


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    with served_scene(tmp_path) as made:
        yield made


def reader(browser: Browser, scene: Scene, who: str) -> Reader:
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    scene.log_in(context, who)
    return Reader(context, scene.address)


def test_two_people_change_try_and_release_the_rules(browser: Browser, scene: Scene) -> None:
    manager, officer = reader(browser, scene, MANAGER), reader(browser, scene, COMPLIANCE)

    # The manager drafts: first with a slip of the pen.
    page = manager.open("/rules")
    page.get_by_role("link", name="起草新版本").click()
    body = page.get_by_label("规则（TOML）")
    kept = body.input_value()
    rule = 'name = "贵宾"\nchannels = ["vip-*"]\nuserids = ["lihua"]\nstrategy = "least_loaded"\n'
    first, rest = kept.split("[[rule]]", 1)
    wanted = f"{first}[[rule]]\n{rule}\n[[rule]]{rest}"
    body.fill(wanted.replace("lihua", "lihau"))
    page.get_by_role("button", name="检查并保存草稿").click()
    line = wanted.splitlines().index('userids = ["lihua"]') + 1
    expect(page.get_by_text(f"第 {line} 行")).to_be_visible()
    expect(page.get_by_text("没有成员“lihau”")).to_be_visible()
    manager.troubles.clear()  # the 422 of that answer
    page.get_by_label("规则（TOML）").fill(wanted)
    page.get_by_role("button", name="检查并保存草稿").click()
    expect(page.get_by_text("草稿已保存")).to_be_visible()

    # And tries it.
    page.get_by_label("从").fill("2026-10-01")
    page.get_by_label("到", exact=True).fill("2026-12-31")
    page.get_by_role("button", name="开始试算").click()
    expect(page.get_by_text("正在试算")).to_be_visible()
    with db.connection():
        dry_runs.carry_out(int(page.url.rpartition("/")[2]), scene.app.extensions["console"])
    page.reload()
    expect(page.get_by_text("成员的客户：试算前与试算后")).to_be_visible()
    expect(page.get_by_role("img").first).to_be_visible()

    # Then submits it; nobody decides on their own.
    page.get_by_role("link", name="第 3 版").click()
    page.get_by_label("理由").fill("贵宾渠道由李华接待")
    page.get_by_role("button", name="提交复核").click()
    expect(page.get_by_text("须由另一位有复核权限的人决定")).to_be_visible()
    expect(page.get_by_role("link", name="复核", exact=True)).to_have_count(0)

    # The compliance officer sees what changes, approves and releases.
    page = officer.open("/rules")
    page.get_by_role("link", name="第 3 版").click()
    page.get_by_role("link", name="复核", exact=True).click()
    expect(page.get_by_text('+name = "贵宾"')).to_be_visible()
    page.get_by_label("您的理由").fill("核对无误")
    page.get_by_role("button", name="批准").click()
    page.get_by_role("link", name="发布").click()
    page.get_by_role("button", name="发布").click()
    expect(page.get_by_text("已发布，从下一位新客户起生效。")).to_be_visible()

    with db.connection():
        row, rules = rule_sets.deciding(scene.app.extensions["console"])
        acts = [one.act for one in AuditEntry.select().where(AuditEntry.subject == "ruleset 3")]
    assert (row.number, row.drafted_by, row.released_by) == (3, MANAGER, COMPLIANCE)
    assert rules.rules[0].name == "贵宾"
    assert {"ruleset.draft", "ruleset.propose", "ruleset.approve", "ruleset.release"} <= {*acts}

    # And takes it back.
    page.goto(f"{scene.address}/rules/1")
    page.get_by_role("link", name="回退到这一版").click()
    page.get_by_role("button", name="回退").click()
    expect(page.get_by_text("第 1 版现在生效")).to_be_visible()
    with db.connection():
        assert RuleSet.released("allocation").number == 1  # type: ignore[union-attr]
    for one in (manager, officer):
        assert one.troubles == []
        one.context.close()
