"""The shipped pack, read once for all tests of it."""

import pytest

from bot.risk import packs
from bot.risk.lexicon import Lexicon
from bot.risk.packs import Pack
from config import RISK


@pytest.fixture(scope="session")
def pack() -> Pack:
    return packs.load(RISK)


@pytest.fixture(scope="session")
def lexicon(pack: Pack) -> Lexicon:
    return Lexicon(pack)
