"""Looks at the server over HTTP: the queue and the history heal what frames did not say, the box tells its memory."""

import asyncio
from collections.abc import Callable, Iterable
from contextlib import suppress

from comfytui.comfy.client import ComfyClient
from comfytui.comfy.errors import ComfyError
from comfytui.comfy.replies import HistoryEntry
from comfytui.session.boil import past, seen
from comfytui.session.events import HistorySnapshot, Past, QueueSnapshot, SessionEvent, StatsRead
from comfytui.session.state import SessionState
from comfytui.session.unsettled import unsettled
from comfytui.workflow.recipe import GraphReader

HISTORY_AT_START = 60
"""Entries of the history that are read when a link opens: each carries a whole graph."""
SETTLE_PAUSE = 0.5
"""Seconds between looks while the end of a job of mine is not known: history is written just after the last frame."""
REST = 5
"""A look that took t seconds is followed by a rest of this many t, so that a huge queue is not read without end."""
OPEN_PAUSE, IDLE_PAUSE = 15.0, 60.0
"""Seconds between unasked looks, with open jobs and without."""
STATS_BUSY, STATS_IDLE = 2.0, 10.0
"""Seconds between readings of the box, while something runs and while nothing does."""


class Looker:
    """Reads `/queue`, `/history` and `/system_stats` when asked to and when due, never faster than the server bears."""

    def __init__(self, apply: Callable[[SessionEvent], None], state: Callable[[], SessionState]) -> None:
        self._apply = apply
        self._state = state
        self._wanted = asyncio.Event()
        self._history_wanted = False

    def want(self, *, history: bool = False) -> None:
        """Ask for a look soon, with `history` also at what ended lately."""
        self._history_wanted |= history
        self._wanted.set()

    async def run(self, client: ComfyClient) -> None:
        """Look for ever; a look that fails is left to the next one, since the link says what is wrong."""
        loop = asyncio.get_running_loop()
        while True:
            pause = SETTLE_PAUSE if self._in_doubt() else OPEN_PAUSE if self._busy() else IDLE_PAUSE
            with suppress(TimeoutError):
                await asyncio.wait_for(self._wanted.wait(), pause)
            self._wanted.clear()
            began = loop.time()
            try:
                await self.look(client)
            except ComfyError:
                await asyncio.sleep(SETTLE_PAUSE)
            await asyncio.sleep(max(0.1, REST * (loop.time() - began)))

    async def look(self, client: ComfyClient) -> None:
        """Read the queue, then the history of each job of mine that the queue no longer has, then what ended lately."""
        asked = asyncio.get_running_loop().time()
        reader = GraphReader()
        queue = await client.kept_queue(lambda item: seen(item, reader))
        self._apply(QueueSnapshot(queue.running, queue.pending, asked))
        missing = unsettled(self._state())
        for prompt_id in missing:
            entry = await client.history_of(prompt_id)
            self._apply(HistorySnapshot(_pasts([entry] if entry else []), (prompt_id,)))
        if self._history_wanted:
            self._history_wanted = False
            try:
                entries = await client.history(max_items=HISTORY_AT_START)
            except ComfyError:
                self._history_wanted = True
                raise
            self._apply(HistorySnapshot(await asyncio.to_thread(_pasts, entries)))

    async def watch_box(self, client: ComfyClient) -> None:
        """Read the box's figures for ever."""
        while True:
            with suppress(ComfyError):
                self._apply(StatsRead(await client.system_stats()))
            await asyncio.sleep(STATS_BUSY if self._busy() else STATS_IDLE)

    def _in_doubt(self) -> bool:
        """Whether a look is due that proves a job of mine ended, or lost."""
        state = self._state()
        missed = any(job.absent and job.mine and not job.status.ended for job in state.jobs.values())
        return missed or bool(unsettled(state))

    def _busy(self) -> bool:
        return self._state().queue_remaining > 0


def _pasts(entries: Iterable[HistoryEntry]) -> tuple[Past, ...]:
    reader = GraphReader()
    return tuple(past(entry, reader) for entry in entries)
