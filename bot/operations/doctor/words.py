"""What the doctor says to an operator: for each problem what was seen and what to do."""

from dataclasses import dataclass

from bot.operations.doctor.findings import NOT_CHECKED, OK, WARNING, Finding

LANGUAGES = ("zh", "en")


@dataclass(frozen=True)
class Sentence:
    """What was seen, what to do; each in Chinese and in English."""

    seen: tuple[str, str]
    to_do: tuple[str, str] = ("", "")

    def in_language(self, language: str, finding: Finding) -> tuple[str, str]:
        index = LANGUAGES.index(language)
        return self.seen[index].format(**finding.facts), self.to_do[index].format(**finding.facts)


STATUSES = {
    "zh": {OK: "正常", WARNING: "警告", "failed": "失败", NOT_CHECKED: "未检查"},
    "en": {OK: "ok", WARNING: "warning", "failed": "failed", NOT_CHECKED: "not checked"},
}
CHECKS = {
    "settings": ("配置", "settings"),
    "keys": ("密钥强度", "key strength"),
    "sandbox": ("沙箱开关", "sandbox switch"),
    "reverse proxy": ("反向代理", "reverse proxy"),
    "signed tables": ("合规文本与规则", "signed wording and rules"),
    "database": ("数据库", "database"),
    "migrations": ("数据库迁移", "migrations"),
    "database role": ("数据库角色", "database role"),
    "connections": ("数据库连接数", "database connections"),
    "database clock": ("数据库时钟", "database clock"),
    "data key": ("数据密钥", "data key"),
    "queue": ("队列", "queue"),
    "roles": ("互斥的角色", "roles kept apart"),
    "platform": ("企业微信平台", "WeCom platform"),
    "clock": ("本机时钟", "clock"),
    "app token": ("应用 Secret", "app secret"),
    "contacts token": ("通讯录 Secret", "contacts secret"),
    "archive token": ("会话存档 Secret", "archive secret"),
    "address": ("可信 IP", "trusted IP"),
    "agent": ("应用", "app"),
    "visible range": ("可见范围", "visible range"),
    "departments": ("部门读取", "reading departments"),
    "members": ("成员读取", "reading members"),
    "follow users": ("客户联系成员", "members with 客户联系"),
    "customers": ("客户读取", "reading customers"),
    "contact ways": ("联系我", "contact ways"),
    "groups": ("客户群", "customer groups"),
    "unassigned": ("离职继承", "unassigned customers"),
    "operators": ("运维人员", "operators"),
    "message": ("应用消息", "app message"),
    "contacts": ("通讯录同步", "contacts sync"),
    "archive": ("会话内容存档", "archive"),
    "public address": ("公网地址", "public address"),
    "customer door": ("客户联系回调", "customer callback"),
    "contacts door": ("通讯录回调", "contacts callback"),
    "archive door": ("会话存档回调", "archive callback"),
    "domain file": ("域名校验文件", "domain verification file"),
}
SENTENCES = {
    "ok": Sentence(("", "")),
    "needs": Sentence(("需先解决或设置：{because}", "needs first: {because}")),
    # settings
    "malformed": Sentence(
        ("格式不正确：{names}", "malformed: {names}"),
        ("请更正这些环境变量后重启", "Correct these variables, then restart."),
    ),
    "missing": Sentence(
        ("尚未设置：{names}", "not set yet: {names}"),
        (
            "请设置这些环境变量；设置完成前 worker 与 clock 会一直等待",
            "Set these variables; until then worker and clock wait.",
        ),
    ),
    "weak_keys": Sentence(
        ("密钥过短或过于简单：{names}", "too short or too simple: {names}"),
        (
            "请换成随机值（KEGUI_DATA_KEY 为 32 字节的 base64url）；已有加密数据时"
            "不可直接更换 KEGUI_DATA_KEY",
            "Use random values (KEGUI_DATA_KEY: 32 bytes as base64url); where encrypted data"
            " exists KEGUI_DATA_KEY cannot simply be replaced.",
        ),
    ),
    "equal_keys": Sentence(
        ("使用了相同的值：{names}", "have one and the same value: {names}"),
        ("请让每个密钥使用各自的随机值", "Give each of them a random value of its own."),
    ),
    "sandbox_in_production": Sentence(
        ("生产环境打开了 KEGUI_SANDBOX", "KEGUI_SANDBOX is on in production"),
        (
            "请删除 KEGUI_SANDBOX 并重启：打开时管理台无需登录",
            "Remove KEGUI_SANDBOX and restart: with it the console asks for no login.",
        ),
    ),
    "no_proxy": Sentence(
        (
            "web 直接监听 {bind}，前面没有反向代理",
            "web listens at {bind} with no reverse proxy in front",
        ),
        (
            "请按 deploy/nginx 在前面部署反向代理，并把其地址设为 KEGUI_TRUSTED_PROXIES："
            "否则慢速请求会占满线程，回调与页面都无法应答",
            "Put a reverse proxy in front (deploy/nginx) and set KEGUI_TRUSTED_PROXIES to its"
            " address: otherwise slow requests hold all threads, and nobody is answered.",
        ),
    ),
    "proxy_not_believed": Sentence(
        (
            "地址为 https，但没有设置 KEGUI_TRUSTED_PROXIES",
            "the address is https, but KEGUI_TRUSTED_PROXIES is not set",
        ),
        (
            "请把反向代理的地址设为 KEGUI_TRUSTED_PROXIES：否则所有访问者都显示为代理的地址",
            "Set KEGUI_TRUSTED_PROXIES to the reverse proxy's address: otherwise all visitors"
            " seem to come from there.",
        ),
    ),
    "another_platform": Sentence(
        (
            "KEGUI_WECOM_API_BASE 不是企业微信的地址（{host}）",
            "KEGUI_WECOM_API_BASE is not WeCom's address ({host})",
        ),
        (
            "除非经由贵公司自己的代理，否则请删除 KEGUI_WECOM_API_BASE",
            "Remove KEGUI_WECOM_API_BASE unless it is a proxy of your own.",
        ),
    ),
    "table_unfit": Sentence(
        (
            "不符合企业微信的限制或无法使用：{chinese}",
            "WeCom does not take it, or nobody can: {english}",
        ),
        (
            "请合规人员修改该处并换用新的版本号，再重启全部进程；"
            "在此之前 worker 与 clock 会一直等待",
            "Let compliance change it, with a new version, then restart all processes; until then"
            " worker and clock wait.",
        ),
    ),
    # database and queue
    "database_unreachable": Sentence(
        ("无法使用数据库（{error}）", "the database cannot be used ({error})"),
        (
            "请检查数据库是否运行、KEGUI_DATABASE_URL 的地址与账号是否正确",
            "Check that it runs, and address and account in KEGUI_DATABASE_URL.",
        ),
    ),
    "migrations_pending": Sentence(
        ("有 {count} 个迁移未执行", "{count} migrations were not applied"),
        ("请执行 kegui migrate", "Run kegui migrate."),
    ),
    "role_owns_tables": Sentence(
        (
            "应用所用的数据库角色是表的所有者或超级用户",
            "the application's role owns the tables or is a superuser",
        ),
        (
            "请为 kegui migrate 设置 KEGUI_DATABASE_OWNER_URL，"
            "并让 KEGUI_DATABASE_URL 使用只有读写权限的角色",
            "Set KEGUI_DATABASE_OWNER_URL for kegui migrate, and use a role that may only read and"
            " write in KEGUI_DATABASE_URL.",
        ),
    ),
    "role_lacks_rights": Sentence(
        (
            "应用所用的数据库角色在 {count} 张表上缺少读写权限",
            "the application's role may not read and write {count} of the tables",
        ),
        (
            "请以表的所有者对该角色执行 GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES 和"
            " GRANT USAGE ON ALL SEQUENCES（见 docs/installation.md）",
            "As the owner of the tables, give the role GRANT SELECT, INSERT, UPDATE, DELETE ON ALL"
            " TABLES and GRANT USAGE ON ALL SEQUENCES (docs/installation.md).",
        ),
    ),
    "role_may_create": Sentence(
        (
            "应用所用的数据库角色可以在表所在的 schema 或数据库中创建对象，"
            "可借此让 kegui backup、migrate、restore 以所有者的身份运行它的代码",
            "the application's role may make objects in the tables' schema or in the database, and"
            " so have kegui backup, migrate and restore run its code as the owner",
        ),
        (
            "请执行 kegui migrate（它会收回该权限）；或以 schema、数据库的所有者对该角色和 PUBLIC"
            " 执行 REVOKE CREATE ON SCHEMA 和 REVOKE CREATE ON DATABASE。队列不再需要该权限",
            "Run kegui migrate, which takes this right away; or, as the owner of schema and"
            " database, REVOKE CREATE ON SCHEMA and ON DATABASE from the role and from PUBLIC. The"
            " queue does not need it any more.",
        ),
    ),
    "role_left_objects": Sentence(
        (
            "表所在的 schema 中有 {count} 个函数、运算符或类型属于应用所用的数据库角色",
            "{count} functions, operators or types in the tables' schema belong to the"
            " application's role",
        ),
        (
            "所有者会运行它们，因此 kegui backup、migrate、restore 会拒绝执行并指出其名称。"
            "请查明由谁创建、有何作用，然后删除",
            "The owner would run them, so kegui backup, migrate and restore refuse and name them."
            " Find out who made them and what they do, then drop them.",
        ),
    ),
    "role_may_change_audit": Sentence(
        (
            "应用所用的数据库角色可以修改审计日志的 {count} 张表",
            "the application's role may change {count} of the audit log's tables",
        ),
        (
            "请以表的所有者对该角色执行 REVOKE UPDATE, DELETE, TRUNCATE"
            " ON audit_entry, audit_seal, audit_anchor",
            "As the owner of the tables: REVOKE UPDATE, DELETE, TRUNCATE ON audit_entry,"
            " audit_seal, audit_anchor FROM the role.",
        ),
    ),
    "wrong_encoding": Sentence(
        (
            "数据库编码是 {encoding}，无法保存所有姓名",
            "the database's encoding is {encoding}, which cannot hold every name",
        ),
        (
            "请用 CREATE DATABASE … ENCODING 'UTF8' TEMPLATE template0 重建数据库，"
            "再执行 kegui migrate",
            "Make the database anew with CREATE DATABASE ... ENCODING 'UTF8' TEMPLATE template0,"
            " then run kegui migrate.",
        ),
    ),
    "few_connections": Sentence(
        (
            "max_connections 可供使用 {available} 个，全部进程最多需要 {needed} 个",
            "max_connections leaves {available}, all processes may need {needed}",
        ),
        (
            "请把 PostgreSQL 的 max_connections 调到 {wanted} 以上并重启数据库，或减少进程数",
            "Raise max_connections of PostgreSQL to {wanted} or more and restart it, or run fewer"
            " processes.",
        ),
    ),
    "roles_meet": Sentence(
        (
            "不能同在一人身上的角色同属一人（{people}）",
            "roles that must not meet in one person do ({people})",
        ),
        (
            "请收回其中一个：管理台的“角色与权限”，或 kegui user revoke",
            "Take one of them back: on the page 角色与权限, or with kegui user revoke.",
        ),
    ),
    "roles_unreadable": Sentence(
        (
            "config/roles.toml 无法读取，或写有不存在的角色",
            "config/roles.toml cannot be read, or names a role that there is not",
        ),
        (
            "请按文件开头的说明改正",
            "Correct it as the beginning of the file says.",
        ),
    ),
    "data_key_changed": Sentence(
        (
            "KEGUI_DATA_KEY 无法解开已保存的数据（{what}）",
            "KEGUI_DATA_KEY does not open what is stored ({what})",
        ),
        (
            "请恢复原来的 KEGUI_DATA_KEY；没有它，已保存的内容无法再读取",
            "Bring back the former KEGUI_DATA_KEY: without it what is stored cannot be read.",
        ),
    ),
    "data_key_rotates": Sentence(
        (
            "数据密钥仍由 KEGUI_DATA_KEY_PREVIOUS 加密",
            "the data keys are still wrapped by KEGUI_DATA_KEY_PREVIOUS",
        ),
        (
            "请执行 kegui keys rotate，完成后删除 KEGUI_DATA_KEY_PREVIOUS",
            "Run `kegui keys rotate`, then remove KEGUI_DATA_KEY_PREVIOUS.",
        ),
    ),
    "queue_unreachable": Sentence(
        ("无法连接队列（{error}）", "the queue cannot be reached ({error})"),
        (
            "请检查 Redis 或数据库是否运行、KEGUI_QUEUE_URL 是否正确",
            "Check that Redis (or the database) runs, and KEGUI_QUEUE_URL.",
        ),
    ),
    # clock
    "clock_off": Sentence(
        (
            "与{other}相差 {seconds} 秒（正数：本机慢）",
            "differs from {other} by {seconds} s (positive: ours is behind)",
        ),
        (
            "请在本机与数据库服务器启用 NTP 对时（timedatectl set-ntp true）；"
            "欢迎语凭证只有 20 秒有效，相差超过 KEGUI_CALLBACK_WINDOW_HOURS 时不再接收通知",
            "Switch on NTP here and on the database server (timedatectl set-ntp true): a welcome"
            " code lives 20 seconds only, and no event is taken when the difference is more than"
            " KEGUI_CALLBACK_WINDOW_HOURS.",
        ),
    ),
    "no_date": Sentence(
        ("平台的应答没有 Date 头，无法核对时钟", "the platform's answer has no Date header"),
        ("请自行核对本机时钟", "Check the clock by yourself."),
    ),
    # platform
    "platform_unreachable": Sentence(
        ("无法连接企业微信接口（{trouble}）", "WeCom's API cannot be reached ({trouble})"),
        (
            "请检查出网、DNS 与防火墙，以及 KEGUI_WECOM_API_BASE",
            "Check the way out, DNS and firewall, and KEGUI_WECOM_API_BASE.",
        ),
    ),
    "wrong_corp_id": Sentence(
        ("企业微信不认识该企业 ID（{errcode}）", "WeCom does not know the corp id ({errcode})"),
        (
            "请核对 KEGUI_CORP_ID（管理后台 > 我的企业 > 企业信息 > 企业ID），更正后重启",
            "Check KEGUI_CORP_ID (我的企业 > 企业信息 > 企业ID), then restart.",
        ),
    ),
    "wrong_secret": Sentence(
        ("企业微信不接受 {variable}（{errcode}）", "WeCom does not accept {variable} ({errcode})"),
        (
            "请核对 {variable}，更正后重启，再执行 kegui doctor --retry-secrets；"
            "连续使用错误的 Secret 会被封禁出口 IP 一小时",
            "Correct {variable}, restart, then kegui doctor --retry-secrets; repeated wrong secrets"
            " ban the address for an hour.",
        ),
    ),
    "paused": Sentence(
        (
            "此前被企业微信拒绝（{errcode}），暂停至 {until}，本次未调用",
            "WeCom refused earlier ({errcode}): paused until {until}, not called now",
        ),
        (
            "请等暂停结束；如已更正 Secret，请执行 kegui doctor --retry-secrets",
            "Wait for the end of the pause; once the secret was corrected: kegui doctor"
            " --retry-secrets.",
        ),
    ),
    "banned": Sentence(
        (
            "获取 token 被限流（45009），多为错误 Secret 所致",
            "gettoken is limited (45009), mostly after repeated wrong secrets",
        ),
        (
            "请停止所有进程、更正 Secret，一小时后再试",
            "Stop all processes, correct the secret, and try again in an hour.",
        ),
    ),
    "throttled": Sentence(
        ("被限流（{errcode} {endpoint}）", "limited ({errcode} {endpoint})"),
        ("请稍后再检查", "Check again later."),
    ),
    "app_disabled": Sentence(
        ("该应用已停用（{errcode}）", "the app is disabled ({errcode})"),
        (
            "请在管理后台的应用详情中启用该应用",
            "Enable the app on its page in the admin console.",
        ),
    ),
    "untrusted_ip": Sentence(
        (
            "企业微信不信任来源 IP {address}（{errcode}）",
            "WeCom does not trust the address {address} ({errcode})",
        ),
        (
            "请在管理后台把 {address} 加入该应用的“企业可信IP”，约 1 分钟后生效",
            "Add {address} to the app's 企业可信IP; it takes about a minute.",
        ),
    ),
    "no_permission": Sentence(
        (
            "该应用没有接口 {endpoint} 的权限（{errcode}）",
            "the app may not call {endpoint} ({errcode})",
        ),
        (
            "请在管理后台检查该应用的接口权限（客户联系 > 可调用接口的应用；"
            "分配在职或离职成员的客户、联系我等权限）",
            "Check what the app may call in the admin console (客户联系 > 可调用接口的应用, and the"
            " permissions for handovers, contact ways and so on).",
        ),
    ),
    "wrong_agent_id": Sentence(
        (
            "KEGUI_AGENT_ID 与 KEGUI_APP_SECRET 不属于同一应用（{errcode}）",
            "KEGUI_AGENT_ID and KEGUI_APP_SECRET belong to different apps ({errcode})",
        ),
        (
            "请从应用详情页重新抄录 AgentId 与 Secret",
            "Copy AgentId and Secret anew from one and the same app's page.",
        ),
    ),
    "empty_range": Sentence(
        ("应用的可见范围为空", "the app's visible range is empty"),
        (
            "请在应用详情中把所有客户经理及其主管加入“可见范围”",
            "Add all relationship managers and their leaders to the app's 可见范围.",
        ),
    ),
    "no_departments": Sentence(
        ("看不到任何部门", "no department can be seen"),
        (
            "请按部门（而不是仅按个人）设置应用的可见范围，否则无法得知主管与团队",
            "Set the visible range by departments: otherwise teams and leaders stay unknown.",
        ),
    ),
    "no_follow_users": Sentence(
        (
            "可见范围内没有成员开通客户联系",
            "no member of the visible range has 客户联系",
        ),
        (
            "请在“客户联系 > 权限配置 > 使用范围”中加入客户经理，并确认其在应用可见范围内",
            "Add the relationship managers at 客户联系 > 权限配置 > 使用范围, and see that the"
            " app's visible range holds them.",
        ),
    ),
    "archive_off": Sentence(
        (
            "会话内容存档未开通或已到期（{errcode}）",
            "the archive is not open or expired ({errcode})",
        ),
        ("请在管理后台开通或续费会话内容存档", "Open or renew 会话内容存档 in the admin console."),
    ),
    "refused": Sentence(
        ("接口 {endpoint} 被拒绝（{errcode}）", "{endpoint} was refused ({errcode})"),
        (
            "请在 open.work.weixin.qq.com/devtool/query?e={errcode} 查看该错误码的说明",
            "Look the code up at open.work.weixin.qq.com/devtool/query?e={errcode}.",
        ),
    ),
    "no_answer": Sentence(
        ("接口 {endpoint} 没有可读的应答", "{endpoint} gave no answer that could be read"),
        ("请稍后再检查；持续出现时请检查网络", "Check again; if it stays, check the network."),
    ),
    "no_operators": Sentence(
        ("KEGUI_OPERATORS 未设置，告警无人接收", "KEGUI_OPERATORS is not set: nobody gets alarms"),
        ("请设置接收告警的成员 UserID", "Set the userids of the members who get alarms."),
    ),
    "operator_unknown": Sentence(
        (
            "企业微信中查不到或不在可见范围内：{userids}",
            "unknown to WeCom or outside the app's visible range: {userids}",
        ),
        (
            "请核对 KEGUI_OPERATORS，并把这些成员加入应用的可见范围",
            "Check KEGUI_OPERATORS, and add these members to the app's visible range.",
        ),
    ),
    "operator_inactive": Sentence(
        ("未激活、已禁用或已离职：{userids}", "not active, barred or gone: {userids}"),
        ("请让其激活，或在 KEGUI_OPERATORS 中换人", "Let them join, or name others."),
    ),
    "not_delivered": Sentence(
        ("消息无法送达 {userid}", "the message does not reach {userid}"),
        (
            "请确认该成员已激活并在应用的可见范围内",
            "See that the member is active and inside the app's visible range.",
        ),
    ),
    # doors
    "public_url_local": Sentence(
        ("KEGUI_PUBLIC_URL 指向本机", "KEGUI_PUBLIC_URL leads to this machine"),
        (
            "请设置企业微信能够访问的公网域名（与企业主体一致，建议 https）",
            "Set the public domain that WeCom can reach (of your own corporation, https).",
        ),
    ),
    "public_url_plain": Sentence(
        ("KEGUI_PUBLIC_URL 未使用 https", "KEGUI_PUBLIC_URL is not https"),
        ("请为该域名配置证书并改用 https", "Use a certificate and https."),
    ),
    "door_unreachable": Sentence(
        (
            "从本机无法访问 {path}（{trouble}）",
            "{path} cannot be reached from here ({trouble})",
        ),
        (
            "请检查 web 进程、反向代理、DNS 与防火墙；若内网不能回访公网地址，请在外网再试",
            "Check web process, proxy, DNS and firewall; if your network cannot reach its own"
            " public address, try from outside.",
        ),
    ),
    "door_tls": Sentence(
        ("{path} 的 https 证书无效", "the https certificate at {path} is not valid"),
        ("请安装受信任的证书（含中间证书）", "Install a trusted certificate with its chain."),
    ),
    "door_not_found": Sentence(
        ("{path} 返回 {status}", "{path} answers {status}"),
        (
            "请确认反向代理把 /wecom/ 原样转给 web 进程，且 web 以同一配置启动",
            "See that the proxy passes /wecom/ on unchanged, and web runs with these settings.",
        ),
    ),
    "door_blocked": Sentence(
        (
            "{path} 返回 {status}，应答不是 web 进程发出的",
            "{path} answers {status}, and the answer is not the web process's",
        ),
        (
            "请检查反向代理、WAF 或跳转规则：{path} 必须无需登录、不跳转",
            "Check proxy, firewall and redirects: {path} must need no login and no redirect.",
        ),
    ),
    "door_wrong_token": Sentence(
        ("{path} 的 Token 不一致", "the token differs at {path}"),
        (
            "请让 {token} 与管理后台接收消息的 Token 一致，并重启 web",
            "Make {token} equal to the Token in the admin console, then restart web.",
        ),
    ),
    "door_wrong_key": Sentence(
        ("{path} 的 EncodingAESKey 不一致", "the EncodingAESKey differs at {path}"),
        (
            "请让 {aes_key} 与管理后台的 EncodingAESKey 一致，并重启 web",
            "Make {aes_key} equal to the EncodingAESKey in the admin console, then restart web.",
        ),
    ),
    "door_wrong_corp_id": Sentence(
        ("{path} 所用的企业 ID 不一致", "the corp id differs at {path}"),
        (
            "web 进程的 KEGUI_CORP_ID 与此处不同：请核对并重启 web",
            "The web process has another KEGUI_CORP_ID: check it, then restart web.",
        ),
    ),
    "door_slow": Sentence(
        ("{path} 用了 {seconds} 秒才应答", "{path} took {seconds} s to answer"),
        (
            "企业微信验证 URL 只等 1 秒：请检查网络、代理与机器负载",
            "WeCom waits 1 second for the verification: check network, proxy and load.",
        ),
    ),
    "door_decorated": Sentence(
        ("{path} 的应答多了{what}", "the answer of {path} has {what} too much"),
        (
            "应答必须是不带引号、换行与 BOM 的明文：请检查改写应答内容的代理",
            "The answer must be bare, without quotes, newline or BOM: check what rewrites it.",
        ),
    ),
    "door_wrong_answer": Sentence(
        ("{path} 的应答不是验证明文", "{path} does not answer the echo"),
        (
            "请确认该地址由客规的 web 进程应答，而不是别的网站",
            "See that Kegui's web process answers there and not another site.",
        ),
    ),
    "domain_file_unreadable": Sentence(
        ("读不到域名校验文件", "the domain verification file cannot be read"),
        (
            "请核对 KEGUI_DOMAIN_VERIFY_FILE 的路径与权限",
            "Check path and rights of KEGUI_DOMAIN_VERIFY_FILE.",
        ),
    ),
    "domain_file_not_served": Sentence(
        ("{path} 返回 {status}", "{path} answers {status}"),
        (
            "请让反向代理把 {path} 转给 web 进程，并在设置后重启 web",
            "Let the proxy pass {path} on to web, and restart web after setting it.",
        ),
    ),
    "domain_file_differs": Sentence(
        ("{path} 的内容与文件不同", "{path} shows other content than the file"),
        (
            "请从管理后台重新下载校验文件；检查该域名是否指向本服务",
            "Download the file anew from the admin console; see that the domain leads here.",
        ),
    ),
}
