"""What the archive's events and acts are called."""

from collections.abc import Mapping

from flask_babel import LazyString
from flask_babel import lazy_gettext as _l

EVENTS: Mapping[tuple[str, str], LazyString] = {("msgaudit_notify", ""): _l("会话存档有新消息")}
REASONS: Mapping[str, LazyString] = {
    "archive_silent": _l("会话内容存档自 %(since)s 起没有成功拉取；企业微信只保留五天"),
    "do_about_archive_silent": _l(
        "请检查 archive 进程（kegui archive status）、会话存档的 Secret、可信 IP 与网络"
    ),
    "archive_locked": _l("有 %(number)s 条存档消息无法解密（公钥版本 %(versions)s）"),
    "do_about_archive_locked": _l(
        "请把对应版本的私钥以 <版本号>.pem 放入 KEGUI_ARCHIVE_PRIVATE_KEYS 目录，放入后会自动重试"
    ),
    "archive_media_missing": _l("有 %(number)s 个存档文件没有取到"),
    "do_about_archive_media_missing": _l(
        "请检查 archive 进程的日志与 KEGUI_MEDIA_URL；超过五天的文件企业微信不再提供"
    ),
    "archive_broken": _l("会话存档校验发现问题：%(first)s"),
    "archive_end_changed": _l("会话存档的链末端与记录不符"),
    "do_about_archive_broken": _l("请先备份数据库现状，运行 kegui archive verify 查看，再查明原因"),
    "archive_refused": _l("会话内容存档无法拉取（错误码 %(errcode)s）"),
    "archive_unusable": _l("会话内容存档无法使用：%(cause)s"),
    "archive_sdk_dies": _l("会话内容存档 SDK 的进程反复异常退出"),
    "archive_end_changed_stopped": _l("会话存档的链末端与记录不符，已停止写入"),
    "do_check_archive_secret": _l("请核对 KEGUI_CORP_ID、KEGUI_ARCHIVE_SECRET 后重启 archive 进程"),
    "do_trust_address_of_archive": _l("请在企业微信后台把本机出口 IP 加入会话内容存档的“可信IP”"),
    "do_check_tls": _l("请检查本机的根证书、系统时间与网络代理：与企业微信的 TLS 连接未通过校验"),
    "do_check_archive_files": _l(
        "请检查 KEGUI_ARCHIVE_SDK 所指的文件与 KEGUI_ARCHIVE_PRIVATE_KEYS 目录"
        "（见 docs/archive.md）"
    ),
    "do_restore_archive_end": _l(
        "请先备份数据库现状，运行 kegui archive verify 查明何处被改动，再决定如何恢复"
    ),
}

# As the audit log writes them.
ACTS: Mapping[str, LazyString] = {
    "archive.search": _l("检索会话存档"),
    "archive.read": _l("查阅存档消息"),
    "archive.feed": _l("批量读取存档消息"),
    "archive.media": _l("查看存档文件"),
    "archive.completeness": _l("查看存档完整性"),
    "archive.rekey": _l("更换会话存档的主密钥"),
}
