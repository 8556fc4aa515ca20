"""Polls the server over HTTP: the queue and the history supply what frames did not report."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress

from comfytui.clock import SYSTEM_CLOCK, Clock
from comfytui.comfy.errors import ComfyError, NotComfyUI, TimedOut, Unauthorized
from comfytui.service.backend import Backend
from comfytui.service.connection.finished_jobs import (
    HISTORY_PAGE,
    IN_PROGRESS,
    last_finished,
    read_by_id,
    read_finished,
    read_history,
    read_newest,
    recent_jobs,
    without_final_status,
)
from comfytui.service.connection.identity import IdentityCheck
from comfytui.service.connection.poll_schedule import is_settling, pause_of, pause_without_socket, rest_after
from comfytui.service.connection.process_evidence import Evidence, prompts_held
from comfytui.service.connection.stats_reader import StatsReader
from comfytui.service.connection.unseen_jobs import UnseenJobs
from comfytui.session.events import HistorySnapshot, HttpFailed, HttpSucceeded, QueueSnapshot, SessionEvent
from comfytui.session.jobs.index import indexed
from comfytui.session.jobs.summarise import queued_prompt_of
from comfytui.session.model import LinkKind
from comfytui.session.selectors import open_jobs
from comfytui.session.state import SessionState
from comfytui.timings import DEFAULT, PollTimings
from comfytui.workflow.parameters import GraphReader


class Poller:
    """Reads `/queue` and `/history` on request and when due, no faster than the server can bear.

    Args:
        apply: Receives the session events.
        state: Returns the session's state.
        identity: Verified before anything else is read.
        on_unauthorized: Receives the error if the server rejects the credentials.
        apply_cancelled: Awaited at each poll, before a job that left the queue is called lost: applies which of them
            another comfytui cancelled.
        timings: How often it polls.
        clock: Tells the time and waits.
    """

    def __init__(
        self,
        apply: Callable[[SessionEvent], None],
        state: Callable[[], SessionState],
        identity: IdentityCheck,
        on_unauthorized: Callable[[Unauthorized], None] = lambda _: None,
        apply_cancelled: Callable[[], Awaitable[None]] | None = None,
        *,
        timings: PollTimings = DEFAULT.poll,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        self._apply = apply
        self._timings = timings
        self._clock = clock
        self._on_unauthorized = on_unauthorized
        self._apply_cancelled = apply_cancelled
        self._state = state
        self._identity = identity
        self._requested = asyncio.Event()
        self._history_requested = False
        self._on_failure: Callable[[ComfyError], None] | None = None
        self._polling = asyncio.Lock()
        self._duration = 0.0  # seconds that the last poll took
        self._history: tuple[str, ...] = ()
        self._history_read = 0.0  # wall seconds
        self._history_due = 0.0  # monotonic seconds, where the server sends all of the history at once
        self._ended: tuple[str, ...] = ()  # prompts that light requests found ended, and the session does not know so
        self._unseen_jobs = UnseenJobs()
        self.stats = StatsReader(apply, state, identity, self.request, on_unauthorized, timings, clock)
        """Reads the system statistics; if they are another server's, a poll is requested."""

    def request(self, *, history: bool = False, on_failure: Callable[[ComfyError], None] | None = None) -> None:
        """Request a poll soon.

        Args:
            history: Read the newest entries of the history, too.
            on_failure: Receives the error of each poll that fails from now on.
        """
        self._history_requested |= history
        self._on_failure = on_failure or self._on_failure
        self._requested.set()

    def socket_opened(self) -> None:
        """Count arrivals anew: the frames of a new socket announce what joins the queue from now on."""
        self._unseen_jobs.reset(self._state().jobs)

    def announce(self, remaining: int) -> None:
        """Take in the queue length of a `status` frame."""
        self._unseen_jobs.announce(remaining)

    async def run(self, client: Backend) -> None:
        """Poll forever; a poll that fails is left to the next one, since the link's state says what is wrong."""
        while True:
            # Not wait_for: in Python 3.11 it swallows a cancellation that comes together with the event.
            with suppress(TimeoutError):
                async with asyncio.timeout(self._pause()):
                    await self._requested.wait()
            requested = self._requested.is_set()
            self._requested.clear()
            began = self._clock.monotonic()
            try:
                if requested or is_settling(self._state()) or await self._has_changed(client):
                    await self.poll(client)
                    self._duration = self._clock.monotonic() - began
                self._apply(HttpSucceeded(pause_without_socket(self._timings, self._state(), self._duration)))
                least = 0.1
            except ComfyError as error:
                self._fail(error)
                least = self._timings.settle_pause
            await self._clock.sleep(max(least, rest_after(self._timings, self._clock.monotonic() - began)))

    def _pause(self) -> float | None:
        return pause_of(self._timings, self._state(), self._duration, ready=self._identity.is_ready)

    def _fail(self, error: ComfyError) -> None:
        if not self._state().link.socket_open or isinstance(error, Unauthorized):
            self._identity.invalidate()
        self._apply(HttpFailed(str(error), _link_kind(error)))
        if isinstance(error, Unauthorized):
            self._on_unauthorized(error)
        if self._on_failure is not None:
            self._on_failure(error)

    async def poll(self, client: Backend) -> None:
        """Read the queue, then how each job ended that it no longer has, then what came and went unseen.

        A caller waits while another poll is under way, or both would count the same arrivals.

        Raises:
            ComfyError: if a request fails.
        """
        async with self._polling:
            await self._poll(client)

    async def _poll(self, client: Backend) -> None:
        if self._identity.is_verified and not (self._state().link.socket_open and self._identity.is_ready):
            # Without a socket, or with one that opened since, no disconnect would reveal another server.
            await self.stats.read(client)
        if not self._identity.is_verified:
            if not await self._identity.verify(client):
                return
            self._history_requested = True
        requested_at, announced = self._clock.monotonic(), self._unseen_jobs.announced
        reader = GraphReader()
        queue = await client.queue(lambda item: queued_prompt_of(item, reader))
        self._apply(QueueSnapshot(queue.running, queue.pending, requested_at))
        unseen = self._unseen_jobs.count(announced, self._state().jobs)
        if self._apply_cancelled is not None:
            await self._apply_cancelled()
        await read_finished(client, self._apply, self._state)
        if self._history_requested:
            await self._read_history(client)
        else:
            await self._read_unseen(client, unseen)
        self._ended = ()
        self._unseen_jobs.mark_known(self._state().jobs)

    async def _read_history(self, client: Backend) -> None:
        self._history_requested = False
        try:
            finished = await read_history(client, HISTORY_PAGE)
        except ComfyError:
            self._history_requested = True
            raise
        self._history, self._history_read = tuple(each.prompt.prompt_id for each in finished), self._clock.wall()
        self._apply(HistorySnapshot(finished))

    async def _read_unseen(self, client: Backend, unseen: int) -> None:
        """Read how jobs ended that passed `unseen`, or that were lost and that the server has after all."""
        jobs = self._state().jobs
        # Other jobs of the session were read by `read_finished`, or are still queued.
        await read_by_id(client, [key for key in self._ended if key in jobs and jobs[key].status.ended], self._apply)
        if missing := max(unseen, sum(key not in jobs for key in self._ended)):
            found = await read_newest(client, self._apply, self._state, missing)
            self._unseen_jobs.history_searched(unseen, found)

    def evidence(self) -> Evidence:
        """Return what the server's process holds until it ends, as far as is known since the connection opened."""
        return prompts_held(self._state(), self._history, self._history_read)

    async def _has_changed(self, client: Backend) -> bool:
        """Return whether the queue differs from the known one, as far as light requests tell."""
        if not self._identity.is_verified:
            return True
        count, state = await client.queue_count(), self._state()
        if count != state.queue_remaining or count != len(indexed(state.jobs).queue_positions):
            return True
        listed = state.capabilities is not None and state.capabilities.jobs
        recent = await recent_jobs(client, busy=count > 0) if listed else None
        if recent is not None:
            ended = tuple(job.prompt_id for job in recent if job.status != IN_PROGRESS)
        else:
            ended = await self._last_finished(client) if state.link.kind is LinkKind.POLLING else ()
        self._ended = without_final_status(self._state(), ended)  # Without a socket no frame announces them.
        if self._ended or self._history_requested:
            return True
        if recent is None:
            # One may have left the queue and another one joined it.
            return open_jobs(self._state()) > 0
        return {job.prompt_id for job in recent if job.status == IN_PROGRESS} != indexed(self._state().jobs).running_ids

    async def _last_finished(self, client: Backend) -> tuple[str, ...]:
        """Return what ended last; where the server sends all of its history for that, all is read, now and then."""
        now = self._clock.monotonic()
        if now < self._history_due:
            return ()
        finished = await last_finished(client)
        if finished is None:
            self._history_due, self._history_requested = now + self._timings.live_idle, True
        return finished or ()


def _link_kind(error: ComfyError) -> LinkKind:
    """Return the state of the link that follows from a poll that failed."""
    match error:
        case Unauthorized():
            return LinkKind.UNAUTHORISED
        case NotComfyUI():
            return LinkKind.NOT_COMFYUI
        case TimedOut():
            return LinkKind.BUSY
        case _:
            return LinkKind.OFFLINE
