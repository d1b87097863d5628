"""What a process counts: in memory, and added every few seconds to the table of all processes."""

import json
import threading
from datetime import timedelta
from types import TracebackType

import structlog
from peewee import PeeweeException
from playhouse.pool import MaxConnectionsExceeded
from prometheus_client import CollectorRegistry, Counter, Histogram

from bot.db import connection
from bot.models import MetricCount
from bot.models import notice as notices
from bot.wecom import CallRecord

log = structlog.get_logger(__name__)

STORE_SECONDS = 5.0
# WeCom has some hundreds of codes; what is beyond would be a platform that invents them.
MOST_CODES = 100
NO_ANSWER = "none"
OTHER = "other"

# No label may hold what people or WeCom can make up: ids, names, texts, addresses.
# Buckets stand in a table that outlives the process: others need another metric name.
COUNTED = CollectorRegistry()
DOOR_SECONDS = Histogram(
    "kegui_door_seconds",
    "Time from a request at a callback door to the answer",
    ["door", "status"],
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5),
    registry=COUNTED,
)
CALLBACKS_REJECTED = Counter(
    "kegui_callbacks_rejected_total",
    "Requests at a callback door that are not WeCom's",
    ["door", "reason"],
    registry=COUNTED,
)
WELCOME_SECONDS = Histogram(
    "kegui_welcome_seconds",
    "Time from the arrival of an event to its delivered notice",
    buckets=(0.25, 0.5, 1, 2, 3, 5, 8, 12, 16, 20),
    registry=COUNTED,
)
WELCOMES = Counter(
    "kegui_welcomes_total",
    "Chances to tell a customer, by what became of them",
    ["outcome"],
    registry=COUNTED,
)
WECOM_CALLS = Counter(
    "kegui_wecom_calls_total",
    "Requests sent to WeCom, by the code of the answer",
    ["endpoint", "secret", "code"],
    registry=COUNTED,
)
WECOM_ANSWERS_MENDED = Counter(
    "kegui_wecom_answers_mended_total",
    "Answers of WeCom with characters that had to be replaced",
    ["endpoint"],
    registry=COUNTED,
)
WECOM_CALL_SECONDS = Histogram(
    "kegui_wecom_call_seconds",
    "Time from a request to WeCom to its answer",
    ["endpoint"],
    buckets=(0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
    registry=COUNTED,
)
# An outcome that shows for the first time must be seen to rise from nothing.
for _outcome in notices.STATES:
    WELCOMES.labels(_outcome)

_codes: set[int] = set()


def count_call(record: CallRecord) -> None:
    """Count one request to WeCom; costs microseconds and never fails."""
    code = _code_label(record.errcode)
    WECOM_CALLS.labels(record.endpoint, record.secret_name, code).inc()
    WECOM_CALL_SECONDS.labels(record.endpoint).observe(record.seconds)
    if record.is_mended:
        WECOM_ANSWERS_MENDED.labels(record.endpoint).inc()


def count_welcome(outcome: str, since_received: timedelta) -> None:
    """Count one chance to tell a customer, and how long a delivered notice took."""
    WELCOMES.labels(outcome).inc()
    if outcome == notices.DELIVERED:
        WELCOME_SECONDS.observe(max(since_received.total_seconds(), 0))


def _code_label(errcode: int | None) -> str:
    if errcode is None:
        return NO_ANSWER
    if errcode not in _codes and len(_codes) >= MOST_CODES:
        return OTHER
    _codes.add(errcode)
    return str(errcode)


class Storing:
    """Adds what a registry counts to the table, from a thread of its own, until closed.

    A killed process takes the counts of its last seconds with it.
    """

    def __init__(self, registry: CollectorRegistry = COUNTED) -> None:
        self._registry = registry
        self._stored: dict[tuple[str, str], float] = {}
        self._storing = threading.Lock()
        self._failed = False
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._run, name="metrics", daemon=True)

    def __enter__(self) -> "Storing":
        self._thread.start()
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:
        self._ending.set()
        self._thread.join(STORE_SECONDS)
        # A database that says nothing holds the thread; it must not hold the process.
        if not self._thread.is_alive():
            self.store()

    def _run(self) -> None:
        while not self._ending.wait(STORE_SECONDS):
            self.store()

    def store(self) -> None:
        """Store what was counted since the last time; what cannot be stored is kept for the next.

        Never fails. When only the answer of a commit is lost, its counts are added twice.
        """
        with self._storing:
            counted = _counted(self._registry)
            new = {key: value - self._stored.get(key, 0) for key, value in counted.items()}
            new = {key: value for key, value in new.items() if value}
            if not new:
                return
            try:
                with connection():
                    MetricCount.add(new)
            except (PeeweeException, MaxConnectionsExceeded) as error:
                if not self._failed:
                    log.warning("metrics_not_stored", error=type(error).__name__)
                self._failed = True
                return
            self._stored, self._failed = counted, False


def _counted(registry: CollectorRegistry) -> dict[tuple[str, str], float]:
    return {
        (sample.name, labels_as_text(sample.labels)): sample.value
        for metric in registry.collect()
        for sample in metric.samples
        if not sample.name.endswith("_created")
    }


def labels_as_text(labels: dict[str, str]) -> str:
    """Return labels as the table has them: equal labels, equal text."""
    return json.dumps(labels, sort_keys=True)
