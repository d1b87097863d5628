"""What proposals and tokens are called."""

from collections.abc import Mapping

from flask_babel import LazyString
from flask_babel import lazy_gettext as _l

from bot.words import BAD, GOOD, QUIET, WARN, Word

WORDS: Mapping[str, Mapping[str, Word]] = {
    "proposal": {
        "open": Word(_l("等待复核"), WARN),
        "approved": Word(_l("已批准"), GOOD),
        "rejected": Word(_l("已驳回"), BAD),
        "withdrawn": Word(_l("已撤回"), QUIET),
    },
    "token": {
        "holds": Word(_l("有效"), GOOD),
        "expires_soon": Word(_l("即将到期"), WARN),
        "waiting": Word(_l("等待负责人同意"), WARN),
        "maker_lost": Word(_l("创建人已离职或不再是管理员，已失效"), BAD),
        "expired": Word(_l("已到期"), QUIET),
        "orphaned": Word(_l("负责人已离职，已失效"), BAD),
        "not_genuine": Word(_l("记录并非客规写入或被改动，已失效"), BAD),
        "revoked": Word(_l("已作废"), QUIET),
    },
}

REASONS: Mapping[str, LazyString] = {
    # why a login was refused or ended, a token revoked
    "member_has_another_userid": _l("成员更换了账号"),
    "not_of_the_firm": _l("不是本企业成员"),
    "unknown_or_has_left": _l("系统中无此成员，或已离职、已停用"),
    "by_its_owner": _l("由本人结束"),
    "by_an_administrator": _l("由管理员结束"),
    "has_left": _l("已离职或已停用"),
    "new_second_factor": _l("更换了动态码"),
    "new_password": _l("更改了密码"),
    "too_many_logins": _l("同时登录过多"),
    "is_disabled": _l("已停用"),
    "maker_lost_the_right": _l("创建人不再有此权限"),
    "owner_declined": _l("负责人没有同意"),
    # alarms
    "access_row_forged": _l(
        "有人绕过客规在数据库中写入或改动了准入记录（表 %(table)s，%(row)s），"
        "或升级期间由旧版本写入；客规不予承认"
    ),
    "do_run_and_grant_again": _l(
        "请查明谁能写入数据库并更换其口令，再执行 %(command)s；仍需要的，请重新办理"
    ),
    "do_set_up_app_again": _l(
        "请查明谁能写入数据库并更换其口令，再请 %(name)s 在“我的账户”中重新绑定动态码应用"
    ),
}

# As the audit log writes them.
ACTS: Mapping[str, LazyString] = {
    "token.create": _l("新建接口令牌"),
    "token.consent": _l("同意担任接口令牌的负责人"),
    "token.revoke": _l("作废接口令牌"),
    "login.begin": _l("登录"),
    "login.end": _l("结束登录"),
    "login.step_up": _l("再次验证身份"),
    "login.fail": _l("登录或验证失败"),
    "login.refuse": _l("拒绝登录"),
    "login.unlock": _l("解除登录限速"),
    "second_factor.confirm": _l("启用动态码"),
    "second_factor.remove": _l("停用动态码"),
    "user.create_admin": _l("新建本地管理员"),
    "user.set_password": _l("更改本地管理员的密码"),
    "user.bind": _l("把本地管理员绑定到成员"),
    "user.disable": _l("停用本地管理员"),
    "role.grant": _l("授予角色"),
    "role.grant.propose": _l("提议授予角色"),
    "role.grant.approve": _l("复核通过：授予角色"),
    "role.grant.reject": _l("复核驳回：授予角色"),
    "role.grant.withdraw": _l("撤回提议：授予角色"),
    "role.revoke": _l("收回角色"),
    "role.revoke.propose": _l("提议收回角色"),
    "role.revoke.approve": _l("复核通过：收回角色"),
    "role.revoke.reject": _l("复核驳回：收回角色"),
    "role.revoke.withdraw": _l("撤回提议：收回角色"),
}
