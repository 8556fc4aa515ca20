"""The events that are sent, and those of them that stay true, such as the end of a batch: the newest are kept."""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate

import msgspec

from comfytui.headless.documents.events import Event, ProgressEvent

MAX_FACTS = 2_000
"""Events about images and batches that have ended which are kept, the newest."""
MAX_FACTS_BYTES = 16 * 2**20
"""Bytes of these as JSON; the newest is kept in any case."""

_encode = msgspec.json.Encoder().encode


@dataclass(frozen=True, slots=True)
class FeedEvent:
    """An event as it is sent; `id` is in milliseconds of the wall clock, and grows with each event."""

    id: int
    event: Event
    data: bytes
    """The event as JSON."""
    untimed: ProgressEvent | None = None
    """Progress without what changes by itself."""


def feed_event(id_: int, event: Event) -> FeedEvent:
    """Return an event with an id, encoded."""
    untimed = None
    if isinstance(event, ProgressEvent):
        untimed = msgspec.structs.replace(event, elapsed_seconds=None, left_seconds=None)
    return FeedEvent(id_, event, _encode(event), untimed)


class Facts:
    """The newest events about what has ended, in the order of their ids."""

    def __init__(self) -> None:
        self._facts: list[FeedEvent] = []

    def add(self, facts: Sequence[FeedEvent]) -> None:
        """Add some, and drop the oldest of all beyond the limits."""
        newest = sorted([*self._facts, *facts], key=lambda fact: fact.id)[-MAX_FACTS:]
        sizes = [*accumulate(len(fact.data) for fact in reversed(newest))]
        self._facts = newest[-max(bisect_right(sizes, MAX_FACTS_BYTES), 1) :]

    def after(self, id_: int, batch_id: str | None = None) -> list[FeedEvent]:
        """Return those with ids above `id_`, of one batch or of all."""
        start = bisect_right(self._facts, id_, key=lambda fact: fact.id)
        return [fact for fact in self._facts[start:] if batch_id is None or fact.event.batch_id == batch_id]
