"""Processes of one crew do not meet on a processor; one too many runs anywhere."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from uuid import uuid4

import pytest

PROCESSORS = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []
PROGRAM = """
import os, sys
from bot.operations.cpu_pinning import take_one
taken = take_one(sys.argv[1], from_the_last=sys.argv[2] == "last")
print(taken, sorted(os.sched_getaffinity(0)), flush=True)
sys.stdin.read()
"""

pytestmark = pytest.mark.skipif(
    len(PROCESSORS) < 2, reason="with one processor there is nothing to choose"
)


@pytest.fixture
def crew() -> str:
    return f"test {uuid4()}"


@contextmanager
def process(crew: str, order: str = "first") -> Iterator[tuple["subprocess.Popen[str]", str]]:
    """A process of a crew, with what it says: the processor it took, and where it may run."""
    with subprocess.Popen(
        [sys.executable, "-c", PROGRAM, crew, order],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as child:
        assert child.stdout is not None
        yield child, child.stdout.readline().strip()
        child.kill()


def test_each_takes_another_one_and_stays_there_until_none_is_left(crew: str) -> None:
    with ExitStack() as house:
        said = [house.enter_context(process(crew))[1] for _ in PROCESSORS]
        _, late = house.enter_context(process(crew))

    assert said == [f"{one} [{one}]" for one in PROCESSORS]
    assert late == f"None {PROCESSORS}"


def test_a_killed_process_leaves_its_processor_to_the_next(crew: str) -> None:
    with process(crew) as (first, said):
        first.kill()
        first.wait()
        with process(crew) as (_, next_said):
            assert next_said == said


def test_two_crews_meet_last(crew: str) -> None:
    with process(crew) as (_, said), process(f"{crew} other", "last") as (_, other):
        assert (said, other) == (
            f"{PROCESSORS[0]} [{PROCESSORS[0]}]",
            f"{PROCESSORS[-1]} [{PROCESSORS[-1]}]",
        )
