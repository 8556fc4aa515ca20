"""Finds out what became of a prompt whose POST has no answer; sends and changes nothing."""

from collections.abc import Awaitable, Callable

from comfytui.clock import Clock
from comfytui.comfy.errors import ComfyError
from comfytui.comfy.protocol.models import QueueItem
from comfytui.service.backend import Backend
from comfytui.service.connection.process_evidence import is_same_process
from comfytui.service.submission.batch import GraphStore
from comfytui.service.submission.submission_lookup import find_finished, find_in_history, find_in_queue
from comfytui.session.delivery import Post, PromptNotAccepted
from comfytui.session.events import HistorySnapshot, PromptAccepted, PromptLost
from comfytui.session.model import Job
from comfytui.session.state import SessionState
from comfytui.timings import SubmissionTimings

Outcome = PromptAccepted | PromptNotAccepted | PromptLost | HistorySnapshot
"""What became of a prompt; the `HistorySnapshot` has it as finished."""


class Confirmation:
    """Searches a server for prompts that it may have.

    Args:
        state: Returns the session's state.
        graphs: The graphs of the jobs.
        ready: Waits a while until the server's identity is verified; returns whether it is.
        connected_since: Returns whether a websocket that was open at a monotonic second is still answered on, so that
            the server was not restarted since.
        timings: How long a prompt may still arrive, and the pause between polls.
        clock: The time source.
    """

    def __init__(
        self,
        state: Callable[[], SessionState],
        graphs: GraphStore,
        ready: Callable[[str], Awaitable[bool]],
        connected_since: Callable[[float], Awaitable[bool]],
        timings: SubmissionTimings,
        clock: Clock,
    ) -> None:
        self._state = state
        self._graphs = graphs
        self._ready = ready
        self._connected_since = connected_since
        self._timings = timings
        self._clock = clock

    async def outcome(self, backend: Backend, prompt_id: str) -> Outcome | None:
        """Poll for an unconfirmed prompt until it is found, or can no longer arrive.

        One that the server does not have provably never arrived, or is to be cancelled, or is lost.

        Returns:
            What became of it; None if that is to be asked again, or if another poll has found out.
        """
        misses = 0
        is_overdue = self._is_overdue(prompt_id)
        pause = 0.0 if is_overdue else self._timings.retry_pause
        while True:
            await self._clock.sleep(pause)
            if (job := self._unanswered(prompt_id)) is None or job.post is None:
                return None
            requested_at = self._clock.monotonic()
            item, is_conclusive = await self.find(backend, job)
            if item is not None:
                return PromptAccepted(prompt_id, item.prompt_id, item.number)
            misses = misses + 1 if is_conclusive else 0
            # Require two consecutive misses: a stalled server may answer a GET before it reads our buffered POST.
            if misses >= 2 and requested_at >= job.post.began + self._timings.arrival:
                return await self._outcome_of_missing(backend, job, job.post)
            pause = self._timings.second_look if misses and is_overdue else self._timings.retry_pause

    async def find(self, backend: Backend, job: Job) -> tuple[QueueItem | None, bool]:
        """Return a prompt as the server has it now, and whether its absence would prove anything."""
        if not await self._ready(job.prompt_id):
            return None, False
        try:
            item = await find_in_queue(backend, job)
        except ComfyError:
            return None, False
        is_verified = await self._ready(job.prompt_id)
        return item if is_verified else None, is_verified

    def _unanswered(self, prompt_id: str) -> Job | None:
        """Return the job of a prompt whose POST still has no answer, or None."""
        job = self._state().jobs.get(prompt_id)
        return job if job and job.post else None

    def _is_overdue(self, prompt_id: str) -> bool:
        """Return whether a prompt can no longer arrive, and its POST has not just timed out either."""
        job = self._unanswered(prompt_id)
        latest = self._timings.arrival + 2 * self._timings.retry_pause
        return job is not None and job.post is not None and self._clock.monotonic() >= job.post.began + latest

    async def _outcome_of_missing(self, backend: Backend, job: Job, post: Post) -> Outcome | None:
        """Decide what became of a prompt that the queue does not have."""
        try:
            item, history = await find_in_history(backend, job)
            # Checked after the polls that missed it, so that they reached the process that it was sent to.
            is_proven = await self._connected_since(post.began) or await is_same_process(
                post.evidence, history, backend
            )
        except ComfyError:
            await self._clock.sleep(self._timings.retry_pause)
            return None
        is_verified = await self._ready(job.prompt_id)
        if not is_verified or (still := self._unanswered(job.prompt_id)) is None:
            return None  # It may have been the history of another server, or another poll has found it.
        if item is not None:
            return PromptAccepted(job.prompt_id, item.prompt_id, item.number)
        if is_proven or still.cancel_requested:
            return PromptNotAccepted(job.prompt_id)
        return await self._outcome_by_images(backend, job)

    async def _outcome_by_images(self, backend: Backend, job: Job) -> Outcome | None:
        """Return a prompt that may have run before the server was restarted as finished by its images, or as lost."""
        submission = self._graphs.submission_of(job)
        finished = await find_finished(backend, submission, self._timings) if submission else ()
        if not await self._ready(job.prompt_id):
            return None
        return HistorySnapshot(finished) if finished else PromptLost(job.prompt_id)
