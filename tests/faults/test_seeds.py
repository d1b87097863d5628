"""Five seeds of faults, two embedded and three on PostgreSQL and Redis that fall as well: nothing
lost, nothing twice. `python -m tests.faults` plays any number of others."""

from collections.abc import Iterator

import pytest

from tests.faults.plan import AT_WECOM, IN_THE_HOUSE, WITH_SERVERS, plan
from tests.faults.play import Servers, play
from tests.faults.servers import own_postgres, own_redis

# Chosen so that together they meet every trouble there is.
EMBEDDED = (36, 44)
WITH_BOTH_SERVERS = (14, 35, 54)


@pytest.fixture(scope="module")
def servers() -> Iterator[Servers]:
    with own_postgres() as postgres, own_redis() as redis:
        yield Servers(postgres, redis)


def test_a_seed_decides_everything() -> None:
    assert plan(7, servers=True) == plan(7, servers=True)
    assert plan(7, servers=True) != plan(8, servers=True)


def test_the_seeds_meet_every_trouble() -> None:
    met = {name for seed in EMBEDDED for name in plan(seed, servers=False).names}
    met |= {name for seed in WITH_BOTH_SERVERS for name in plan(seed, servers=True).names}

    assert met == {one[0] for one in (*AT_WECOM, *IN_THE_HOUSE, *WITH_SERVERS)}


@pytest.mark.parametrize("seed", EMBEDDED)
def test_nothing_is_lost_and_nothing_twice(seed: int) -> None:
    assert play(plan(seed, servers=False)).violations == []


@pytest.mark.postgres
@pytest.mark.redis
@pytest.mark.parametrize("seed", WITH_BOTH_SERVERS)
def test_nothing_is_lost_and_nothing_twice_when_the_servers_fall_too(
    seed: int, servers: Servers
) -> None:
    assert play(plan(seed, servers=True), servers).violations == []
