"""Checks against WeCom: tokens, addresses, permissions, the app and its people. All only read."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from bot.operations.doctor.findings import OK, Finding, failed, not_checked, ok, warning
from bot.operations.doctor.storage import judge_clock
from bot.wecom import (
    OUT_OF_RANGE,
    OperatorNeeded,
    Paused,
    Refused,
    SecretName,
    Throttled,
    WeCom,
    WeComError,
)
from bot.wecom.errors import GETTOKEN
from bot.wecom.messages import NOBODY_REACHED
from bot.wecom.probe import probe
from bot.wecom.transport import VARIABLES

WRONG_CORP_ID = (40013,)
WRONG_SECRETS = (40001, 40091, 45031, 41004, 41024)
UNTRUSTED = (60020, 301042, 90308)
FORBIDDEN = (48001, 48002, 48004, 48006, 48009, 48011, 60031, 84074, 92001)
DISABLED = (50003, 50006)
WRONG_AGENT = (301002, 40056)
ARCHIVE_OFF = (301052, 301053)
# Gone or outside the visible range: WeCom does not tell which (path 90196).
UNKNOWN_MEMBER = (60111, *OUT_OF_RANGE)
ACTIVE = 1
APP_CHECKS = (
    "agent",
    "visible range",
    "departments",
    "members",
    "follow users",
    "customers",
    "contact ways",
    "groups",
    "unassigned",
    "operators",
)


def check_reachable(api_base: str) -> list[Finding]:
    """One call without a token: WeCom refuses it, and tells the time."""
    answer = probe(api_base.rstrip("/") + "/cgi-bin/getcallbackip")
    if answer.trouble or answer.status != 200:
        trouble = answer.trouble or f"HTTP {answer.status}"
        return [
            failed("platform", "platform_unreachable", trouble=trouble),
            not_checked("clock", "platform"),
        ]
    if answer.clock_offset is None:
        return [ok("platform"), warning("clock", "no_date")]
    return [ok("platform"), judge_clock("clock", "企业微信 / WeCom", answer.clock_offset)]


def judge_error(check: str, error: WeComError, secret_name: SecretName) -> Finding:
    """Turn what WeCom answered into what an operator has to do; by the code alone (path 90313)."""
    code, facts = error.errcode, {"errcode": error.errcode, "endpoint": error.endpoint}
    if isinstance(error, Paused):
        until = error.until.strftime("%Y-%m-%d %H:%M:%S UTC")
        return failed(check, "paused", errcode=error.cause, until=until)
    if code == 45009 and error.endpoint == GETTOKEN:
        return failed(check, "banned")
    if isinstance(error, Throttled):
        return warning(check, "throttled", **facts)
    if code in UNTRUSTED:
        return failed(check, "untrusted_ip", errcode=code, address=error.from_ip or "?")
    if code in WRONG_SECRETS:
        return failed(check, "wrong_secret", errcode=code, variable=VARIABLES[secret_name])
    for codes, problem in (
        (WRONG_CORP_ID, "wrong_corp_id"),
        (DISABLED, "app_disabled"),
        (WRONG_AGENT, "wrong_agent_id"),
        (ARCHIVE_OFF, "archive_off"),
        (FORBIDDEN, "no_permission"),
    ):
        if code in codes:
            return failed(check, problem, **facts)
    return failed(check, "no_answer" if code is None else "refused", **facts)


def check_token(wecom: WeCom, secret_name: SecretName) -> Finding:
    """Ask once with the secret itself: a stored token would hide that it was reset."""
    check = f"{secret_name} token"
    try:
        wecom.transport.renew_token(secret_name)
    except WeComError as error:
        return judge_error(check, error, secret_name)
    return ok(check)


@dataclass
class AppChecks:
    """The checks with the app's own token; each stands alone, an untrusted address stops all."""

    wecom: WeCom
    agent_id: int | None
    operators: Sequence[str]
    found: list[Finding] = field(default_factory=list)
    follow_users: list[str] = field(default_factory=list)

    def run(self) -> list[Finding]:
        self._try("address", self._address)
        if self.found[-1].problem == "untrusted_ip":
            return [*self.found, *(not_checked(name, "address") for name in APP_CHECKS)]
        self._agent()
        self._try("departments", self._departments)
        self._try("follow users", self._follow_users)
        self._with_a_member("members", self._member)
        self._with_a_member("customers", self._customers)
        self._try("contact ways", self._contact_ways)
        self._with_a_member("groups", self._groups)
        self._try("unassigned", self._unassigned)
        self._try("operators", self._operators)
        return self.found

    def _try(self, check: str, ask: Callable[[], Finding]) -> None:
        try:
            self.found.append(ask())
        except WeComError as error:
            self.found.append(judge_error(check, error, "app"))

    def _with_a_member(self, check: str, ask: Callable[[], Finding]) -> None:
        if self.follow_users:
            self._try(check, ask)
        else:
            self.found.append(not_checked(check, "follow users"))

    def _address(self) -> Finding:
        self.wecom.agents.callback_addresses()
        return ok("address")

    def _agent(self) -> None:
        if self.agent_id is None:
            self.found += [not_checked(one, "KEGUI_AGENT_ID") for one in ("agent", "visible range")]
            return
        try:
            agent = self.wecom.agents.get(self.agent_id)
        except WeComError as error:
            self.found += [
                judge_error("agent", error, "app"),
                not_checked("visible range", "agent"),
            ]
            return
        disabled = failed("agent", "app_disabled", errcode="close=1")
        self.found.append(disabled if agent.is_disabled else ok("agent"))
        empty = failed("visible range", "empty_range")
        self.found.append(empty if agent.sees_nobody else ok("visible range"))

    def _departments(self) -> Finding:
        seen = self.wecom.contacts.departments()
        return ok("departments") if seen else warning("departments", "no_departments")

    def _follow_users(self) -> Finding:
        self.follow_users = self.wecom.customers.follow_users()
        if not self.follow_users:
            return failed("follow users", "no_follow_users")
        return ok("follow users", count=len(self.follow_users))

    def _member(self) -> Finding:
        self.wecom.contacts.user(self.follow_users[0])
        return ok("members")

    def _customers(self) -> Finding:
        self.wecom.customers.ids_of(self.follow_users[0])
        return ok("customers")

    def _contact_ways(self) -> Finding:
        next(self.wecom.contact_ways.ids(), None)
        return ok("contact ways")

    def _groups(self) -> Finding:
        self.wecom.groups.owned_by(self.follow_users[0])
        return ok("groups")

    def _unassigned(self) -> Finding:
        next(self.wecom.resigned.unassigned(), None)
        return ok("unassigned")

    def _operators(self) -> Finding:
        if not self.operators:
            return warning("operators", "no_operators")
        unknown, inactive = [], []
        for userid in self.operators:
            try:
                if self.wecom.contacts.user(userid).status != ACTIVE:
                    inactive.append(userid)
            except (Refused, OperatorNeeded) as error:
                if error.errcode not in UNKNOWN_MEMBER:
                    raise
                unknown.append(userid)
        if unknown:
            return failed("operators", "operator_unknown", userids=", ".join(unknown))
        if inactive:
            return failed("operators", "operator_inactive", userids=", ".join(inactive))
        return ok("operators")


def check_message(wecom: WeCom, userid: str, text: str) -> Finding:
    """Send one message, only because the operator asked for it."""
    try:
        wecom.messages.send_text([userid], text)
    except Refused as refused:
        if refused.errcode == NOBODY_REACHED:
            return failed("message", "not_delivered", userid=userid)
        return judge_error("message", refused, "app")
    except WeComError as error:
        return judge_error("message", error, "app")
    return ok("message")


def check_other_secret(wecom: WeCom, secret_name: SecretName, token: Finding) -> Finding:
    """What the contacts and the archive secret are for: one call each."""
    check: str = secret_name
    if token.status != OK:
        return not_checked(check, token.check)
    try:
        if check == "archive":
            return ok(check, members=len(wecom.archive.members()))
        wecom.contacts.department_tree(secret_name)
    except WeComError as error:
        return judge_error(check, error, secret_name)
    return ok(check)
