"""Looks at the server over HTTP: the queue and the history heal what frames did not say, the box tells its memory."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress

from comfytui.comfy.client import ComfyClient
from comfytui.comfy.errors import ComfyError, NotComfyUI, TimedOut, Unauthorized
from comfytui.service.connection.finished_jobs import (
    HISTORY_AT_START,
    RUNNING,
    newest_ended,
    newest_lines,
    read_by_id,
    read_ends,
    read_history,
    read_newest,
    unknown,
)
from comfytui.service.connection.identity import IdentityCheck
from comfytui.service.connection.process_evidence import Evidence, held_by
from comfytui.service.connection.unseen_jobs import UnseenJobs
from comfytui.session.events import HistorySnapshot, HttpFailed, HttpSucceeded, QueueSnapshot, SessionEvent, StatsRead
from comfytui.session.jobs.index import indexed
from comfytui.session.jobs.summarise import queued_prompt_of
from comfytui.session.model import LinkKind
from comfytui.session.selectors import awaiting_history, open_jobs
from comfytui.session.state import SessionState
from comfytui.workflow.parameters import GraphReader

SETTLE_PAUSE = 0.5
"""Seconds between looks while the end of a job of mine is not known: history is written just after the last frame."""
REST = 5
"""A look that took t seconds is followed by a rest of this many t, so that a huge queue is not read without end."""
LONGEST_REST = 5.0
"""Seconds: over a slow link every look takes long, and what ends meanwhile is to be seen all the same."""
OPEN_PAUSE, IDLE_PAUSE = 15.0, 60.0
"""Seconds between unasked looks, with open jobs and without."""
POLL_BUSY, POLL_IDLE = 1.0, 5.0
"""The same where no socket tells what happens."""
OTHER_BOX_PAUSE = 30.0
"""Seconds between looks whether the known box is back."""
STATS_BUSY, STATS_IDLE = 2.0, 10.0
"""Seconds between readings of the box, while something runs and while nothing does."""
GIVEN_UP = frozenset({LinkKind.UNAUTHORISED, LinkKind.NOT_COMFYUI, LinkKind.OTHER_BOX})
"""States of the link in which nothing is asked unless the user wants it."""


class Poller:
    """Reads `/queue`, `/history` and `/system_stats` when asked to and when due, never faster than the server bears."""

    def __init__(
        self,
        apply: Callable[[SessionEvent], None],
        state: Callable[[], SessionState],
        door: IdentityCheck,
        refused: Callable[[Unauthorized], None] = lambda _: None,
        learn_cancelled: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        self._apply = apply
        self._refused = refused
        self._learn_cancelled = learn_cancelled
        self._state = state
        self._door = door
        self._wanted = asyncio.Event()
        self._history_wanted = False
        self._missed: tuple[str, ...] = ()
        self._looking = asyncio.Lock()
        self._history: tuple[str, ...] = ()
        self._history_read = 0.0
        self._history_due = 0.0  # by the loop's clock, where the server sends all of it at once
        self._arrivals = UnseenJobs()
        self._told: Callable[[ComfyError], None] | None = None
        self._took = 0.0

    def want(self, *, history: bool = False, told: Callable[[ComfyError], None] | None = None) -> None:
        """Ask for a look soon, with `history` also at what ended lately; `told` is called if it fails."""
        self._history_wanted |= history
        self._told = told or self._told
        self._wanted.set()

    def opened(self) -> None:
        """A socket opened: its frames announce what joins the queue from now on."""
        self._arrivals.reset(self._state().jobs)

    def announce(self, remaining: int) -> None:
        """A frame states the length of the queue."""
        self._arrivals.announce(remaining)

    async def run(self, client: ComfyClient) -> None:
        """Look for ever; a look that fails is left to the next one, since the link says what is wrong."""
        loop = asyncio.get_running_loop()
        while True:
            # Not wait_for: in Python 3.11 it swallows a cancellation that comes together with the event.
            with suppress(TimeoutError):
                async with asyncio.timeout(self._pause()):
                    await self._wanted.wait()
            wanted = self._wanted.is_set()
            self._wanted.clear()
            began = loop.time()
            try:
                if wanted or self._in_doubt() or await self._changed(client):
                    await self.look(client)
                    self._took = loop.time() - began
                self._apply(HttpSucceeded(self._poll_pause()))
                least = 0.1
            except ComfyError as error:
                if not self._state().link.socket_open or isinstance(error, Unauthorized):
                    self._door.close()
                self._apply(HttpFailed(str(error), _kind(error)))
                if isinstance(error, Unauthorized):
                    self._refused(error)
                if self._told is not None:
                    self._told(error)
                least = SETTLE_PAUSE
            await asyncio.sleep(max(least, min(REST * (loop.time() - began), LONGEST_REST)))

    async def look(self, client: ComfyClient) -> None:
        """Read the queue, then how each job ended that it no longer has, then what came and went unseen.

        Who asks while one is under way waits for its turn, or both would count the same arrivals.
        """
        async with self._looking:
            await self._look(client)

    async def _look(self, client: ComfyClient) -> None:
        if self._door.is_open and not (self._state().link.socket_open and self._door.is_ready):
            await self.read_box(client)  # No break of a socket would tell of another box, or one opened since.
        if not self._door.is_open:
            if not await self._door.opened(client):
                return
            self._history_wanted = True
        asked, announced = asyncio.get_running_loop().time(), self._arrivals.announced
        reader = GraphReader()
        queue = await client.queue(lambda item: queued_prompt_of(item, reader))
        self._apply(QueueSnapshot(queue.running, queue.pending, asked))
        unseen = self._arrivals.unseen(announced, self._state().jobs)
        if self._learn_cancelled is not None:
            await self._learn_cancelled()
        await read_ends(client, self._apply, self._state)
        if self._history_wanted:
            self._history_wanted = False
            try:
                ended = await read_history(client, HISTORY_AT_START)
            except ComfyError:
                self._history_wanted = True
                raise
            self._history, self._history_read = tuple(each.prompt.prompt_id for each in ended), time.time()
            self._apply(HistorySnapshot(ended))
        else:
            await self._read_missed(client, unseen)
        self._missed = ()
        self._arrivals.polled(self._state().jobs)

    async def _read_missed(self, client: ComfyClient, unseen: int) -> None:
        """Read how jobs ended that passed `unseen`, or that were lost and that the server has after all."""
        jobs = self._state().jobs
        # Others that the list has were looked for by `read_ends`, or still wait.
        await read_by_id(client, [key for key in self._missed if key in jobs and jobs[key].status.ended], self._apply)
        if missed := max(unseen, sum(key not in jobs for key in self._missed)):
            found = await read_newest(client, self._apply, self._state, missed)
            self._arrivals.searched(unseen, found)

    def evidence(self) -> Evidence:
        """What the server's process holds until it ends, as far as is known since the link opened."""
        return held_by(self._state(), self._history, self._history_read)

    async def read_box(self, client: ComfyClient) -> None:
        """Read the box's figures, which also tell if it is another one."""
        sockets = self._door.sockets
        stats = await client.system_stats()
        if self._door.check(stats, sockets):
            self._apply(StatsRead(stats))
        elif self._door.known:
            self.want()

    async def watch_box(self, client: ComfyClient) -> None:
        """Read the box's figures for ever, while there is a link."""
        while True:
            if self._state().link.kind in {LinkKind.LIVE, LinkKind.POLLING}:
                try:
                    await self.read_box(client)
                except Unauthorized as error:
                    self._apply(HttpFailed(str(error), LinkKind.UNAUTHORISED))
                    self._refused(error)
                except ComfyError:
                    pass  # The next look says what is wrong.
            await asyncio.sleep(STATS_BUSY if self._busy() else STATS_IDLE)

    async def _changed(self, client: ComfyClient) -> bool:
        """Whether the queue is another one than is known, as far as light questions tell."""
        if not self._door.is_open:
            return True
        count, state = await client.queue_count(), self._state()
        if count != state.queue_remaining or count != len(indexed(state.jobs).queue_positions):
            return True
        light = state.capabilities is not None and state.capabilities.jobs
        lines = await newest_lines(client, busy=count > 0) if light else None
        if lines is not None:
            ended = tuple(line.prompt_id for line in lines if line.status != RUNNING)
        else:
            ended = await self._newest_ended(client) if state.link.kind is LinkKind.POLLING else ()
        self._missed = unknown(self._state(), ended)  # Without a socket no frame announces them.
        if self._missed or self._history_wanted:
            return True
        if lines is None:
            # One may have gone and another one come.
            return open_jobs(self._state()) > 0
        return {line.prompt_id for line in lines if line.status == RUNNING} != indexed(self._state().jobs).running_ids

    async def _newest_ended(self, client: ComfyClient) -> tuple[str, ...]:
        """What ended last; where the server sends all of its history for that, all is read, now and then."""
        now = asyncio.get_running_loop().time()
        if now < self._history_due:
            return ()
        ended = await newest_ended(client)
        if ended is None:
            self._history_due, self._history_wanted = now + IDLE_PAUSE, True
        return ended or ()

    def _pause(self) -> float | None:
        """Seconds until the next look that nobody asks for; None where there will be none."""
        kind = self._state().link.kind
        if kind in GIVEN_UP:
            return OTHER_BOX_PAUSE if kind is LinkKind.OTHER_BOX else None
        if self._in_doubt():
            return SETTLE_PAUSE
        if kind is LinkKind.LIVE and self._door.is_ready and not self._state().link.behind:
            return OPEN_PAUSE if self._busy() else IDLE_PAUSE
        return self._poll_pause()

    def _poll_pause(self) -> float:
        return min(max(POLL_BUSY, REST * self._took), POLL_IDLE) if self._busy() else POLL_IDLE

    def _in_doubt(self) -> bool:
        """Whether a look is due that proves a job ended, or lost."""
        state = self._state()
        missed = any(job.left_queue and not job.status.ended for job in state.jobs.values())
        return missed or bool(awaiting_history(state))

    def _busy(self) -> bool:
        # A deaf socket does not tell that the queue has grown: what was sent is proof enough.
        return self._state().queue_remaining > 0 or open_jobs(self._state()) > 0


def _kind(error: ComfyError) -> LinkKind:
    """What a look that failed says of the link."""
    match error:
        case Unauthorized():
            return LinkKind.UNAUTHORISED
        case NotComfyUI():
            return LinkKind.NOT_COMFYUI
        case TimedOut():
            return LinkKind.BUSY
        case _:
            return LinkKind.OFFLINE
