"""Sends undelivered prompts one after another, never twice, and keeps them while the server cannot take them."""

import asyncio
from collections.abc import Awaitable, Callable

from comfytui.clock import SYSTEM_CLOCK, Clock
from comfytui.comfy.cancellation import run_in_task
from comfytui.comfy.errors import ComfyError, PromptRefused, ServerError, Unauthorized, Unreachable
from comfytui.comfy.protocol.models import AcceptedPrompt
from comfytui.service.backend import Backend
from comfytui.service.connection.process_evidence import last_log_line
from comfytui.service.notifications import Severity
from comfytui.service.submission.batch import NO_GRAPH, GraphStore, Submission
from comfytui.service.submission.confirmation import Confirmation
from comfytui.session.delivery import (
    CancelSent,
    Delivery,
    Evidence,
    PromptNotAccepted,
    PromptSending,
    PromptUnconfirmed,
)
from comfytui.session.events import (
    JobCancelled,
    PromptAccepted,
    PromptDelayed,
    PromptLost,
    PromptRejected,
    SessionEvent,
)
from comfytui.session.model import Failure, Job
from comfytui.session.selectors import to_cancel, undelivered
from comfytui.session.state import SessionState
from comfytui.timings import DEFAULT, SubmissionTimings

MAX_FAILURES = 3
"""How often the server may answer with status 500 before the submission is taken for the cause."""

Notify = Callable[[str, Severity], None]


async def _never(_: float) -> bool:
    return False


class Outbox:
    """Sends the undelivered jobs of one session in order; the session's state alone says where each stands.

    Args:
        apply: Takes the events that say what becomes of each prompt.
        state: Returns the session's state.
        graphs: What is sent for each job.
        client_id: Returns the client id to send a submission under.
        previews: Returns the preview method to ask for, None for the server's own.
        on_rejected: Called for a batch that the server rejects, with the reason.
        notify: Called with a message for the user.
        cancel: Cancels a prompt on the server.
        ready: Waits a while until the server's identity is verified; returns whether it is.
        on_unauthorised: Receives the error if the server rejects the credentials.
        evidence: Returns what the server's process is known to have, and keeps until it ends.
        may_send: Waits until what the state says is on the disk; returns whether no process has cancelled a prompt.
        connected_since: Returns whether a websocket that was open at a monotonic second is still answered on, so that
            the server was not restarted since.
        timings: How long it waits for the server, and between requests.
        clock: The time source.
    """

    def __init__(
        self,
        apply: Callable[[SessionEvent], None],
        state: Callable[[], SessionState],
        graphs: GraphStore,
        client_id: Callable[[Submission], str],
        previews: Callable[[Submission], str | None],
        on_rejected: Callable[[str, Failure], None],
        notify: Notify,
        cancel: Callable[[str], Awaitable[None]],
        ready: Callable[[str], Awaitable[bool]],
        on_unauthorised: Callable[[Unauthorized], None],
        evidence: Callable[[], Evidence],
        may_send: Callable[[str], Awaitable[bool]],
        *,
        connected_since: Callable[[float], Awaitable[bool]] = _never,
        timings: SubmissionTimings = DEFAULT.submission,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        self._apply = apply
        self._state = state
        self._graphs = graphs
        self._client_id = client_id
        self._previews = previews
        self._on_rejected = on_rejected
        self._notify = notify
        self._cancel = cancel
        self._ready = ready
        self._on_unauthorised = on_unauthorised
        self._evidence = evidence
        self._may_send = may_send
        self._confirmation = Confirmation(state, graphs, ready, connected_since, timings, clock)
        self._timings = timings
        self._clock = clock
        self._changed = asyncio.Event()
        self._warned: str | None = None  # the last batch of which the user was warned

    def wake(self) -> None:
        """Look for something to send: the jobs have changed."""
        self._changed.set()

    async def run(self, backend: Backend) -> None:
        """Send until cancelled."""
        for job in undelivered(self._state()):
            self._apply(PromptUnconfirmed(job.prompt_id))  # Its POST ended with an earlier run.
        while True:
            self._changed.clear()
            if arrived := to_cancel(self._state()):
                await self._cancel_arrived(backend, arrived[0])
            elif waiting := undelivered(self._state()):
                await self._deliver(backend, waiting[0])
            else:
                await self._changed.wait()

    async def _deliver(self, backend: Backend, job: Job) -> None:
        """Do what brings a prompt one step further."""
        submission = self._graphs.submission_of(job)
        if submission is None:
            self._apply(PromptRejected(job.prompt_id, NO_GRAPH))
        elif not await self._ready(job.prompt_id):
            return
        elif job.post:
            await self._confirm(backend, job)
        else:
            await self._send(backend, job, submission)

    async def _send(self, backend: Backend, job: Job, submission: Submission) -> None:
        evidence = await self._find_evidence(backend, job.prompt_id)
        present = self._state().jobs.get(job.prompt_id)
        if evidence is None or present is None or present.delivery is not Delivery.PLANNED:
            return  # The server is away, or the prompt was cancelled or found during these requests.
        # An answer that comes while the service stops is recorded, so that the next start need not search for it.
        post = self._post(backend, job, submission, evidence)
        if not await run_in_task(post, grace=self._timings.last_answer):
            await self._clock.sleep(self._timings.retry_pause)

    async def _post(self, backend: Backend, job: Job, submission: Submission, evidence: Evidence) -> bool:
        """Send a prompt, unless another process has cancelled it; return whether the server could be reached."""
        prompt_id, client_id = submission.prompt_id, self._client_id(submission)
        self._apply(PromptSending(prompt_id, client_id, evidence))
        # Awaited, so that it is on the disk before the POST begins: not even a kill in between sends it twice.
        if not await self._may_send(prompt_id):
            self._apply(JobCancelled(prompt_id))
            return True
        try:
            queued = await backend.submit(
                submission.graph,
                prompt_id=prompt_id,
                client_id=client_id,
                tag=submission.tag,
                preview_method=self._previews(submission),
            )
        except PromptRefused as error:
            self._reject(job, _failure(error))
        except Unreachable as error:
            self._apply(PromptNotAccepted(prompt_id))
            self._delay(prompt_id, error)
            return False
        except ComfyError as error:
            # A request for a login proves nothing: a proxy may send it after the server accepted the prompt.
            server_failed = isinstance(error, ServerError) and error.status == 500
            self._apply(PromptUnconfirmed(prompt_id, server_failed))
            self._delay(prompt_id, error)
        else:
            self._warn(submission, queued)
            self._apply(PromptAccepted(prompt_id, queued.prompt_id, queued.number))
        return True

    async def _find_evidence(self, backend: Backend, prompt_id: str) -> Evidence | None:
        """Return what the server's process has just before a POST; None if the server is not there to take it."""
        if evidence := self._evidence():
            return evidence
        evidence = await last_log_line(backend, self._timings.log)
        if not evidence:
            if not await self._is_login_accepted(backend, prompt_id):
                return None
            # A server that was busy answers by now; one that hides its log costs a second more.
            evidence = await last_log_line(backend, self._timings.log)
        return evidence if await self._ready(prompt_id) else None  # The connection may have dropped meanwhile.

    async def _is_login_accepted(self, backend: Backend, prompt_id: str) -> bool:
        """Return whether the server answers a request just before a POST for which there is no evidence.

        If such a POST were refused since a login has expired, it could not be told from one that a restarted server
        forgot.
        """
        try:
            await backend.queue_count()
        except ComfyError as error:
            self._delay(prompt_id, error)
            await self._clock.sleep(self._timings.retry_pause)
            return False
        return True

    def _delay(self, prompt_id: str, error: ComfyError) -> None:
        """Show why a prompt is not on the server yet."""
        if isinstance(error, Unauthorized):
            self._on_unauthorised(error)
        self._apply(PromptDelayed(prompt_id, str(error)))

    async def _confirm(self, backend: Backend, job: Job) -> None:
        """Find out what became of a prompt whose answer was lost; one that breaks the server again and again ends."""
        outcome = await self._confirmation.outcome(backend, job.prompt_id)
        failures = job.server_failures
        if isinstance(outcome, PromptNotAccepted | PromptLost) and failures >= MAX_FAILURES:
            self._reject(job, Failure(f"The server failed on it {failures} times: look at the server's log."))
        elif outcome is not None:
            self._apply(outcome)

    async def _cancel_arrived(self, backend: Backend, job: Job) -> None:
        """Cancel a prompt that was to be cancelled before it was known that the server has it, unless it is gone."""
        item, is_conclusive = await self._confirmation.find(backend, job)
        if item is None and not is_conclusive:
            await self._clock.sleep(self._timings.retry_pause)
            return
        self._apply(CancelSent(job.prompt_id))
        if item is not None:
            await self._cancel(item.prompt_id)

    def _reject(self, rejected: Job, failure: Failure) -> None:
        """End the undelivered prompts of a batch of which the server rejected one."""
        for job in undelivered(self._state()):
            if job.batch_tag and rejected.batch_tag and job.batch_tag.batch == rejected.batch_tag.batch:
                self._apply(PromptRejected(job.prompt_id, failure))
        if rejected.batch_tag:
            self._on_rejected(rejected.batch_tag.batch, failure)

    def _warn(self, submission: Submission, queued: AcceptedPrompt) -> None:
        """Notify the user of the nodes that the server leaves out, once per batch."""
        if queued.node_errors and self._warned != submission.batch:
            self._warned = submission.batch
            first = queued.node_errors[0]
            node = f"{first.class_type or 'node'} {first.node_id}"
            self._notify(f"The server leaves out {node}: {first.message} {first.details}".strip(), "warning")


def _failure(error: PromptRefused) -> Failure:
    """Return a rejection as a failure; its message is the first node's, since the error's own names no cause."""
    if not error.node_errors:
        return Failure(str(error))
    first = error.node_errors[0]
    message = f"{first.message}: {first.details}" if first.details else first.message
    return Failure(message, first.node_id, first.class_type, node_errors=error.node_errors)
