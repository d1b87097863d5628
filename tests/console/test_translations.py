"""Every Chinese text of the console has an English one, and what is compiled is what is written."""

from pathlib import Path
from typing import Any

import pytest
from babel.messages.catalog import Catalog, Message
from babel.messages.extract import extract_from_dir
from babel.messages.mofile import read_mo
from babel.messages.pofile import read_po

import bot
from bot.allocation import allocate
from bot.capabilities import WORDS
from bot.handover import group_transfers, plan, transfers
from bot.handover.progress import ITEM_STATES
from bot.models import conflict, consent, effect, notice
from bot.models.customer import LIVE_RELATIONS, RELATION_ENDED
from bot.models.handover import HANDOVER_OPEN
from bot.models.inbox_event import STATES

FOLDER = Path(bot.__file__).parent
MESSAGES = FOLDER / "console" / "translations" / "en" / "LC_MESSAGES"
# The same as in translations/babel.cfg.
MAPPING = [("**.py", "python"), ("console/**/templates/**.html", "jinja2")]
KEYWORDS: dict[str, Any] = {
    **{"_": None, "gettext": None, "_l": None},
    **{"pgettext": ((1, "c"), 2), "_p": ((1, "c"), 2)},
}

Texts = dict[tuple[str | None, str], str]


def texts_of(catalog: Catalog) -> Texts:
    return {
        (_context(message), str(message.id)): str(message.string)
        for message in catalog
        if message.id
    }


def _context(message: Message) -> str | None:
    # Babel reads the context of a compiled text as bytes.
    context: Any = message.context
    return context.decode() if isinstance(context, bytes) else context


@pytest.fixture
def written() -> Catalog:
    with (MESSAGES / "messages.po").open("rb") as file:
        return read_po(file, locale="en")


def used() -> set[tuple[str | None, str]]:
    found = extract_from_dir(FOLDER, MAPPING, keywords=KEYWORDS)
    texts: set[tuple[str | None, str]] = set()
    for _, _, message, _, context in found:
        texts.add((context, message if isinstance(message, str) else message[-1]))
    return texts


def test_every_text_has_an_english_one(written: Catalog) -> None:
    assert len(used()) > 200
    assert used() == {text for text, english in texts_of(written).items() if english}


def test_the_placeholders_are_the_same_in_both(written: Catalog) -> None:
    assert [message.id for message in written if message.id and message.check()] == []


def test_the_compiled_texts_are_the_written_ones(written: Catalog) -> None:
    with (MESSAGES / "messages.mo").open("rb") as file:
        compiled = read_mo(file)

    assert texts_of(compiled) == texts_of(written)


@pytest.mark.parametrize(
    ("topic", "states"),
    [
        ("inbox", STATES),
        ("handover", (*HANDOVER_OPEN, "done", "done_with_exceptions", "cancelled")),
        ("item", ITEM_STATES),
        ("conflict", (conflict.OPEN, conflict.RESOLVED)),
        ("consent", (consent.AGREED, consent.REFUSED, consent.UNKNOWN)),
        ("message", (*effect.SETTLED, effect.STARTED, effect.FAILED)),
        ("relation", (*LIVE_RELATIONS, RELATION_ENDED)),
        ("outcome", (allocate.KEPT, allocate.OWNED, allocate.TRANSFER, allocate.NOBODY)),
        ("endpoint", (transfers.IN_SERVICE, transfers.RESIGNED)),
        ("endpoint", (group_transfers.IN_SERVICE, group_transfers.RESIGNED)),
        ("attempt", (*transfers.LOOKED_UP, transfers.NOT_SENT, *plan.TRIED)),
        ("notice", (notice.DELIVERED, notice.AWAITING_CONSENT, notice.REFUSED, notice.MISSED)),
        ("notice", (notice.UNKNOWN, notice.NO_CODE, notice.BY_HAND)),
    ],
)
def test_every_state_has_a_word(topic: str, states: tuple[str, ...]) -> None:
    assert set(states) <= set(WORDS[topic])
