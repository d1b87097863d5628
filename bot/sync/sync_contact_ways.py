"""Compare the contact ways of ours with what WeCom has, and heal what differs."""

import structlog

from bot import clock
from bot.channels.contact_ways import UNKNOWN_CONFIG_ID
from bot.db import released
from bot.models import ContactWay, Staff
from bot.sync.reading import Reading
from bot.sync.rules import CONTACT_WAY_CHANGED, CONTACT_WAY_GONE, Difference
from bot.wecom import ABOUT_ONE

log = structlog.get_logger(__name__)

STEP = "contact_ways"
AT_ONCE = 100


def read_all(reading: Reading) -> None:
    """Look at every contact way; after each hundred it is recorded how far that has come."""
    last = int(reading.cursor(STEP) or 0)
    while True:
        query = ContactWay.select(ContactWay.id).where(ContactWay.id > last)
        numbers = [way.id for way in query.order_by(ContactWay.id).limit(AT_ONCE)]
        if not numbers:
            return
        reading.each([str(one) for one in numbers], lambda number: _read(reading, int(number)))
        last = numbers[-1]
        with reading.writing():
            reading.go_on(STEP, cursor=str(last))


def _read(reading: Reading, number: int) -> None:
    """WeCom is the truth of whom a way leads to; a way that is gone there leads nowhere, and a
    person must know: the code is printed somewhere."""
    way = ContactWay.get_or_none(ContactWay.id == number)
    if way is None:
        return
    here = _text(way.userids, way.remark, way.state)
    try:
        with released():
            listed = reading.kegui.wecom.contact_ways.get(way.config_id)
    except ABOUT_ONE as error:
        log.info("contact_way_not_readable", errcode=error.errcode)
        if error.errcode == UNKNOWN_CONFIG_ID:
            gone = Difference(
                CONTACT_WAY_GONE, way.config_id, here=here, wecom="no more", healed=False
            )
            with reading.writing():
                reading.note([gone])
        return
    # An answer without them says nothing against what is known.
    userids = way.userids if listed.userids is None else Staff.each_spelled(listed.userids)
    seen = (set(userids), listed.remark, listed.state)
    if seen == (set(way.userids), way.remark, way.state):
        return
    wecom = _text(userids, listed.remark, listed.state)
    with reading.writing():
        written = (
            ContactWay.update(
                userids=userids,
                remark=listed.remark,
                state=listed.state,
                updated_at=clock.now(),
            )
            .where(ContactWay.id == number, ContactWay.updated_at == way.updated_at)
            .execute()
        )
        if written:
            reading.note([Difference(CONTACT_WAY_CHANGED, way.config_id, here=here, wecom=wecom)])


def _text(userids: list[str], remark: str, state: str) -> str:
    return f"{','.join(userids)} / {remark} / {state}"
