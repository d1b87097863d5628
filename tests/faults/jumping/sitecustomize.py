"""Let Kegui's clock be where a file says; loaded by Python itself when this folder is on its path.

libfaketime would move the clock of the whole process, but its 0.9.10 breaks the sleeping of
Python 3.11 (EINVAL). What Kegui decides by goes through ``bot.clock`` and bot.wecom's own
``datetime``: these are moved. APScheduler's own clock is not.
"""

import os
import sys
from datetime import datetime, timedelta, tzinfo
from pathlib import Path

_FILE = Path(os.environ["JUMPING_CLOCK"])


class _Jumping(datetime):
    @classmethod
    def now(cls, tz: tzinfo | None = None) -> datetime:  # type: ignore[override]
        return datetime.now(tz) + timedelta(seconds=float(_FILE.read_text()))


# Python imports this module before it knows the working directory.
sys.path.insert(0, os.getcwd())
try:
    from bot import clock
    from bot.wecom import pauses, tokens, transport
finally:
    sys.path.pop(0)

for _module in (clock, pauses, tokens, transport):
    _module.datetime = _Jumping  # type: ignore[attr-defined]
