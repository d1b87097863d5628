"""运行: how the service itself is doing, and what an operator must do about it."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from apiflask import APIBlueprint
from apscheduler.triggers.base import BaseTrigger
from apscheduler.triggers.interval import IntervalTrigger
from flask import abort, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import LazyString
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l

from bot import clock
from bot.console import gate
from bot.console.gate import allow
from bot.console.pages import kegui, lasting
from bot.console.registered import registered
from bot.console.words import word
from bot.jobs import next_strike, timetable
from bot.models import EndpointPause
from bot.models.inbox_event import DEAD, OPEN_STATES
from bot.operations import pauses
from bot.operations.rights import LIFT_PAUSES, SEE_OPERATION
from bot.operations.state import (
    AUDIT_BROKEN,
    AUDIT_UNSEALED,
    CLOCK_STANDS,
    DEAD_EVENTS,
    JOB_LATE,
    OPEN_ALARMS,
    OVERDUE,
    PAUSED,
    QUEUE_AWAY,
    Job,
    Operation,
    Trouble,
    read_operation,
)
from bot.queue import Lane, Queue, QueueAway
from bot.reason import Reason
from bot.staff.names import Names
from bot.sync.findings import WHAT_TO_DO, Summary, latest
from bot.wecom import what_to_do
from bot.wecom.errors import GETTOKEN
from bot.wecom.pause_list import OpenPause
from bot.wecom.pausing import WRONG_SECRET
from config.settings import Settings

# A job that has not ended by then was broken off, or somebody should know that it takes so long.
JOB_PATIENCE = timedelta(hours=1)

# The leases of all who read are of this kind.
READING = "sync"

# What is the matter, and the part of this page that says more.
TROUBLES: Mapping[str, tuple[LazyString, str]] = {
    OVERDUE: (
        _l("%(lane)s：有事件已等待 %(lasts)s，请检查任务处理进程（worker）是否在运行"),
        "#queue",
    ),
    CLOCK_STANDS: (_l("定时任务进程（clock）没有运行，定时任务已停止 %(lasts)s"), "#jobs"),
    JOB_LATE: (_l("定时任务“%(job)s”已有 %(lasts)s 没有成功"), "#jobs"),
    AUDIT_BROKEN: (_l("审计日志校验发现 %(number)s 处问题，请运行 kegui audit verify"), ""),
    AUDIT_UNSEALED: (_l("审计日志有条目 %(lasts)s 没有加封，请检查 定时任务进程"), "#jobs"),
    QUEUE_AWAY: (_l("无法连接任务队列；事件不会丢失，只会延迟处理"), "#queue"),
    PAUSED: (_l("接口 %(endpoint)s 已暂停调用，需要运维人员处理"), "#pauses"),
    DEAD_EVENTS: (_l("%(number)s 个事件处理失败，请查明原因后重新处理"), "#dead"),
    OPEN_ALARMS: (_l("%(number)s 条告警尚未解除"), ""),
}

# Why nobody calls, by the code of WeCom's answer; None: there was no answer.
REASONS: Mapping[int | None, LazyString] = {
    None: _l("多次没有收到企业微信的答复（网络错误）"),
    -1: _l("企业微信系统繁忙"),
    40001: _l("企业微信不接受该 Secret"),
    40091: _l("企业微信不接受该 Secret"),
    40013: _l("企业微信不认识该企业 ID"),
    40014: _l("企业微信不接受 access_token"),
    42001: _l("企业微信不接受 access_token"),
    45009: _l("调用次数超过企业微信的限制"),
    45033: _l("同时调用的次数超过企业微信的限制"),
    45036: _l("企业微信因访问异常限制了数据访问"),
    41094: _l("提醒次数超过企业微信的限制"),
    48002: _l("该应用没有调用此接口的权限"),
    60020: _l("本机出口 IP 不在该应用的可信名单中"),
}

blueprint = APIBlueprint(
    "operation",
    __name__,
    template_folder="templates",
    url_prefix="/operation",
    enable_openapi=False,
)


@dataclass(frozen=True)
class LaneLine:
    """One lane of the inbox; ``wake_ups`` None: the queue does not answer."""

    lane: Lane
    numbers: Mapping[str, int]
    overdue: timedelta
    wake_ups: int | None


@dataclass(frozen=True)
class PauseLine:
    """A pause with its words; ``state``: ``operator``, ``itself`` or ``unproven``.

    ``is_dangerous``: another try before the cause is mended closes our address for an hour.
    """

    pause: OpenPause
    state: str
    reason: str
    what_to_do: Reason
    is_dangerous: bool


@dataclass(frozen=True)
class JobLine:
    """A job of the schedule; ``run`` None: it was never begun."""

    name: str
    title: str
    rhythm: str
    run: Job | None
    state: str
    next_at: datetime | None


@blueprint.get("")
@allow(SEE_OPERATION)
def index() -> str:
    """What needs an operator; queue, pauses, dead events, readings, jobs."""
    sizes = _sizes(kegui().queue)
    operation = read_operation(clock.now())
    return render_template(
        "operation/index.html",
        operation=operation,
        tasks=[_task(trouble) for trouble in operation.troubles(sizes)],
        lanes=_lanes(operation, sizes),
        states=(*OPEN_STATES, DEAD),
        pauses=_pauses(operation),
        jobs=_jobs(operation, kegui().settings),
        readings=[(one, _reading_state(one, operation)) for one in latest()],
        advice=WHAT_TO_DO,
        address=request.host_url,
        names=Names(),
    )


@blueprint.post("/pauses/lift")
@allow(LIFT_PAUSES)
def lift() -> ResponseReturnValue:
    """End a pause, after its cause was mended."""
    pause = EndpointPause.get_or_none(EndpointPause.name == request.form.get("name", ""))
    if pause is None:
        abort(404)
    number = pauses.lift(pause, gate.who(), kegui())
    flash(_("已解除暂停，%(number)s 个等待的事件会立即重试。", number=number), "good")
    return redirect(url_for("console.operation.index"))


def _sizes(queue: Queue) -> Mapping[Lane, int] | None:
    try:
        return queue.sizes()
    except QueueAway:  # the page says that it is away, the log why
        return None


def _task(trouble: Trouble) -> tuple[str, str]:
    """What is the matter, and the address of what says more."""
    text, place = TROUBLES[trouble.kind]
    lane = word("lane", trouble.subject).text if trouble.kind == OVERDUE else ""
    said = str(text) % {
        "number": trouble.number,
        "endpoint": trouble.subject,
        "lane": lane,
        "job": _title(trouble.subject) if trouble.kind == JOB_LATE else "",
        "lasts": lasting(trouble.lasts),
    }
    return said, place or url_for("console.alarms.index")


def _lanes(operation: Operation, sizes: Mapping[Lane, int] | None) -> list[LaneLine]:
    return [
        LaneLine(
            lane,
            {one.state: one.number for one in operation.inbox if one.lane == lane},
            operation.overdue(lane),
            None if sizes is None else sizes[lane],
        )
        for lane in Lane
    ]


def _pauses(operation: Operation) -> list[PauseLine]:
    """Those that wait for somebody first, then those that end by themselves."""
    mine = [one for one in operation.pauses if one.needs_operator]
    others = [one for one in operation.pauses if not one.needs_operator]
    return [
        *(_pause(one, "operator") for one in mine),
        *(_pause(one, "itself") for one in others),
        *(_pause(one, "unproven") for one in operation.unproven),
    ]


def _pause(pause: OpenPause, state: str) -> PauseLine:
    return PauseLine(
        pause,
        state,
        str(REASONS.get(pause.errcode, _l("企业微信拒绝了调用"))),
        what_to_do(pause.errcode),
        pause.endpoint == GETTOKEN and pause.errcode in WRONG_SECRET,
    )


def _jobs(operation: Operation, settings: Settings) -> list[JobLine]:
    runs = {run.name: run for run in operation.jobs}
    lines = []
    for job, trigger in timetable(registered().jobs, settings):
        run = runs.get(job.name)
        lines.append(
            JobLine(
                job.name,
                str(job.title),
                _rhythm(trigger, operation.at),
                run,
                _state(run, operation),
                _next(trigger, run, operation),
            )
        )
    return lines


def _title(name: str) -> str:
    """What a job is called; one that no capability knows keeps its name."""
    return next((str(job.title) for job in registered().jobs if job.name == name), name)


def _rhythm(trigger: BaseTrigger, now: datetime) -> str:
    """How often a job strikes: every so often, or once a day."""
    if isinstance(trigger, IntervalTrigger):
        return _("每 %(length)s", length=lasting(trigger.interval))
    return _("每天 %(time)s", time=f"{trigger.get_next_fire_time(None, now):%H:%M}")


def _state(run: Job | None, operation: Operation) -> str:
    if run is None:
        return "never"
    if run.ended_at is not None:
        return "failed" if run.error else "done"
    is_alive = operation.clock_leads and operation.at - run.begun_at < JOB_PATIENCE
    return "running" if is_alive else "unfinished"


def _next(trigger: BaseTrigger, run: Job | None, operation: Operation) -> datetime | None:
    """When a job strikes next; None: nobody strikes, or when is not known."""
    if not operation.clock_leads:
        return None
    if run is None and isinstance(trigger, IntervalTrigger):
        return None
    last = None if run is None else run.begun_at
    return max(next_strike(trigger, last), operation.at)


def _reading_state(summary: Summary, operation: Operation) -> str:
    if summary.run.finished_at is not None:
        return "done"
    is_read = any(held.kind == READING for held in operation.leases)
    return "running" if is_read else "broken_off"
