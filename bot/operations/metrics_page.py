"""GET /metrics: what all processes have counted, and how things stand in the database just now."""

import json
import socket
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer

import structlog
from peewee import PeeweeException
from playhouse.pool import MaxConnectionsExceeded
from prometheus_client import CollectorRegistry, make_wsgi_app
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from bot import clock
from bot.db import connection
from bot.metrics import COUNTED, Storing, labels_as_text
from bot.models import MetricCount
from bot.operations.state import Operation, read_operation
from bot.queue import Lane, Queue, QueueAway

log = structlog.get_logger(__name__)

# Below the ten seconds after which Prometheus gives up by default.
PATIENCE_SECONDS = 5.0
SILENCE_SECONDS = 5

Counts = dict[str, dict[str, float]]


@dataclass
class Answers:
    """What could be asked; None where nobody answered."""

    operation: Operation | None = None
    counts: Counts | None = None
    queue: dict[Lane, int] | None = None
    complete: threading.Event = field(default_factory=threading.Event)


class Everything(Collector):
    """All metrics of the installation, asked for at each scrape; never fails."""

    def __init__(self, queue: Queue, storing: Storing) -> None:
        self._queue = queue
        self._storing = storing
        self._asking: Answers | None = None

    def collect(self) -> Iterator[Metric]:
        answers = self._ask_in_time()
        yield _gauge("kegui_database_up", "Whether the database answers", answers.operation)
        yield _gauge("kegui_queue_up", "Whether the queue answers", answers.queue)
        yield from _counted(answers.counts)
        yield from _gauges(answers.operation)
        messages = GaugeMetricFamily(
            "kegui_queue_messages", "Wake-ups that no worker has taken yet", labels=["lane"]
        )
        for lane, size in (answers.queue or {}).items():
            messages.add_metric([lane], size)
        yield messages

    def _ask_in_time(self) -> Answers:
        """Ask from a thread of its own: a server that says nothing must not silence us too."""
        if self._asking is None or self._asking.complete.is_set():
            self._asking = Answers()
            threading.Thread(
                target=self._ask, args=(self._asking,), name="metrics-ask", daemon=True
            ).start()
        self._asking.complete.wait(PATIENCE_SECONDS)
        return self._asking

    def _ask(self, answers: Answers) -> None:
        try:
            self._storing.store()
            with connection():
                counts: Counts = {}
                for row in MetricCount.select():
                    counts.setdefault(row.name, {})[row.labels] = row.value
                operation = read_operation(clock.now())
            answers.counts, answers.operation = counts, operation
        except (PeeweeException, MaxConnectionsExceeded) as error:
            log.warning("metrics_not_readable", error=type(error).__name__)
        with suppress(QueueAway):  # the queue has logged why
            answers.queue = self._queue.sizes()
        answers.complete.set()


def _counted(counts: Counts | None) -> Iterator[Metric]:
    """Give what all processes counted together; nothing, rather than zeros, when it is unknown.

    This process's own registry says which metrics there are, and where counting begins at zero.
    """
    for own in COUNTED.collect():
        metric = Metric(own.name, own.documentation, own.type)
        for name, values in _values(own, counts) if counts is not None else ():
            for labels, value in sorted(values.items(), key=_by_bucket):
                metric.add_sample(name, json.loads(labels), value)
        yield metric


def _values(own: Metric, counts: Counts) -> Iterator[tuple[str, dict[str, float]]]:
    for name in _sample_names(own):
        begins = {
            labels_as_text(sample.labels): 0.0 for sample in own.samples if sample.name == name
        }
        yield name, begins | counts.get(name, {})


def _sample_names(metric: Metric) -> tuple[str, ...]:
    endings = ("_bucket", "_count", "_sum") if metric.type == "histogram" else ("_total",)
    return tuple(metric.name + ending for ending in endings)


def _by_bucket(sample: tuple[str, float]) -> tuple[str, float]:
    labels = json.loads(sample[0])
    return labels_as_text(labels | {"le": ""}), float(labels.get("le", 0))


def _gauges(operation: Operation | None) -> Iterator[Metric]:
    """Give the gauges; each is named also while it has no sample."""

    def gauge(
        name: str,
        about: str,
        labels: Iterable[str],
        samples: Callable[[Operation], Iterable[tuple[Any, ...]]],
    ) -> Metric:
        family = GaugeMetricFamily(name, about, labels=list(labels))
        for *values, number in samples(operation) if operation else ():
            family.add_metric([str(value) for value in values], number)
        return family

    yield gauge(
        "kegui_inbox_events",
        "Events that are not settled, and dead ones",
        ("lane", "state"),
        lambda now: [(one.lane, one.state, one.number) for one in now.inbox],
    )
    yield gauge(
        "kegui_inbox_overdue_seconds",
        "How long the oldest due event has been waiting for a worker",
        ("lane",),
        lambda now: [(lane, now.overdue(lane).total_seconds()) for lane in Lane],
    )
    yield gauge(
        "kegui_pause_remaining_seconds",
        "Until when an endpoint is not called",
        ("secret", "endpoint", "errcode", "needs_operator"),
        lambda now: [
            (
                one.secret,
                one.endpoint,
                "network" if one.errcode is None else one.errcode,
                "yes" if one.needs_operator else "no",
                (one.until - now.at).total_seconds(),
            )
            for one in now.pauses
        ],
    )
    yield gauge(
        "kegui_alarms", "Open alarms", ("kind",), lambda now: _numbers(a.kind for a in now.alarms)
    )
    yield gauge(
        "kegui_handovers",
        "Handovers that are not over",
        ("kind", "state"),
        lambda now: [(*place, number) for place, number in now.handovers.items()],
    )
    yield gauge(
        "kegui_handover_items",
        "Customers and groups whose handover is not over",
        ("state",),
        lambda now: [(one.state, one.number) for one in now.items],
    )
    yield gauge(
        "kegui_handover_oldest_seconds",
        "How long the oldest of these has been in its state",
        ("state",),
        lambda now: [(one.state, _age(now.at, one.since)) for one in now.items],
    )
    yield gauge(
        "kegui_leases", "Leases held", ("kind",), lambda now: _numbers(a.kind for a in now.leases)
    )
    yield gauge(
        "kegui_job_well_timestamp_seconds",
        "When a job of the timetable last went well, or was put on the timetable",
        ("job",),
        lambda now: [(job.name, job.well_at.timestamp()) for job in now.planned],
    )
    yield gauge(
        "kegui_job_late",
        "Whether a job has not gone well for too long",
        ("job",),
        lambda now: [(job.name, int(job.is_late(now.at))) for job in now.planned],
    )
    yield gauge(
        "kegui_audit_faults",
        "Faults that the last verification of the audit log found",
        (),
        lambda now: [(now.audit.faults,)],
    )
    yield gauge(
        "kegui_audit_verified_timestamp_seconds",
        "When all of the audit log was verified last; 0 before the first time",
        (),
        lambda now: [(now.audit.verified_at.timestamp() if now.audit.verified_at else 0,)],
    )
    yield gauge(
        "kegui_audit_unsealed_seconds",
        "How long the oldest entry of the audit log has been waiting for its seal",
        (),
        lambda now: [(now.unsealed.total_seconds(),)],
    )
    yield gauge(
        "kegui_last_sync_timestamp_seconds",
        "When the last complete reading of WeCom ended; 0 before the first",
        (),
        lambda now: [(now.last_whole_sync_at.timestamp() if now.last_whole_sync_at else 0,)],
    )


def _gauge(name: str, about: str, answer: object) -> Metric:
    return GaugeMetricFamily(name, about, value=0 if answer is None else 1)


def _numbers(kinds: Iterable[str]) -> list[tuple[str, int]]:
    every = list(kinds)
    return [(kind, every.count(kind)) for kind in sorted(set(every))]


def _age(now: datetime, since: datetime | None) -> float:
    return max((now - since).total_seconds(), 0) if since else 0


def make_app(queue: Queue, storing: Storing) -> Callable[..., Any]:
    """Make the WSGI application that answers GET /metrics and nothing else."""
    registry = CollectorRegistry()
    registry.register(Everything(queue, storing))
    metrics = make_wsgi_app(registry)

    def app(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        if environ["PATH_INFO"] != "/metrics":
            start_response("404 Not Found", [("Content-Type", "text/plain")])
            return [b"GET /metrics\n"]
        return metrics(environ, start_response)

    return app


class _Handler(WSGIRequestHandler):
    timeout = SILENCE_SECONDS

    def log_message(self, *_what: object) -> None:
        """A scrape every few seconds is no news."""


def serve(listener: socket.socket, app: Callable[..., Any]) -> None:
    """Answer on a socket that other processes may answer on too, one request at a time."""
    host, port = listener.getsockname()[:2]
    server = WSGIServer((host, port), _Handler, bind_and_activate=False)
    server.socket.close()
    # Another process may take the connection that woke this one.
    listener.setblocking(False)
    server.socket = listener
    server.server_name, server.server_port = host, port
    server.setup_environ()
    server.set_app(app)
    threading.Thread(target=server.serve_forever, name="metrics-serve", daemon=True).start()
