"""Keep and forget the filters that somebody uses again and again."""

from urllib.parse import parse_qsl, urlencode

from bot import clock
from bot.models import SavedView

LONGEST_NAME = 64
LONGEST_QUERY = 1000
MOST = 20


class NotPossible(Exception):
    """The text says why."""


def of(actor: str, screen: str) -> list[SavedView]:
    """Return somebody's views of a screen, by name."""
    query = SavedView.select().where(SavedView.actor == actor, SavedView.screen == screen)
    return list(query.order_by(SavedView.name))


def save(actor: str, screen: str, name: str, query: str) -> None:
    """Keep a view; one of that name is replaced.

    Raises:
        NotPossible: no name, or too many views.
    """
    name = name.strip()[:LONGEST_NAME]
    if not name:
        raise NotPossible("no name")
    known = of(actor, screen)
    if len(known) >= MOST and name not in {view.name for view in known}:
        raise NotPossible("too many views")
    kept = urlencode([pair for pair in parse_qsl(query[:LONGEST_QUERY]) if pair[0] != "page"])
    SavedView.insert(
        actor=actor, screen=screen, name=name, query=kept, saved_at=clock.now()
    ).on_conflict(
        conflict_target=[SavedView.actor, SavedView.screen, SavedView.name],
        update={SavedView.query: kept},
    ).execute()


def forget(actor: str, view_id: int) -> bool:
    """Remove one of somebody's own views; False when it is not theirs, or not there."""
    mine = SavedView.delete().where(SavedView.id == view_id, SavedView.actor == actor)
    return bool(mine.execute())
