"""Put on a process's PYTHONPATH: the clock is moved, for Kegui and for its scheduler, by the
seconds that a file says."""

import os
from datetime import datetime, timedelta, tzinfo
from pathlib import Path

import apscheduler.executors.base
import apscheduler.schedulers.base

from bot import clock

_file = Path(os.environ["MOVED_CLOCK_FILE"])
_now = clock.now


def _moved() -> timedelta:
    return timedelta(seconds=float(_file.read_text()))


class _Moved(datetime):
    @classmethod
    def now(cls, tz: tzinfo | None = None) -> datetime:  # type: ignore[override]
        return datetime.now(tz) + _moved()


clock.now = lambda: _now() + _moved()
for module in (apscheduler.executors, apscheduler.schedulers):
    module.base.datetime = _Moved
