"""Handovers with all that belongs to them, a fixed number of queries however many there are."""

from collections.abc import Sequence
from typing import Any

from bot.handover.progress import Case, cases
from bot.models import Handover, HandWork


def described(handovers: Sequence[Handover]) -> list[tuple[Case, list[HandWork]]]:
    """Return each handover as a case, with its work for a person."""
    by_hand: dict[int, list[HandWork]] = {handover.id: [] for handover in handovers}
    query = HandWork.select().where(HandWork.handover.in_(list(by_hand)))
    row: Any
    for row in query.order_by(HandWork.id):
        by_hand[row.handover_id].append(row)
    return [(case, by_hand[case.handover.id]) for case in cases(handovers)]
