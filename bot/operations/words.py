"""What pauses, jobs and messages are called."""

from collections.abc import Mapping

from flask_babel import LazyString
from flask_babel import lazy_gettext as _l

from bot.words import BAD, BUSY, GOOD, QUIET, WARN, Word

WORDS: Mapping[str, Mapping[str, Word]] = {
    "message": {
        "started": Word(_l("发送中"), BUSY),
        "done": Word(_l("已发送"), GOOD),
        "refused": Word(_l("企业微信拒绝发送"), BAD),
        "failed": Word(_l("未发送，将重试"), WARN),
        "unknown": Word(_l("是否送达未知"), WARN),
    },
    "pause": {
        "operator": Word(_l("需要运维处理"), BAD),
        "itself": Word(_l("自动恢复"), BUSY),
        "unproven": Word(_l("等待下一次调用验证"), QUIET),
    },
    "secret": {
        "app": Word(_l("自建应用"), QUIET),
        "contacts": Word(_l("通讯录同步"), QUIET),
        "archive": Word(_l("会话内容存档"), QUIET),
    },
    "job_state": {
        "never": Word(_l("尚未运行"), QUIET),
        "running": Word(_l("正在运行"), BUSY),
        "done": Word(_l("成功"), GOOD),
        "failed": Word(_l("失败，下次再试"), WARN),
        "unfinished": Word(_l("没有结束"), WARN),
    },
}

REASONS: Mapping[str, LazyString] = {
    "unanswered": _l("没有收到企业微信的答复，可能已经执行"),
    "restored": _l("数据库恢复自备份，此后可能已经执行"),
    # alarms
    "wecom_needs_operator": _l("企业微信拒绝了接口 %(endpoint)s（错误码 %(errcode)s）"),
    "wecom_endpoint_cannot_be_called": _l("接口 %(endpoint)s 无法调用"),
    "wecom_refuses_everybody": _l(
        "接口 %(endpoint)s 连续拒绝了 %(number)s 个不同对象的请求（错误码 %(errcode)s）"
    ),
    "do_about_wecom_refuses_everybody": _l(
        "请运行 kegui doctor 核对所发送的内容，并查看该错误码的说明"
    ),
    "wecom_unreachable": _l("自 %(since)s 起无法正常访问企业微信（接口 %(endpoint)s）"),
    "do_about_wecom_unreachable": _l(
        "请检查本机网络、DNS、代理与防火墙；如本机正常，请等待企业微信恢复，积压的事件会自动补做"
    ),
    "no_welcome_codes": _l("成员 %(member)s 的新客户一直没有欢迎语凭证，无法自动发送告知"),
    "do_about_no_welcome_codes": _l(
        "请检查企业微信后台是否为该成员配置了欢迎语；如有，请移除，由客规发送"
    ),
    "job_late": _l("定时任务 %(job)s 自 %(since)s 起没有成功"),
    "do_about_job_late": _l("请执行 kegui status 查看该任务的错误并排除原因，任务会自动重试"),
}

# As the audit log writes them.
ACTS: Mapping[str, LazyString] = {
    "pause.lift": _l("解除接口暂停"),
    "keys.establish": _l("登记数据密钥"),
    "keys.add": _l("启用新的数据密钥"),
    "keys.rotate": _l("更换主密钥"),
    "keys.retire": _l("停用数据密钥"),
}
