"""The prompt queue and the history: a heap by number, the running job, and what has ended."""

import asyncio
import heapq
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from comfytui.sim.execution.validate import Graph

MAX_HISTORY = 10_000

Item = tuple[float, str, Graph, dict[str, Any], list[str], dict[str, Any]]
"""`(number, prompt_id, graph, extra_data, outputs, secrets)`; compared as tuples by the heap."""


@dataclass(slots=True)
class PromptQueue:
    """What waits, runs and has ended; `changed` is called whenever the number of jobs may differ."""

    changed: Callable[[], None]
    pending: list[Item] = field(default_factory=list)
    running: Item | None = None
    history: dict[str, dict[str, Any]] = field(default_factory=dict)
    arrived: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def remaining(self) -> int:
        """Jobs that run or wait."""
        return len(self.pending) + (self.running is not None)

    def put(self, item: Item) -> None:
        """Queue a job by its number; raises TypeError when number and id are both taken."""
        heapq.heappush(self.pending, item)
        self.changed()
        self.arrived.set()

    def take(self) -> Item:
        """Make the first job the running one; the queue must not be empty."""
        self.running = heapq.heappop(self.pending)
        self.changed()
        return self.running

    def done(self, result: dict[str, Any], status: dict[str, Any]) -> None:
        """Move the running job to the history."""
        item, self.running = self.running, None
        assert item is not None
        if len(self.history) > MAX_HISTORY:
            del self.history[next(iter(self.history))]
        self.history[item[1]] = {"prompt": item[:5], "outputs": {}, "status": status, **result}
        self.changed()

    def clear(self) -> None:
        """Drop everything that waits."""
        self.pending = []
        self.changed()

    def delete(self, prompt_id: str) -> bool:
        """Drop one waiting job; False when it does not wait."""
        for index, item in enumerate(self.pending):
            if item[1] == prompt_id:
                if len(self.pending) == 1:
                    self.clear()
                else:
                    del self.pending[index]
                    heapq.heapify(self.pending)
                self.changed()
                return True
        return False

    def is_running(self, prompt_id: str) -> bool:
        """Return whether this very job runs now."""
        return self.running is not None and self.running[1] == prompt_id

    def snapshot(self) -> tuple[list[Any], list[Any]]:
        """Return the running and the waiting items (in heap order), without their secrets."""
        running = [] if self.running is None else [self.running[:5]]
        return running, [item[:5] for item in self.pending]

    def history_page(self, max_items: int | None, offset: int) -> dict[str, Any]:
        """Return up to `max_items` entries from `offset`; a negative offset means the newest."""
        if offset < 0 and max_items is not None:
            offset = len(self.history) - max_items
        out: dict[str, Any] = {}
        for index, (prompt_id, entry) in enumerate(self.history.items()):
            if index < offset:
                continue
            out[prompt_id] = entry
            if max_items is not None and len(out) >= max_items:
                break
        return out
