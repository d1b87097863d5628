"""A processor of its own for each process of many threads.

Threads of one interpreter take turns, thousands of times a second. When the next one stands on
another processor, waking that costs more than the turn itself.
"""

import hashlib
import os
import socket
from collections.abc import Iterable

# A name is taken as long as its process lives, however it ends.
_names: list[socket.socket] = []


def take_one(crew: str, *, from_the_last: bool = False) -> int | None:
    """Keep this process on a processor that no other process of its crew has taken.

    To be called before threads are started. When there is none left, or the system knows no such
    thing, the process may run anywhere, as ever: None.

    Args:
        crew: what the processes have in common that should not meet, at best with something that
            tells installations on one host apart; its digest is visible on the host.
        from_the_last: begin with the last processor, so that two crews meet last.
    """
    if not hasattr(os, "sched_setaffinity"):
        return None
    processors = sorted(os.sched_getaffinity(0), reverse=from_the_last)
    if len(processors) < 2:
        return None
    digest = hashlib.sha256(crew.encode()).hexdigest()[:16]
    processor = _first_free(f"\0kegui/{digest}", processors)
    if processor is not None:
        os.sched_setaffinity(0, {processor})
    return processor


def _first_free(name: str, processors: Iterable[int]) -> int | None:
    for processor in processors:
        taken = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        try:
            # Linux's abstract names leave no file behind.
            taken.bind(f"{name}/{processor}")
        except OSError:
            taken.close()
            continue
        _names.append(taken)
        return processor
    return None
