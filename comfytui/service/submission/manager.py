"""Brings my jobs to the server: new batches, those of earlier runs, lost jobs that are sent again, cancellations."""

from collections.abc import Callable, Coroutine, Iterator, Sequence
from typing import Any

from comfytui.clock import SYSTEM_CLOCK, Clock
from comfytui.comfy.errors import ComfyError
from comfytui.service.backend import Backend
from comfytui.service.connection.manager import ConnectionManager
from comfytui.service.journal.async_journal import AsyncJournal
from comfytui.service.journal.records import SavedBatch
from comfytui.service.notifications import BatchRejected, CancelledOnArrival, Severity, UserMessage
from comfytui.service.results import BatchCancelled, Cancelled, Resent, SubmitResult
from comfytui.service.store import SessionStore
from comfytui.service.submission.batch import BatchRequest, Submission, Submissions, plan
from comfytui.service.submission.cancel import cancel, cancel_all
from comfytui.service.submission.client_ids import ClientIds
from comfytui.service.submission.graph_lookup import local_graph, server_graph
from comfytui.service.submission.outbox import Outbox
from comfytui.service.submission.pending import PendingBatches
from comfytui.service.submission.recorder import Recorder
from comfytui.service.submission.recovery import finished_by_images, finished_in_history, submissions_of
from comfytui.service.submission.resumption import Resumption, resume
from comfytui.session.events import (
    BatchPlanned,
    ClientIdsAcquired,
    HistorySnapshot,
    JobCancelled,
    JobsResent,
    PromptRejected,
    SessionEvent,
)
from comfytui.session.model import Failure, JobStatus, Stamp
from comfytui.session.selectors import lost_jobs
from comfytui.session.state import SessionState
from comfytui.timings import DEFAULT, SubmissionTimings
from comfytui.workflow.graph import Graph


class SubmissionManager:
    """My jobs on one server: the client ids that they belong to, their graphs, and the outbox that sends them.

    Args:
        label: What notifications call the server.
        store: The session.
        apply: Applies session events.
        client_ids: The client ids of this server.
        submissions: The graphs of my jobs.
        recorder: Records what becomes of my jobs.
        journal: Keeps my jobs for later runs.
        connection: The connection to the server.
        require_backend: Returns the connection to the server; raises Unreachable while there is none.
        timings: How long it waits for the server, and between requests.
        clock: Tells the time and waits.
    """

    def __init__(
        self,
        label: str,
        store: SessionStore,
        apply: Callable[[SessionEvent], None],
        client_ids: ClientIds,
        submissions: Submissions,
        recorder: Recorder,
        journal: AsyncJournal,
        connection: ConnectionManager,
        require_backend: Callable[[], Backend],
        *,
        timings: SubmissionTimings = DEFAULT.submission,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        self._timings = timings
        self._clock = clock
        self._label = label
        self._store = store
        self._apply = apply
        self._client_ids = client_ids
        self._submissions = submissions
        self._recorder = recorder
        self._journal = journal
        self._connection = connection
        self._require_backend = require_backend
        self._outbox = Outbox(
            apply,
            lambda: self._state,
            submissions,
            lambda submission: client_ids.owner_of(submission.batch),
            self._previews_of,
            self._on_rejected,
            self._notify,
            self._cancel_on_arrival,
            connection.sendable,
            connection.prompt_unauthorised,
            connection.poller.evidence,
            journal.flush,
            connected_since=connection.connected_since,
            timings=timings,
            clock=clock,
        )
        self._early_requests: list[BatchRequest] = []  # given before there is a client id
        self._pending = PendingBatches()
        self._resumption = Resumption(
            client_ids,
            lambda: self._state,
            self._resume_batches,
            lambda: connection.poller.request(history=True),
        )

    @property
    def _state(self) -> SessionState:
        return self._store.state

    @property
    def is_durable(self) -> bool:
        """Whether the next start sends what is not sent yet."""
        return self._client_ids.is_durable and not self._early_requests

    async def acquire_client_ids(self, fingerprint: str) -> None:
        """Acquire the server's client ids, resume their batches, and submit what was requested meanwhile.

        Args:
            fingerprint: The server's fingerprint; empty if none has answered at this address yet.
        """
        self._resume_batches(await self._client_ids.acquire(fingerprint))
        requests, self._early_requests = self._early_requests, []
        for request in requests:
            self._send(request)

    def coroutines(self, backend: Backend, open_socket: Callable[[str], object]) -> Iterator[Coroutine[Any, Any, None]]:
        """Yield what has to run forever to send jobs, and to resume those of earlier runs.

        Args:
            backend: The server.
            open_socket: Receives each client id that is acquired from now on.
        """
        yield self._outbox.run(backend)
        yield self._resumption.run(open_socket)

    def identified(self, fingerprint: str) -> None:
        """Look for batches of earlier runs: the server's fingerprint is known now."""
        self._client_ids.set_fingerprint(fingerprint)
        self._resumption.request()

    def follow(self, event: SessionEvent, before: SessionState) -> None:
        """Note an event that changed the state from `before`."""
        state = self._state
        self._resumption.observe(event, state)
        if state.jobs is not before.jobs:
            self._submissions.drop_ended(job for key, job in state.jobs.items() if before.jobs.get(key) is not job)
            self._outbox.wake()
            if not isinstance(event, PromptRejected):  # `_on_rejected` follows the last one of a batch.
                self._pending.settle(state)

    def close(self) -> None:
        """Release the client ids, and cancel the results that are awaited: another server is served from now on."""
        self._client_ids.release()
        self._pending.cancel()

    async def apply_cancelled_elsewhere(self) -> None:
        """Read from the journal which of my jobs that left the queue another comfytui cancelled."""
        left_queue = [
            job for job in self._state.jobs.values() if job.mine and (job.left_queue or job.status is JobStatus.LOST)
        ]
        unfinished = [job.prompt_id for job in left_queue if not job.status.final]
        for prompt_id in await self._journal.cancelled_among(unfinished) if unfinished else ():
            self._apply(JobCancelled(prompt_id))

    def _resume_batches(self, saved: Sequence[SavedBatch]) -> None:
        """Apply which client ids are mine, and continue batches of earlier runs."""
        self._apply(ClientIdsAcquired(self._client_ids.mine, self._client_ids.held_elsewhere))
        for batch in saved:
            self._client_ids.set_owner(batch.batch.id, batch.client_id)
            now = Stamp(self._clock.monotonic(), self._clock.wall())
            resume(batch, self._apply, lambda: self._state, self._submissions, now)
            self._recorder.catch_up(batch, self._state, now)

    async def submit(self, request: BatchRequest) -> SubmitResult:
        """Plan a batch and send its prompts as soon as the server accepts them.

        Returns:
            What became of it, once nothing of it is left to send.

        Raises:
            ValueError: The batch was submitted before.
        """
        if request.batch_id in self._pending or request.batch_id in self._state.batches:
            raise ValueError(f"Batch {request.batch_id} was submitted before.")
        result = self._pending.add(request.batch_id)
        if self._client_ids.client_ids:
            self._send(request)
        else:
            self._early_requests.append(request)
        return await result

    def _send(self, request: BatchRequest) -> None:
        batch, jobs, submissions = plan(request, self._client_ids.client_id, self._clock.wall())
        self._submissions.add(submissions)
        self._apply(BatchPlanned(batch, jobs))
        self._connection.poller.request()

    async def resend(self, prompt_ids: Sequence[str]) -> Resent:
        """Send lost jobs once more, as they were and in their order."""
        await self.apply_cancelled_elsewhere()
        jobs = [job for job in lost_jobs(self._state) if job.prompt_id in prompt_ids]
        submissions = await submissions_of(jobs, self._submissions, self._journal)
        self._submissions.add(submissions)
        self._apply(JobsResent(tuple(submission.prompt_id for submission in submissions)))
        return Resent(len(submissions), missing=len(jobs) - len(submissions))

    async def recover_outputs(self, prompt_ids: Sequence[str]) -> int:
        """Search the server for images of lost jobs; return how many of the jobs were finished after all.

        Raises:
            ComfyError: if a request fails.
        """
        backend = self._require_backend()
        await self.apply_cancelled_elsewhere()
        jobs = [job for job in lost_jobs(self._state) if job.prompt_id in prompt_ids]
        known = await finished_in_history([job.prompt_id for job in jobs], backend)
        ids = {each.prompt.prompt_id for each in known}
        rest = [job for job in jobs if job.prompt_id not in ids]
        finished = (
            *known,
            *await finished_by_images(await submissions_of(rest, self._submissions, self._journal), backend),
        )
        self._apply(HistorySnapshot(finished))
        return len(finished)

    async def graph_of(self, prompt_id: str) -> Graph | None:
        """Return the graph of any client's job; None where neither this machine nor the server has it.

        Raises:
            ComfyError: if a request fails.
        """
        job = self._state.jobs.get(prompt_id)
        if graph := await local_graph(prompt_id, job, self._submissions, self._journal):
            return graph
        return await server_graph(job, self._require_backend()) if job else None

    async def cancel(self, prompt_id: str, *, force: bool = False) -> Cancelled:
        """Cancel one job.

        Args:
            prompt_id: The job.
            force: Interrupt even if the server can only stop whatever runs.

        Raises:
            ComfyError: if the server cannot be asked.
        """
        try:
            backend = self._require_backend()
            return await cancel(prompt_id, lambda: self._state, backend, self._apply, force=force)
        finally:
            self._connection.poller.request()

    async def cancel_batch(self, batch: str, *, force: bool = False) -> BatchCancelled:
        """Cancel the unfinished and lost jobs of a batch; `force` as in `cancel`.

        Raises:
            Unreachable: if there is no backend just now.
        """
        prompts = self._state.batches[batch].prompt_ids if batch in self._state.batches else ()
        known = (self._state.jobs.get(prompt_id) for prompt_id in prompts)
        jobs = [job for job in known if job and not job.status.final]
        try:
            backend = self._require_backend()
            return await cancel_all(jobs, lambda: self._state, backend, self._apply, force=force)
        finally:
            self._connection.poller.request()

    async def _cancel_on_arrival(self, prompt_id: str) -> None:
        """Cancel a job whose cancellation had to wait until the server had it, and post the result."""
        try:
            result: Cancelled | ComfyError = await self.cancel(prompt_id)
        except ComfyError as error:
            result = error
        self._store.post(CancelledOnArrival(self._label, prompt_id, result))

    def _previews_of(self, submission: Submission) -> str | None:
        """Return the preview method of a prompt: none while frames are late."""
        return "none" if self._state.link.lag_seconds else submission.preview_method

    def _on_rejected(self, batch: str, failure: Failure) -> None:
        """Tell the caller of a batch that the server rejected it, or every subscriber if no caller waits for it."""
        if batch in self._pending:
            self._pending.settle(self._state)
        else:
            self._store.post(BatchRejected(self._label, batch, failure))

    def _notify(self, text: str, severity: Severity) -> None:
        self._store.post(UserMessage(self._label, text, severity))
