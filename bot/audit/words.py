"""What the acts on the audit log are called."""

from collections.abc import Mapping

from flask_babel import LazyString
from flask_babel import lazy_gettext as _l

REASONS: Mapping[str, LazyString] = {
    "audit_anchors_away": _l("审计日志的签名无法保存到数据库之外（%(cause)s）"),
    "do_about_audit_anchors_away": _l("请检查 KEGUI_AUDIT_ANCHOR_URL 所指的位置是否存在、可写"),
    "audit_unsealed": _l("审计日志有 %(number)s 条记录没有按时加封，最早的一条自 %(since)s 起"),
    "do_about_audit_unsealed": _l(
        "请查看 clock 的日志，检查数据库磁盘与账号权限；加封之前，记录若被删除，校验时可能看不出来"
    ),
    "audit_broken": _l("审计日志校验发现 %(number)s 处问题，第一处：%(first)s"),
    "do_about_audit_broken": _l(
        "请运行 kegui audit verify --all 查看全部问题，先备份数据库现状，再查明原因"
        "（见 docs/audit.md）；问题消除后一小时内告警自动解除"
    ),
}

# As the audit log writes them.
ACTS: Mapping[str, LazyString] = {
    "audit.look": _l("查阅审计日志"),
    "audit.export": _l("导出审计日志"),
    "audit.take_key": _l("导出审计条目密钥"),
    "audit.keep_end": _l("重新确认审计链末端"),
}
