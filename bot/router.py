"""Which handler answers which event, in which lane."""

from collections.abc import Callable, ItemsView, Sequence
from dataclasses import dataclass
from datetime import datetime

from bot.events import Event
from bot.kegui import Kegui
from bot.queue import Lane

# No id of WeCom's is longer (path 90196, 92130).
LONGEST_ID = 64
# What stands in a field that names a member, where WeCom itself is meant.
NOBODY = "sys"


@dataclass(frozen=True)
class Received:
    """An event as a handler gets it: what happened, and the row that proves it.

    ``again``: it was worked on before, perhaps by a worker that died at it.
    """

    id: int
    source: str
    received_at: datetime
    event: Event
    again: bool = False


Handler = Callable[[Received, Kegui], None]


@dataclass(frozen=True)
class Entry:
    """A handler, and the fields without which it would act on nobody."""

    handler: Handler
    needs: Sequence[str] = ()

    def lacks(self, event: Event) -> list[str]:
        """Name the ids that the handler needs and the event does not carry."""
        return [name for name in self.needs if not is_id(event.text(name))]


class Router:
    """A table of handlers, keyed by WeCom's own words."""

    def __init__(self, *routers: "Router") -> None:
        self._entries: dict[tuple[Lane, str, str], Entry] = {}
        for router in routers:
            for (lane, event, change_type), entry in router._entries.items():
                self._add(lane, event, change_type, entry)

    def on(
        self,
        event: str,
        change_type: str = "",
        *,
        lane: Lane = Lane.WORK,
        needs: Sequence[str] = (),
    ) -> Callable[[Handler], Handler]:
        """Register a handler for one kind of event; a second one is an error at import.

        Args:
            needs: the fields with an id, by WeCom's own names, without which the worker refuses
                the event before any handler sees it.
        """

        def register(handler: Handler) -> Handler:
            self._add(lane, event, change_type, Entry(handler, needs))
            return handler

        return register

    def entry_for(self, event: Event, lane: Lane) -> Entry | None:
        """Return who handles the event in this lane, or None."""
        return self._entries.get((lane, event.event, event.change_type))

    def entries(self) -> "ItemsView[tuple[Lane, str, str], Entry]":
        """Return all of the table."""
        return self._entries.items()

    def _add(self, lane: Lane, event: str, change_type: str, entry: Entry) -> None:
        if (lane, event, change_type) in self._entries:
            raise ValueError(
                f"two handlers for {event}/{change_type or '-'} in the {lane} lane:"
                " what both need belongs in an action"
            )
        self._entries[lane, event, change_type] = entry


def is_id(text: str) -> bool:
    """Whether a field names somebody, or a group."""
    return text != NOBODY and 0 < len(text) <= LONGEST_ID
