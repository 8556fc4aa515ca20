"""Polls the server over HTTP: the queue and the history supply what frames did not report."""

import asyncio
from collections.abc import Awaitable, Callable

from comfytui.clock import SYSTEM_CLOCK, Clock
from comfytui.comfy.errors import ComfyError
from comfytui.service.backend import Backend
from comfytui.service.connection.driver import ConnectionDriver
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
from comfytui.service.connection.process_evidence import prompts_held
from comfytui.service.connection.request_errors import request_error
from comfytui.service.connection.stats_reader import StatsReader
from comfytui.service.connection.unseen_jobs import UnseenJobs
from comfytui.session.connection.effects import Poll
from comfytui.session.connection.inputs import PollFailed, PollRequested, PollSucceeded
from comfytui.session.delivery import Evidence
from comfytui.session.events import HistorySnapshot, QueueSnapshot, SessionEvent
from comfytui.session.jobs.index import indexed
from comfytui.session.jobs.summarise import queued_prompt_of
from comfytui.session.model import LinkKind
from comfytui.session.selectors import open_jobs
from comfytui.session.state import SessionState
from comfytui.timings import DEFAULT, PollTimings
from comfytui.workflow.parameters import GraphReader


class Poller:
    """Reads `/queue` and `/history` whenever the connection wants it.

    Args:
        driver: Holds the state of the connection, and takes what the server answers as inputs.
        state: Returns the session's state.
        apply: Receives the session events.
        apply_cancelled: Awaited at each poll, before a job that left the queue is called lost: applies which of them
            another comfytui cancelled.
        timings: How often it polls.
        clock: The time source.
    """

    def __init__(
        self,
        driver: ConnectionDriver,
        state: Callable[[], SessionState],
        apply: Callable[[SessionEvent], None],
        apply_cancelled: Callable[[], Awaitable[None]] | None = None,
        *,
        timings: PollTimings = DEFAULT.poll,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        self._driver = driver
        self._state = state
        self._apply = apply
        self._apply_cancelled = apply_cancelled
        self._timings = timings
        self._clock = clock
        self._wanted: asyncio.Queue[Poll] = asyncio.Queue()
        self._history_wanted = False  # by the poll that is under way
        self._history: tuple[str, ...] = ()
        self._history_read = 0.0  # wall seconds
        self._history_due = 0.0  # monotonic seconds, where the server sends all of the history at once
        self._ended: tuple[str, ...] = ()  # prompts that light requests found ended, and the session does not know so
        self._unseen_jobs = UnseenJobs()
        self.has_read_history = asyncio.Event()
        """Set once the newest entries of the history were read."""
        self.stats = StatsReader(driver, state, apply, timings, clock)
        """Reads the system statistics."""

    def request(self, *, history: bool = False) -> None:
        """Request a poll soon, with `history` also of the newest entries of the history."""
        self._driver.take(PollRequested(history))

    async def reread_history(self) -> None:
        """Read the newest entries of the history once more, and wait until that is done."""
        self.has_read_history.clear()
        self.request(history=True)
        await self.has_read_history.wait()

    def reset(self) -> None:
        """Forget a poll that was to begin."""
        self._wanted = asyncio.Queue()

    def begin(self, poll: Poll) -> None:
        """Have `run` begin a poll."""
        self._wanted.put_nowait(poll)

    def reset_unseen_jobs(self) -> None:
        """Compare from now on: the frames of a new socket report what joins the queue after it opened."""
        self._unseen_jobs.reset(self._state().jobs)

    def mark_jobs_known(self) -> None:
        """Do not take the session's jobs for ones that frames announced: some are from elsewhere."""
        self._unseen_jobs.mark_known(self._state().jobs)

    def announce(self, remaining: int) -> None:
        """Record the queue length of a `status` frame."""
        self._unseen_jobs.announce(remaining)

    async def run(self, backend: Backend) -> None:
        """Carry out polls forever; a poll that fails is left to the next one, since the link says what is wrong."""
        while True:
            poll = await self._wanted.get()
            began = self._clock.monotonic()
            self._history_wanted = poll.history
            try:
                light = poll.light and not await self._has_changed(backend)
                if not light:
                    await self.poll(backend)
                if poll.stats:
                    await self.stats.read(backend)
            except ComfyError as error:
                seconds = self._clock.monotonic() - began
                self._driver.take(PollFailed(request_error(error), seconds, self._history_wanted))
            else:
                self._driver.take(PollSucceeded(self._clock.monotonic() - began, self._state(), light))

    async def poll(self, backend: Backend) -> None:
        """Read the queue, then how each job ended that it no longer has, then what came and went unseen.

        Raises:
            ComfyError: if a request fails.
        """
        connection = self._driver.connection
        if connection.gate.is_verified and not (connection.is_guarded and connection.gate.is_ready):
            # Without a socket, or with one that opened since, no disconnect would reveal another server.
            await self.stats.read(backend)
        if not self._driver.connection.gate.is_verified:
            if not await self.stats.verify(backend):
                return
            self._history_wanted = True
        requested_at, announced = self._clock.monotonic(), self._unseen_jobs.announced
        reader = GraphReader()
        queue = await backend.queue(lambda item: queued_prompt_of(item, reader))
        self._apply(QueueSnapshot(queue.running, queue.pending, requested_at))
        unseen = self._unseen_jobs.count(announced, self._state().jobs)
        if self._apply_cancelled is not None:
            await self._apply_cancelled()
        await read_finished(backend, self._apply, self._state)
        if self._history_wanted:
            await self._read_history(backend)
        else:
            await self._read_unseen(backend, unseen)
        self._ended = ()
        self._unseen_jobs.mark_known(self._state().jobs)

    async def _read_history(self, backend: Backend) -> None:
        finished = await read_history(backend, HISTORY_PAGE)
        self._history_wanted = False
        self._history, self._history_read = tuple(each.prompt.prompt_id for each in finished), self._clock.wall()
        self._apply(HistorySnapshot(finished))
        self.has_read_history.set()

    async def _read_unseen(self, backend: Backend, unseen: int) -> None:
        """Read how jobs ended that passed `unseen`, or that were lost and that the server has after all."""
        jobs = self._state().jobs
        # Other jobs of the session were read by `read_finished`, or are still queued.
        await read_by_id(backend, [key for key in self._ended if key in jobs and jobs[key].status.ended], self._apply)
        if missing := max(unseen, sum(key not in jobs for key in self._ended)):
            found = await read_newest(backend, self._apply, self._state, missing)
            self._unseen_jobs.history_searched(unseen, found)

    def evidence(self) -> Evidence:
        """Return what the server's process holds until it ends, as far as is known since the connection opened."""
        return prompts_held(self._state(), self._history, self._history_read)

    async def _has_changed(self, backend: Backend) -> bool:
        """Return whether the queue differs from the known one, as far as light requests tell."""
        if not self._driver.connection.gate.is_verified:
            return True
        count, state = await backend.queue_count(), self._state()
        if count != state.queue_remaining or count != len(indexed(state.jobs).queue_positions):
            return True
        listed = state.capabilities is not None and state.capabilities.jobs
        recent = await recent_jobs(backend, busy=count > 0) if listed else None
        if recent is not None:
            ended = tuple(job.prompt_id for job in recent if job.status != IN_PROGRESS)
        else:
            ended = await self._last_finished(backend) if self._driver.connection.link.kind is LinkKind.POLLING else ()
        self._ended = without_final_status(self._state(), ended)  # Without a socket no frame announces them.
        if self._ended or self._history_wanted:
            return True
        if recent is None:
            # One may have left the queue and another one joined it.
            return open_jobs(self._state()) > 0
        return {job.prompt_id for job in recent if job.status == IN_PROGRESS} != indexed(self._state().jobs).running_ids

    async def _last_finished(self, backend: Backend) -> tuple[str, ...]:
        """Return what ended last; where the server sends all of its history for that, all is read, now and then."""
        now = self._clock.monotonic()
        if now < self._history_due:
            return ()
        finished = await last_finished(backend)
        if finished is None:
            self._history_due, self._history_wanted = now + self._timings.live_idle, True
        return finished or ()
