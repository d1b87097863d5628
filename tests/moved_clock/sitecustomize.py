"""Put on a process's PYTHONPATH: Kegui's clock is moved by the seconds that a file says."""

import os
from datetime import timedelta
from pathlib import Path

from bot import clock

_file = Path(os.environ["MOVED_CLOCK_FILE"])
_now = clock.now
clock.now = lambda: _now() + timedelta(seconds=float(_file.read_text()))
