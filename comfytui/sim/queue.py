"""The prompt queue and the history: a heap ordered by number, the running jobs, and ended jobs."""

import asyncio
import heapq
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from comfytui.sim.execution.validate import Graph

MAX_HISTORY = 10_000

QueueItem = tuple[float, str, Graph, dict[str, Any], list[str], dict[str, Any]]
"""`(number, prompt_id, graph, extra_data, outputs, secrets)`; the heap compares these tuples."""


@dataclass(slots=True)
class PromptQueue:
    """Pending, running and ended jobs; `changed` is called whenever the number of jobs may have changed."""

    changed: Callable[[], None]
    pending: list[QueueItem] = field(default_factory=list)
    running: list[QueueItem] = field(default_factory=list)
    """Running jobs in the order in which they started."""
    history: dict[str, dict[str, Any]] = field(default_factory=dict)
    arrived: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def remaining(self) -> int:
        """Number of running and pending jobs."""
        return len(self.pending) + len(self.running)

    def put(self, item: QueueItem) -> None:
        """Queue a job by its number.

        Raises:
            TypeError: If a pending job has the same number and id.
        """
        heapq.heappush(self.pending, item)
        self.changed()
        self.arrived.set()

    def take(self) -> QueueItem:
        """Remove the first job from the (non-empty) queue and make it a running one."""
        item = heapq.heappop(self.pending)
        self.running.append(item)
        self.changed()
        return item

    def done(self, item: QueueItem, result: dict[str, Any], status: dict[str, Any]) -> None:
        """Move a running job to the history."""
        self.running = [each for each in self.running if each is not item]
        if len(self.history) > MAX_HISTORY:
            del self.history[next(iter(self.history))]
        self.history[item[1]] = {"prompt": item[:5], "outputs": {}, "status": status, **result}
        self.changed()

    def clear(self) -> None:
        """Remove all pending jobs."""
        self.pending = []
        self.changed()

    def delete(self, prompt_id: str) -> bool:
        """Remove one pending job.

        Returns:
            False if the job is not pending.
        """
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
        """Return whether this job is running."""
        return any(item[1] == prompt_id for item in self.running)

    def snapshot(self) -> tuple[list[Any], list[Any]]:
        """Return the running and the pending items (in heap order), without their secrets."""
        return [item[:5] for item in self.running], [item[:5] for item in self.pending]

    def history_page(self, max_items: int | None, offset: int) -> dict[str, Any]:
        """Return up to `max_items` history entries from `offset`; a negative offset means the newest."""
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
