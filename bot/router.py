"""Which handler answers which event, in which lane."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from bot.events import Event
from bot.kegui import Kegui
from bot.queue import Lane


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


class Router:
    """A table of handlers, keyed by WeCom's own words."""

    def __init__(self, *routers: "Router") -> None:
        self._handlers: dict[tuple[Lane, str, str], Handler] = {}
        for router in routers:
            for (lane, event, change_type), handler in router._handlers.items():
                self._add(lane, event, change_type, handler)

    def on(
        self, event: str, change_type: str = "", *, lane: Lane = Lane.WORK
    ) -> Callable[[Handler], Handler]:
        """Register a handler for one kind of event; a second one is an error at import."""

        def register(handler: Handler) -> Handler:
            self._add(lane, event, change_type, handler)
            return handler

        return register

    def handler_for(self, event: Event, lane: Lane) -> Handler | None:
        """Return the handler of the event in this lane, or None."""
        return self._handlers.get((lane, event.event, event.change_type))

    def _add(self, lane: Lane, event: str, change_type: str, handler: Handler) -> None:
        if (lane, event, change_type) in self._handlers:
            raise ValueError(
                f"two handlers for {event}/{change_type or '-'} in the {lane} lane:"
                " what both need belongs in an action"
            )
        self._handlers[lane, event, change_type] = handler
