"""Errors as RFC 9457 problem details: what is wrong and what to do, in the caller's language."""

import json
from collections.abc import Mapping
from math import ceil
from typing import Any

import structlog
from apiflask import APIBlueprint, APIFlask, HTTPError
from flask import Response, request
from peewee import OperationalError
from playhouse.pool import MaxConnectionsExceeded
from pydantic import ValidationError
from pydantic_core import ErrorDetails
from werkzeug.exceptions import HTTPException
from werkzeug.http import HTTP_STATUS_CODES

from bot import clock, db
from bot.alarms import raise_alarm_for
from bot.api import context, field_errors
from bot.audit.log import AuditUnwritable
from bot.channels.contact_ways import Changed
from bot.customers.conflicts import NotOpen
from bot.handover.handovers import LastDayTooFar, NotPossible, UnfitSuccessor, UnknownStaff
from bot.identity.access import LOCAL
from bot.identity.proposals import NotBound, SamePerson
from bot.language import CHINESE, accepted
from bot.reason import Reason, in_words
from bot.vault import WrongKey
from bot.wecom import OperatorNeeded, Paused, Refused, Throttled, WeComError

log = structlog.get_logger(__name__)
MIMETYPE = "application/problem+json"
BODY = "body"
_CHINESE_TITLES = {
    400: "请求有误",
    401: "未认证",
    403: "没有权限",
    404: "不存在",
    405: "不支持的方法",
    409: "当前状态不允许",
    413: "请求过大",
    415: "不支持的格式",
    422: "请求内容不符合要求",
    428: "须写明事由",
    500: "服务器内部错误",
    502: "企业微信调用失败",
    503: "暂时不可用",
}
# What to do about errors that no view raised by itself.
_ADVICE = {
    400: ("请检查请求格式：正文须为 UTF-8 编码的 JSON", "check the request: its body must be JSON"),
    404: ("没有这个地址，请核对路径", "there is no such address: check the path"),
    405: ("此地址不支持该方法，见 Allow 头", "this address has other methods, see Allow"),
    413: ("请求正文过大，请分批提交", "the body is too large: send it in parts"),
    415: ("请求正文须以 application/json 发送", "send the body as application/json"),
    500: ("服务器出错，请稍后重试并查看日志", "an error of ours: try later, and see the log"),
}


class Problem(Exception):
    """A request that is not answered as asked; ``extra`` goes into the document as it is."""

    def __init__(
        self,
        status: int,
        slug: str,
        chinese: str,
        english: str,
        *,
        headers: Mapping[str, str] | None = None,
        extra: Mapping[str, object] | None = None,
    ) -> None:
        super().__init__(english)
        self.status = status
        self.slug = slug
        self.texts = (chinese, english)
        self.headers = dict(headers or {})
        self.extra = dict(extra or {})


def missing(chinese: str, english: str, identifier: object) -> Problem:
    """The problem of an identifier that nothing has."""
    return Problem(
        404,
        "not-found",
        f"没有{chinese} {identifier}，请核对编号",
        f"there is no {english} {identifier}: check the identifier",
    )


def invalid(field: str, chinese: str, english: str, **extra: str) -> Problem:
    """The problem of one field that is well-formed and yet impossible."""
    errors = [{"field": field, "message": in_language(chinese, english)}]
    return Problem(422, "invalid", chinese, english, extra={"errors": errors, **extra})


def respond(problem: Problem) -> Response:
    """Write a problem down as an answer."""
    body = {
        **problem.extra,
        "type": f"urn:kegui:problem:{problem.slug}",
        "title": _title(problem.status),
        "status": problem.status,
        "detail": in_language(*problem.texts),
    }
    response = Response(json.dumps(body, ensure_ascii=False), problem.status, mimetype=MIMETYPE)
    response.headers.extend(problem.headers)
    response.headers["Content-Language"] = accepted()
    response.vary.add("Accept-Language")
    return response


def in_language(chinese: str, english: str) -> str:
    """The one of two texts that the caller reads."""
    return chinese if accepted() == CHINESE else english


def _title(status: int) -> str:
    english = HTTP_STATUS_CODES.get(status, "Error")
    return _CHINESE_TITLES.get(status, english) if accepted() == CHINESE else english


def translate(api: APIBlueprint) -> None:
    """Answer what views, actions and WeCom raise with problems."""
    api.register_error_handler(Problem, respond)
    api.register_error_handler(HTTPError, _invalid_request)
    api.register_error_handler(RecursionError, _too_deep)
    api.register_error_handler(UnknownStaff, _unknown_staff)
    api.register_error_handler(LastDayTooFar, _last_day_too_far)
    api.register_error_handler(UnfitSuccessor, _unfit_successor)
    api.register_error_handler(NotPossible, _not_possible)
    api.register_error_handler(SamePerson, _same_person)
    api.register_error_handler(NotBound, _not_bound)
    api.register_error_handler(NotOpen, _not_open)
    api.register_error_handler(Changed, _changed)
    api.register_error_handler(WeComError, _wecom)
    api.register_error_handler(AuditUnwritable, _audit_unwritable)
    api.register_error_handler(OperationalError, _database_away)
    api.register_error_handler(MaxConnectionsExceeded, _no_connection_left)
    api.register_error_handler(WrongKey, _wrong_key)


def answer_for(app: APIFlask, prefix: str) -> None:
    """Make problems of the errors of the framework itself, for addresses under ``prefix``."""
    before: Any = app.error_handler_spec[None][None].get(HTTPException)

    def answer(error: HTTPException) -> Any:
        under = request.path == prefix or request.path.startswith(prefix + "/")
        if not under and before is not None:
            return before(error)
        return respond(_of_framework(error))

    app.register_error_handler(HTTPException, answer)


def _of_framework(error: HTTPException) -> Problem:
    status = error.code or 500
    # The framework's own words are English.
    texts = _ADVICE.get(status, ("请求未被接受，请核对后重试", str(error.description)))
    headers = {
        name: value
        for name, value in error.get_headers()
        if name.lower() not in ("content-type", "content-length")
    }
    slug = HTTP_STATUS_CODES.get(status, "error").lower().replace(" ", "-")
    return Problem(status, slug, *texts, headers=headers)


def _invalid_request(error: HTTPError) -> Response:
    """What APIFlask found wrong in one place of the request, as one list of fields."""
    place = next(iter(error.detail))
    found = error.__cause__.errors() if isinstance(error.__cause__, ValidationError) else []
    errors: list[dict[str, str]] = []
    for one in found:
        told = _told(one, BODY if place == "json" else place)
        # No caller shall send null: it is how the models let a field be left out.
        if one["type"] != "none_required" and told not in errors:
            errors.append(told)
    return respond(
        Problem(
            error.status_code,
            "invalid",
            "请按 errors 逐项更正后重试",
            "correct what errors lists, then try again",
            extra={"errors": errors},
        )
    )


def _told(found: ErrorDetails, place: str) -> dict[str, str]:
    """One error, its field as the caller wrote it: ``userids.2`` is the third of them."""
    if found["type"] == "model_type":
        return no_object()
    # No request has objects inside: further names are those of pydantic's alternatives.
    elements = [part for part in found["loc"][1:] if isinstance(part, int)]
    field = ".".join(str(part) for part in (*found["loc"][:1], *elements))
    message = in_language(*field_errors.texts(found))
    return {"in": place, "field": field or place, "message": message}


def no_object() -> dict[str, str]:
    """The error of a body that is not an object at all."""
    message = in_language(*field_errors.NO_OBJECT)
    return {"in": BODY, "field": BODY, "message": message}


def _too_deep(_error: RecursionError) -> Response:
    return respond(Problem(400, "bad-request", "正文嵌套过深", "the body is nested too deeply"))


def _unknown_staff(error: UnknownStaff) -> Response:
    return respond(missing("成员", "member", error))


def _last_day_too_far(error: LastDayTooFar) -> Response:
    chinese = f"最后工作日 {error.day} 距今过远，请核对"
    return respond(invalid("last_day", chinese, str(error)))


def _unfit_successor(error: UnfitSuccessor) -> Response:
    why = in_words(Reason(error.reason))
    return respond(
        invalid(
            "successors",
            f"成员 {error.userid} 不能接替（{why}），请另选他人",
            f"{error.userid} cannot take over ({why}): name somebody else",
            userid=error.userid,
            reason=error.reason,
        )
    )


def _not_possible(error: NotPossible) -> Response:
    why = in_words(Reason(error.code))
    chinese, english = f"该交接的状态不允许此操作（{why}）", f"too late: {why}"
    return respond(Problem(409, "wrong-state", chinese, english))


def _not_bound(error: NotBound) -> Response:
    name = error.actor.removeprefix(LOCAL)
    return respond(
        Problem(
            403,
            "not-bound",
            f"本地管理员 {name} 未绑定成员，不能提出或决定。请在服务器终端运行"
            f" kegui user bind {name} 加其成员账号",
            f"nobody knows which member the local administrator {name} is: run"
            f" `kegui user bind {name} USERID` at a terminal of the server",
        )
    )


def _same_person(_error: SamePerson) -> Response:
    return respond(
        Problem(
            403,
            "same-person",
            "令牌的负责人或创建人是这项交接的发起人、修改人或当事人，须由另一人处理",
            "whoever answers for this token or made it proposed or changed it, or leaves: let"
            " another person do it",
        )
    )


def _changed(_error: Changed) -> Response:
    return respond(
        Problem(
            409,
            "changed",
            "它正被他人修改，或刚刚被修改，请重新读取后再试",
            "somebody changes it, or has just changed it: read it again, then try again",
        )
    )


def _not_open(_error: NotOpen) -> Response:
    return respond(
        Problem(
            409, "wrong-state", "该归属冲突已处理，无需再处理", "the conflict is settled already"
        )
    )


def _wecom(error: WeComError) -> Response:
    raise_alarm_for(error, context.kegui())
    # WeCom's own words are in whatever language they are, so they stand beside ours.
    about = {"endpoint": error.endpoint, "errcode": error.errcode, "errmsg": error.errmsg}
    if isinstance(error, Refused):
        chinese = f"企业微信拒绝了该请求（错误码 {error.errcode}），请检查内容"
        english = f"WeCom refused it (error {error.errcode}): check what you sent"
        return respond(Problem(422, "wecom-refused", chinese, english, extra=about))
    seconds = _wait_seconds(error)
    if seconds is not None:
        headers = {"Retry-After": str(seconds)}
        chinese = f"企业微信接口暂停调用，请 {seconds} 秒后重试"
        english = f"calls to WeCom are paused: try again in {seconds} seconds"
        return respond(Problem(503, "wecom-wait", chinese, english, headers=headers, extra=about))
    advice, advised = "请稍后重试", "try later"
    if isinstance(error, OperatorNeeded):
        advice = advised = in_words(error.what_to_do)
    code, coded = "没有应答", "no answer"
    if error.errcode is not None:
        code, coded = f"错误码 {error.errcode}", f"error {error.errcode}"
    chinese = f"企业微信未能完成（{code}）：{advice}"
    english = f"WeCom did not do it ({coded}): {advised}"
    return respond(Problem(502, "wecom-failed", chinese, english, extra=about))


def _wait_seconds(error: WeComError) -> int | None:
    if isinstance(error, Paused):
        return max(1, ceil((error.until - clock.now()).total_seconds()))
    if isinstance(error, Throttled):
        return max(1, ceil(error.wait_seconds))
    return None


def _audit_unwritable(error: AuditUnwritable) -> Response:
    log.error("audit_unwritable", error=str(error))
    return respond(
        Problem(
            503,
            "audit-unwritable",
            "审计日志无法写入，操作未执行；请联系系统管理员检查数据库",
            "the audit log cannot be written, so nothing was done: let IT check the database",
        )
    )


def _database_away(error: OperationalError) -> Response:
    """A full disk, or one that is away; any other refusal is an error of ours."""
    is_full = db.is_full(error)
    if not is_full and not db.is_away(error):
        raise error
    log.error("database_refused", error=type(error).__name__, is_full=is_full)
    return respond(_NO_ROOM if is_full else _BUSY)


def _no_connection_left(error: MaxConnectionsExceeded) -> Response:
    log.warning("database_refused", error=type(error).__name__)
    return respond(_BUSY)


def _wrong_key(error: WrongKey) -> Response:
    log.error("wrong_data_key")
    return respond(_WRONG_KEY)


_WRONG_KEY = Problem(
    503,
    "wrong-data-key",
    "KEGUI_DATA_KEY 不是本数据库的数据密钥；请联系系统管理员恢复原来的密钥",
    "KEGUI_DATA_KEY is not the key of this database: let IT bring back the former one",
)
_BUSY = Problem(
    503,
    "busy",
    "数据库繁忙或无法连接，请稍后重试",
    "the database is busy or cannot be reached: try again soon",
    headers={"Retry-After": str(db.RETRY_SECONDS)},
)
_NO_ROOM = Problem(
    503,
    "no-room",
    "数据库所在磁盘已满，无法保存；请联系系统管理员腾出空间，核对后再重试",
    "the database's disk is full and can keep nothing: let IT make room, see what was done, then"
    " try again",
)
