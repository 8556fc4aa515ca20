"""Brings my jobs to the server: new batches, and those of earlier runs."""

from collections.abc import Awaitable, Callable, Collection, Coroutine, Iterator, Sequence
from typing import Any

from comfytui.clock import SYSTEM_CLOCK, Clock
from comfytui.comfy.errors import ComfyError
from comfytui.service.backend import Backend
from comfytui.service.connection.manager import ConnectionManager
from comfytui.service.journal.async_journal import AsyncJournal
from comfytui.service.journal.records import SavedBatch, SavedPrompt
from comfytui.service.notifications import BatchRejected, CancelledOnArrival, Severity, UserMessage
from comfytui.service.results import Cancelled, SubmitResult
from comfytui.service.store import SessionStore
from comfytui.service.submission.batch import BatchRequest, GraphStore, Submission, plan
from comfytui.service.submission.client_ids import ClientIds
from comfytui.service.submission.outbox import Outbox
from comfytui.service.submission.pending import PendingBatches
from comfytui.service.submission.recorder import Recorder
from comfytui.service.submission.resumption import Resumption, resume
from comfytui.session.events import BatchPlanned, ClientIdsAcquired, EndsRecorded, PromptRejected, SessionEvent
from comfytui.session.model import Failure, Stamp
from comfytui.session.state import SessionState
from comfytui.timings import DEFAULT, SubmissionTimings


class SubmissionManager:
    """My jobs on one server: the client ids that they belong to, their graphs, and the outbox that sends them.

    Args:
        store: The session.
        client_ids: The client ids of this server.
        graphs: The graphs of my jobs.
        recorder: Records what becomes of my jobs.
        journal: Keeps my jobs for later runs.
        connection: The connection to the server.
        cancel: Cancels a job on the server.
        timings: How long it waits for the server, and between requests.
        clock: The time source.
    """

    def __init__(
        self,
        store: SessionStore,
        client_ids: ClientIds,
        graphs: GraphStore,
        recorder: Recorder,
        journal: AsyncJournal,
        connection: ConnectionManager,
        cancel: Callable[[str], Awaitable[Cancelled]],
        *,
        timings: SubmissionTimings = DEFAULT.submission,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        self._clock = clock
        self._store = store
        self._client_ids = client_ids
        self._graphs = graphs
        self._recorder = recorder
        self._connection = connection
        self._cancel = cancel
        self._outbox = Outbox(
            store.apply,
            lambda: self._state,
            graphs,
            lambda submission: client_ids.owner_of(submission.batch),
            self._previews_of,
            self._on_rejected,
            self._notify,
            self._cancel_on_arrival,
            connection.sendable,
            connection.prompt_unauthorised,
            connection.poller.evidence,
            journal.may_send,
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
            self._show_ended,
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
        self._resumption.request()  # So that the first poll shows the jobs of other processes of mine as mine.
        requests, self._early_requests = self._early_requests, []
        for request in requests:
            self._plan(request)

    def coroutines(
        self,
        backend: Backend,
        open_socket: Callable[[str], object],
        end_socket: Callable[[str], Awaitable[object]],
    ) -> Iterator[Coroutine[Any, Any, None]]:
        """Yield what has to run forever to send jobs, and to resume those of earlier runs.

        Args:
            backend: The server.
            open_socket: Receives each client id that is acquired from now on.
            end_socket: Closes the socket of a client id that is not needed any more.
        """
        yield self._outbox.run(backend)
        yield self._resumption.run(open_socket, end_socket)

    def identified(self, fingerprint: str) -> None:
        """Look for batches of earlier runs: the server's fingerprint is known now."""
        self._client_ids.set_fingerprint(fingerprint)
        self._resumption.request()

    async def recognised(self) -> None:
        """Wait until every client id that jobs have is looked up."""
        await self._resumption.looked_up()

    def follow(self, event: SessionEvent, before: SessionState) -> None:
        """Note an event that changed the state from `before`."""
        state = self._state
        self._resumption.observe(event, before)
        if state.jobs is not before.jobs:
            self._graphs.drop_ended(job for key, job in state.jobs.items() if before.jobs.get(key) is not job)
            self._outbox.wake()
            if not isinstance(event, PromptRejected):  # `_on_rejected` follows the last one of a batch.
                self._pending.settle(state)

    def close(self) -> None:
        """Release the client ids, and cancel the results that are awaited: another server is served from now on."""
        self._client_ids.release()
        self._pending.cancel()

    def _resume_batches(self, saved: Sequence[SavedBatch]) -> None:
        """Apply which client ids are mine, and continue batches of earlier runs."""
        self._store.apply(ClientIdsAcquired(self._client_ids.mine, self._client_ids.held_elsewhere))
        for batch in saved:
            self._client_ids.set_owner(batch.batch.id, batch.client_id)
            now = Stamp(self._clock.monotonic(), self._clock.wall())
            resume(batch, self._store.apply, lambda: self._state, self._graphs, now)
            self._recorder.catch_up(batch, self._state, now)
        if saved:
            self._connection.poller.mark_jobs_known()  # No frame announces what the journal has.

    async def find_ended(self, ids: Collection[str]) -> None:
        """Apply how jobs of mine ended according to the journal; `ids` are theirs, or those of their batches."""
        self._show_ended(await self._client_ids.ended_of(ids))

    def _show_ended(self, saved: Sequence[SavedPrompt]) -> None:
        if saved:
            now = Stamp(self._clock.monotonic(), self._clock.wall())
            self._store.apply(EndsRecorded(tuple(prompt.job(now) for prompt in saved)))
            self._connection.poller.mark_jobs_known()

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
            self._plan(request)
        else:
            self._early_requests.append(request)
        return await result

    def _plan(self, request: BatchRequest) -> None:
        batch, jobs, submissions = plan(request, self._client_ids.client_id, self._clock.wall())
        self._graphs.add(submissions)
        self._store.apply(BatchPlanned(batch, jobs))
        self._connection.poller.request()

    async def _cancel_on_arrival(self, prompt_id: str) -> None:
        """Cancel a job whose cancellation had to wait until the server had it, and post the result."""
        try:
            result: Cancelled | ComfyError = await self._cancel(prompt_id)
        except ComfyError as error:
            result = error
        self._store.post(CancelledOnArrival(self._store.label, prompt_id, result))

    def _previews_of(self, submission: Submission) -> str | None:
        """Return the preview method of a prompt: none while frames are late."""
        return "none" if self._state.link.lag_seconds else submission.preview_method

    def _on_rejected(self, batch: str, failure: Failure) -> None:
        """Tell the caller of a batch that the server rejected it, or every subscriber if no caller waits for it."""
        if batch in self._pending:
            self._pending.settle(self._state)
        else:
            self._store.post(BatchRejected(self._store.label, batch, failure))

    def _notify(self, text: str, severity: Severity) -> None:
        self._store.post(UserMessage(self._store.label, text, severity))
