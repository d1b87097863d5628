"""Five seeds of faults, embedded and on PostgreSQL with Redis: nothing lost, nothing twice."""

from collections.abc import Iterator

import pytest

from tests.faults.plan import AT_WECOM, IN_THE_HOUSE, WITH_SERVERS, plan
from tests.faults.play import Servers, play
from tests.faults.servers import own_postgres, own_redis

# Chosen so that together they meet every trouble there is.
SEEDS = (1, 2, 4, 9, 18)


@pytest.fixture(scope="module")
def servers() -> Iterator[Servers]:
    with own_postgres() as postgres, own_redis() as redis:
        yield Servers(postgres, redis)


def test_a_seed_decides_everything() -> None:
    assert plan(7, servers=True) == plan(7, servers=True)
    assert plan(7, servers=True) != plan(8, servers=True)


def test_the_seeds_meet_every_trouble() -> None:
    met = {name for seed in SEEDS for on in (True, False) for name in plan(seed, servers=on).names}

    assert met == {one[0] for one in (*AT_WECOM, *IN_THE_HOUSE, *WITH_SERVERS)}


@pytest.mark.parametrize("seed", SEEDS)
def test_nothing_is_lost_and_nothing_twice(seed: int) -> None:
    assert play(plan(seed, servers=False)).violations == []


@pytest.mark.postgres
@pytest.mark.redis
@pytest.mark.parametrize("seed", SEEDS)
def test_nothing_is_lost_and_nothing_twice_when_the_servers_fall_too(
    seed: int, servers: Servers
) -> None:
    assert play(plan(seed, servers=True), servers).violations == []
