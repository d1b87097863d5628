"""What the outcomes of allocation are called."""

from collections.abc import Mapping

from flask_babel import LazyString
from flask_babel import lazy_gettext as _l

from bot.allocation import rules
from bot.words import BUSY, GOOD, QUIET, WARN, Word

WORDS: Mapping[str, Mapping[str, Word]] = {
    "outcome": {
        "kept": Word(_l("归属不变"), QUIET),
        "owned": Word(_l("确定归属"), GOOD),
        "transfer": Word(_l("转给其他成员"), BUSY),
        "nobody": Word(_l("暂无归属，等待主管"), WARN),
    },
    "exclusion": {
        "no_licence": Word(_l("缺少资质"), WARN),
        "licence_expired": Word(_l("资质不在有效期内"), WARN),
        "off_duty": Word(_l("不当班"), QUIET),
        "leave": Word(_l("休假中"), QUIET),
        "full": Word(_l("客户数已满"), QUIET),
        "quota": Word(_l("已达每日配额"), QUIET),
        "leaving": Word(_l("离职或即将离职"), QUIET),
        "conflict": Word(_l("正与他人争议该客户"), WARN),
    },
    "rule_set": {
        "draft": Word(_l("草稿"), QUIET),
        "submitted": Word(_l("等待复核"), BUSY),
        "approved": Word(_l("已批准，未发布"), BUSY),
        "rejected": Word(_l("已驳回"), WARN),
        "released": Word(_l("生效中"), GOOD),
        "superseded": Word(_l("已被替换"), QUIET),
        "rolled_back": Word(_l("已撤下"), WARN),
    },
    "dry_run": {
        "waiting": Word(_l("等待试算"), QUIET),
        "running": Word(_l("试算中"), BUSY),
        "done": Word(_l("试算完成"), GOOD),
        "failed": Word(_l("试算失败"), WARN),
    },
}

# Why a customer was given to somebody, and what excluded a candidate beside bot/staff/words.py.
REASONS: Mapping[str, LazyString] = {
    rules.HAS_OWNER: _l("客户已有归属成员"),
    rules.UNDER_REVIEW: _l("有多位联系成员，由主管确定归属"),
    rules.FIRST_CONTACT: _l("最早与客户建立联系的成员（其添加事件未收到）"),
    rules.NO_RULE: _l("没有规则适用于该渠道"),
    rules.ADDED_FITS: _l("客户添加的成员符合规则"),
    rules.ADDED_UNFIT: _l("客户添加的成员不符合条件：%(why)s"),
    rules.NOBODY_FITS: _l("规则允许的成员客户数都已满"),
    "by_first": _l("客户添加的成员不符合条件，归规则中排在最前的成员"),
    "by_round_robin": _l("按规则轮流分配"),
    "by_weighted": _l("按规则的权重分配"),
    "by_least_loaded": _l("归规则内客户最少的成员"),
    "by_former_owner": _l("归客户原来的归属成员"),
    rules.NOT_IN_RULE: _l("不在规则范围内"),
    rules.NO_LICENCE: _l("缺少所需资质"),
    rules.LICENCE_EXPIRED: _l("所需资质已过期"),
    rules.QUOTA: _l("已达每日配额"),
    rules.CONFLICT: _l("正与他人争议该客户"),
    # alarms
    "work_calendar_gap": _l("工作日历缺少 %(year)s 年的放假安排，该年只按星期判断工作时间"),
    "do_about_work_calendar_gap": _l(
        "请按国务院办公厅通知补全 config/work_calendar.toml，并更新其版本号"
    ),
}

# As the audit log writes them.
ACTS: Mapping[str, LazyString] = {
    "allocation.look": _l("查看分配依据"),
    "allocation.list": _l("查看分配记录"),
    "ruleset.adopt": _l("启用安装自带的分配规则"),
    "ruleset.draft": _l("起草分配规则"),
    "ruleset.propose": _l("提交分配规则"),
    "ruleset.approve": _l("批准分配规则"),
    "ruleset.reject": _l("驳回分配规则"),
    "ruleset.release": _l("发布分配规则"),
    "ruleset.rollback": _l("回退分配规则"),
    "ruleset.dry_run": _l("试算分配规则"),
}
