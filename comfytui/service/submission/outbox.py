"""Sends undelivered submissions one after another, never twice, and keeps them while the server cannot take them."""

from collections.abc import Awaitable, Callable, Iterable, Mapping

from comfytui.clock import SYSTEM_CLOCK, Clock
from comfytui.comfy.errors import ComfyError, Rejected, ServerError, Unauthorized, Unreachable
from comfytui.comfy.protocol.models import AcceptedPrompt, QueueItem
from comfytui.service.backend import Backend
from comfytui.service.connection.process_evidence import Evidence, is_same_process, last_log_line
from comfytui.service.journal.async_journal import AsyncJournal
from comfytui.service.notifications import Severity
from comfytui.service.submission.batch import Submission
from comfytui.service.submission.submission_lookup import find_finished, find_in_history, find_in_queue
from comfytui.service.submission.undelivered import NONE_UNCONFIRMED, Apply, OnRejected, Unconfirmed, Undelivered
from comfytui.session.events import HistorySnapshot, HttpFailed, PromptDelayed, PromptLost
from comfytui.session.model import Failure, LinkKind
from comfytui.timings import DEFAULT, SubmissionTimings

MAX_FAILURES = 3
"""How often the server may answer with status 500 before the submission is taken for the cause."""

Notify = Callable[[str, Severity], None]


async def _never(_: float) -> bool:
    return False


class Outbox:
    """Sends the submissions of one server in order.

    Args:
        apply: Takes the events that say what becomes of each submission.
        is_unsent: Tells whether the session still waits for a prompt to be sent.
        client_id: Returns the client id to send a submission under.
        previews: Returns the preview method to ask for, None for the server's own.
        on_rejected: Called for a batch that the server rejects, with the reason.
        notify: Called with a message for the user.
        cancel: Cancels a prompt on the server.
        ready: Waits a while until the server's identity is verified; returns whether it is.
        evidence: Returns what the server's process is known to have, and keeps until it ends.
        journal: Records each step beyond the life of this process.
        connected_since: Returns whether a websocket that was open at a monotonic second is still answered on, so that
            the server was not restarted since.
        timings: How long it waits for the server, and between requests.
        clock: Tells the time and waits.
    """

    def __init__(
        self,
        apply: Apply,
        is_unsent: Callable[[str], bool],
        client_id: Callable[[Submission], str],
        previews: Callable[[Submission], str | None],
        on_rejected: OnRejected,
        notify: Notify,
        cancel: Callable[[str], Awaitable[None]],
        ready: Callable[[str], Awaitable[bool]],
        evidence: Callable[[], Evidence],
        journal: AsyncJournal,
        *,
        connected_since: Callable[[float], Awaitable[bool]] = _never,
        timings: SubmissionTimings = DEFAULT.submission,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        self.undelivered = Undelivered(apply, is_unsent, on_rejected, journal, clock)
        self._apply = apply
        self._client_id = client_id
        self._previews = previews
        self._notify = notify
        self._cancel = cancel
        self._ready = ready
        self._evidence = evidence
        self._journal = journal
        self._connected_since = connected_since
        self._timings = timings
        self._clock = clock
        self._warned: str | None = None

    def add(self, submissions: Iterable[Submission], unconfirmed: Mapping[str, Unconfirmed] = NONE_UNCONFIRMED) -> None:
        """Queue submissions for sending; those in `unconfirmed` have been sent already, and their answers lost."""
        self.undelivered.add(submissions, unconfirmed)

    async def run(self, client: Backend) -> None:
        """Send until cancelled."""
        while True:
            submission = await self.undelivered.first()
            prompt_id = submission.prompt_id
            is_sent = self.undelivered.unconfirmed_post(prompt_id) is not None
            if self.undelivered.is_settled(submission):
                self.undelivered.remove(submission)
            elif self.undelivered.is_cancel_requested(prompt_id) and not is_sent:
                self.undelivered.cancel(submission)
            elif not await self._ready(prompt_id):
                continue
            elif post := self.undelivered.unconfirmed_post(prompt_id):
                await self._confirm(client, submission, post)
            else:
                await self._send(client, submission)

    async def _send(self, client: Backend, submission: Submission) -> None:
        evidence = self._evidence()
        if not evidence:
            evidence = await last_log_line(client, self._timings.log)
            if not evidence:
                if not await self._is_let_in(client, submission):
                    return
                # A server that was busy answers by now; one that hides its log costs a second more.
                evidence = await last_log_line(client, self._timings.log)
            if not await self._ready(submission.prompt_id):
                return  # The connection dropped during these requests.
        if submission.prompt_id not in self.undelivered:
            return  # It was dropped during these requests.
        try:
            queued = await self._post(client, submission, evidence)
        except Rejected as error:
            self.undelivered.reject(submission, _failure(error))
        except Unreachable as error:
            self.undelivered.reset(submission)
            self._delay(submission, error)
            await self._clock.sleep(self._timings.retry_pause)
        except ComfyError as error:
            # A request for a login proves nothing: a proxy may send it after the server accepted the prompt.
            self.undelivered.failures += isinstance(error, ServerError) and error.status == 500
            self._delay(submission, error)
        else:
            self._warn(submission, queued)
            await self._accept(submission, queued.prompt_id, queued.number)

    async def _is_let_in(self, client: Backend, submission: Submission) -> bool:
        """Return whether the server answers a request just before a POST for which there is no evidence.

        If such a POST were refused since a login has expired, it could not be told from one that a restarted server
        forgot.
        """
        try:
            await client.queue_count()
        except ComfyError as error:
            self._delay(submission, error)
            await self._clock.sleep(self._timings.retry_pause)
            return False
        return True

    def _delay(self, submission: Submission, error: ComfyError) -> None:
        """Show why a submission is not on the server yet."""
        if isinstance(error, Unauthorized):
            self._apply(HttpFailed(str(error), LinkKind.UNAUTHORISED))
        self._apply(PromptDelayed(submission.prompt_id, str(error)))

    async def _post(self, client: Backend, submission: Submission, evidence: Evidence) -> AcceptedPrompt:
        with self.undelivered.posting(submission, evidence):
            client_id = self._client_id(submission)
            # Awaited, so that it is on the disk before the POST begins: not even a kill in between sends it twice.
            await self._journal.record_sending(submission.prompt_id, self._clock.wall(), client_id, evidence)
            return await client.submit(
                submission.graph,
                prompt_id=submission.prompt_id,
                client_id=client_id,
                tag=submission.tag,
                preview_method=self._previews(submission),
            )

    async def _confirm(self, client: Backend, submission: Submission, post: Unconfirmed) -> None:
        """Poll for a submission whose answer was lost, until it is found or can no longer arrive."""
        requested_at, deadline = self._clock.monotonic(), post.since + self._timings.arrival
        misses = 0
        # Require two consecutive misses: a stalled server may answer a GET before it reads our buffered POST.
        while misses < 2 or requested_at < deadline:
            await self._clock.sleep(self._timings.retry_pause)
            if submission.prompt_id not in self.undelivered or self.undelivered.is_settled(submission):
                return
            requested_at = self._clock.monotonic()
            item, is_conclusive = await self._poll(client, submission)
            misses = misses + 1 if is_conclusive else 0
            if item is not None:
                await self._accept(submission, item.prompt_id, item.number)
                return
            if is_conclusive and not self.undelivered.is_unsent(submission):
                self.undelivered.remove(submission)  # Another poll had found it, and it is gone already.
                return
        await self._resolve_missing(client, submission, post)

    async def _poll(self, client: Backend, submission: Submission) -> tuple[QueueItem | None, bool]:
        """Return the submission as the server has it, and whether its absence would prove anything."""
        if not await self._ready(submission.prompt_id):
            return None, False
        try:
            item = await find_in_queue(client, submission)
        except ComfyError:
            return None, False
        is_verified = await self._ready(submission.prompt_id)
        return item if is_verified else None, is_verified

    async def _accept(self, submission: Submission, accepted_id: str, number: float) -> None:
        if self.undelivered.accept(submission, accepted_id, number):
            await self._cancel(accepted_id)

    async def _resolve_missing(self, client: Backend, submission: Submission, post: Unconfirmed) -> None:
        """Decide what becomes of an unconfirmed submission that the server does not have.

        One that has finished is accepted, one that breaks the server is rejected, and one that provably never arrived
        is sent again, or cancelled if that was requested. Without a proof it is lost.
        """
        try:
            item, history = await find_in_history(client, submission)
            # Checked after the polls that missed it, so that they reached the process that it was sent to.
            is_proven = await self._connected_since(post.since) or await is_same_process(post.evidence, history, client)
        except ComfyError:
            return
        if not await self._ready(submission.prompt_id):
            return  # It may have been the history of another server.
        if item is not None:
            await self._accept(submission, item.prompt_id, item.number)
        elif (failures := self.undelivered.failures) >= MAX_FAILURES:
            self.undelivered.reject(
                submission, Failure(f"The server failed on it {failures} times: look at the server's log.")
            )
        elif is_proven or self.undelivered.is_cancel_requested(submission.prompt_id):
            self.undelivered.reset(submission)
        else:
            await self._lose(client, submission)

    async def _lose(self, client: Backend, submission: Submission) -> None:
        """End a submission that may have run before the server was restarted: as finished by its images, or as lost."""
        finished = await find_finished(client, submission)
        if await self._ready(submission.prompt_id):
            self.undelivered.remove(submission)
            self._apply(HistorySnapshot(finished) if finished else PromptLost(submission.prompt_id))

    def _warn(self, submission: Submission, queued: AcceptedPrompt) -> None:
        """Notify the user of the nodes that the server leaves out, once per batch."""
        if queued.node_errors and self._warned != submission.batch:
            self._warned = submission.batch
            first = queued.node_errors[0]
            node = f"{first.class_type or 'node'} {first.node_id}"
            self._notify(f"The server leaves out {node}: {first.message} {first.details}".strip(), "warning")


def _failure(error: Rejected) -> Failure:
    """Return a rejection as a failure; its message is the first node's, since the error's own names no cause."""
    if not error.node_errors:
        return Failure(str(error))
    first = error.node_errors[0]
    message = f"{first.message}: {first.details}" if first.details else first.message
    return Failure(message, first.node_id, first.class_type, node_errors=error.node_errors)
