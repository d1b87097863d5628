"""What a difference is, and who gets a customer whose owner is no contact any more."""

from datetime import UTC, datetime, timedelta

import pytest

from bot.sync.rules import Heir, KnownRelation, Stray, heir_of, relation_difference

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
LONG_AGO = NOON - timedelta(days=30)
YESTERDAY = NOON - timedelta(days=1)


def known(
    state: str = "active",
    added_at: datetime = LONG_AGO,
    ended_at: datetime | None = None,
    end: str | None = None,
) -> KnownRelation:
    return KnownRelation(state, "web", added_at, ended_at, end)


def ended(at: datetime, end: str) -> KnownRelation:
    return known("ended", ended_at=at, end=end)


@pytest.mark.parametrize(
    ("relation", "createtime", "channel", "found"),
    [
        (None, LONG_AGO, "web", "relation_unknown"),
        (known(), LONG_AGO, "web", None),
        (known(), LONG_AGO, "", None),
        (known(), LONG_AGO, "other", "channel_changed"),
        (known(), YESTERDAY, "web", "relation_began_anew"),
        (known("half"), LONG_AGO, "web", "half_became_whole"),
        (ended(YESTERDAY, "not_listed"), LONG_AGO, "", "relation_lives"),
        (ended(YESTERDAY, "deleted_by_member"), LONG_AGO, "", "relation_lives"),
        # WeCom lists it still: the customer ended it, and only an event can say so.
        (ended(YESTERDAY, "deleted_by_customer"), LONG_AGO, "", None),
        (ended(LONG_AGO, "deleted_by_customer"), YESTERDAY, "", "relation_began_anew"),
        # The list lags behind the event.
        (ended(NOON - timedelta(minutes=1), "deleted_by_member"), LONG_AGO, "", None),
    ],
)
def test_a_listed_contact_is_compared_with_what_stands_here(
    relation: KnownRelation | None, createtime: datetime, channel: str, found: str | None
) -> None:
    assert relation_difference(relation, createtime, channel, NOON) == found


@pytest.mark.parametrize(
    ("stray", "heir"),
    [
        (Stray(True, ["lisi"], ["lisi"], False), Heir("lisi", "owner_without_contact")),
        (Stray(False, ["lisi"], ["lisi"], False), Heir("lisi", "owner_gone")),
        # A conflict is settled by a person, whatever became of the owner's contact.
        (Stray(True, ["lisi"], ["lisi"], True), Heir(None, "owner_without_contact")),
        (Stray(True, ["lisi", "wangwu"], ["lisi"], False), Heir(None, "owner_without_contact")),
        (Stray(True, ["lisi"], [], False), Heir(None, "owner_without_contact")),
        # The customer may come back to an owner who is here.
        (Stray(True, [], [], False), Heir(None, None)),
        (Stray(False, [], [], False), Heir(None, "owner_gone")),
    ],
)
def test_only_the_last_member_in_contact_takes_over(stray: Stray, heir: Heir) -> None:
    assert heir_of(stray) == heir
