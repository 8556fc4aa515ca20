"""Prompts on their way: sent one after another, never twice, kept while the server cannot take them."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping

from comfytui.comfy.client import ComfyClient
from comfytui.comfy.errors import ComfyError, Rejected, ServerError, Unauthorized, Unreachable
from comfytui.comfy.protocol.models import AcceptedPrompt, QueueItem
from comfytui.service.connection.process_evidence import Evidence, is_same_process, last_log_line
from comfytui.service.notifications import Severity
from comfytui.service.submission.batch import Submission
from comfytui.service.submission.ledger import Ledger
from comfytui.service.submission.submission_lookup import NONE_UNCONFIRMED, Unconfirmed, ended, landed, picture_of
from comfytui.session.events import (
    HistorySnapshot,
    HttpFailed,
    JobCancelled,
    PromptDelayed,
    PromptLost,
    PromptQueued,
    PromptRejected,
    SessionEvent,
)
from comfytui.session.model import Failure, LinkKind

LANDING_TIME = 30.0
"""Seconds in which a POST whose answer was lost may still enter the queue: validation of a big graph takes its time."""
LOOK_PAUSE = 2.0
"""Seconds between looks for a prompt whose fate is unknown, and between tries while the server is down."""

FAILURES = 3
"""Times that the server may break over a prompt (status 500) before the prompt is taken for the cause."""

Apply = Callable[[SessionEvent], None]
Refused = Callable[[str, Failure], None]
Tell = Callable[[str, Severity], None]
Cancel = Callable[[str], Awaitable[None]]
HeldNow = Callable[[], Evidence]


async def _never(_: float) -> bool:
    return False


class Outbox:
    """The unsent prompts of one server, first come first sent.

    `apply` receives what happens to each, `refused` each batch that the server would not have, `tell` what the user
    should know; `unsent` says whether the session still waits for a prompt to be sent, `previews` what kind it asks
    for, `cancel` calls one back, and `ready` waits a while until the server is known to be the right one, `evidence`
    says what its process is known to hold until it ends, `ledger` outlives ours. `connected_since` says whether a
    websocket that was open at a monotonic second is still answered on: then the server was not restarted since.
    """

    def __init__(
        self,
        apply: Apply,
        unsent: Callable[[str], bool],
        client_id: Callable[[Submission], str],
        previews: Callable[[Submission], str | None],
        refused: Refused,
        tell: Tell,
        cancel: Cancel,
        ready: Callable[[str], Awaitable[bool]],
        evidence: HeldNow,
        ledger: Ledger,
        *,
        connected_since: Callable[[float], Awaitable[bool]] = _never,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._apply = apply
        self._unsent = unsent
        self._client_id = client_id
        self._previews = previews
        self._refused = refused
        self._tell = tell
        self._cancel = cancel
        self._ready = ready
        self._evidence = evidence
        self._ledger = ledger
        self._connected_since = connected_since
        self._sleep = sleep
        self._submissions: dict[str, Submission] = {}
        self._filled = asyncio.Event()
        self._on_wire: str | None = None
        # Those whose answer is lost: they survive a fault of the service, which would else send them again.
        self._unconfirmed: dict[str, Unconfirmed] = {}
        self._unwanted: set[str] = set()
        self._failures = 0
        self._warned: str | None = None

    def add(self, submissions: Iterable[Submission], sent: Mapping[str, Unconfirmed] = NONE_UNCONFIRMED) -> None:
        """Queue prompts for sending; those in `sent` were, and their answer is lost."""
        self._submissions |= {submission.prompt_id: submission for submission in submissions}
        self._unconfirmed |= sent
        self._filled.set()

    def may_have_landed(self, prompt_id: str) -> bool:
        """Whether a prompt was sent and its answer lost."""
        return prompt_id in self._unconfirmed and prompt_id != self._on_wire

    def withdraw(self, prompt_id: str) -> None:
        """Have a prompt that was sent cancelled when it is found to have landed, and else not sent again."""
        self._unwanted.add(prompt_id)
        self._ledger.cancel_requested(prompt_id)

    def holds(self, prompt_id: str) -> bool:
        """Whether a prompt is here: not sent, on the wire, or with its answer lost."""
        return prompt_id in self._submissions

    def drop(self, prompt_id: str) -> bool:
        """Forget a prompt that was never sent; whether it was one."""
        return prompt_id not in self._unconfirmed and self._submissions.pop(prompt_id, None) is not None

    async def run(self, client: ComfyClient) -> None:
        """Send for ever; a refusal takes the rest of its batch along."""
        while True:
            while not self._submissions:
                self._filled.clear()
                await self._filled.wait()
            submission = next(iter(self._submissions.values()))
            if self._is_over(submission):
                self._done_with(submission)
            elif submission.prompt_id in self._unwanted and submission.prompt_id not in self._unconfirmed:
                self._call_off(submission)
            elif not await self._ready(submission.prompt_id):
                continue
            elif submission.prompt_id in self._unconfirmed:
                await self._settle(client, submission)
            else:
                await self._send(client, submission)

    async def _send(self, client: ComfyClient, submission: Submission) -> None:
        evidence = self._evidence()
        if not evidence:
            evidence = await last_log_line(client)
            if not evidence and not await self._lets_in(client, submission):
                return
            if not await self._ready(submission.prompt_id):
                return  # The link broke while the server was asked.
        if submission.prompt_id not in self._submissions:
            return  # It was dropped meanwhile.
        try:
            queued = await self._post(client, submission, evidence)
        except Rejected as error:
            self._refuse(submission, _failure(error))
        except Unreachable as error:
            self._unsend(submission)
            self._delay(submission, error)
            await self._sleep(LOOK_PAUSE)
        except ComfyError as error:
            # A login that is asked for proves nothing: a proxy may ask for it after the server took the prompt.
            self._failures += isinstance(error, ServerError) and error.status == 500
            self._delay(submission, error)
        else:
            self._warn(submission, queued)
            await self._found(submission, queued.prompt_id, queued.number)

    async def _lets_in(self, client: ComfyClient, submission: Submission) -> bool:
        """Whether the server answers a request just before a POST that would leave no evidence.

        Once refused for a login that ran out, such a POST could not be told from one that a restarted server forgot.
        """
        try:
            await client.queue_count()
        except ComfyError as error:
            self._delay(submission, error)
            await self._sleep(LOOK_PAUSE)
            return False
        return True

    def _delay(self, submission: Submission, error: ComfyError) -> None:
        """Say why a prompt is not on the server yet."""
        if isinstance(error, Unauthorized):
            self._apply(HttpFailed(str(error), LinkKind.UNAUTHORISED))
        self._apply(PromptDelayed(submission.prompt_id, str(error)))

    async def _post(self, client: ComfyClient, submission: Submission, evidence: Evidence) -> AcceptedPrompt:
        self._on_wire = submission.prompt_id
        self._unconfirmed[submission.prompt_id] = Unconfirmed(time.monotonic(), evidence)
        try:
            # On the disk before it is on the wire, so that not even a kill in between sends it twice.
            client_id = self._client_id(submission)
            await self._ledger.sending(submission.prompt_id, time.time(), client_id, evidence)
            return await client.submit(
                submission.graph,
                prompt_id=submission.prompt_id,
                client_id=client_id,
                marks=submission.marks,
                preview_method=self._previews(submission),
            )
        finally:
            self._on_wire = None

    async def _settle(self, client: ComfyClient, submission: Submission) -> None:
        """Look for a prompt whose answer was lost until it is found, or can no longer land."""
        begun, over = time.monotonic(), self._unconfirmed[submission.prompt_id].since + LANDING_TIME
        answered = 0
        # Two looks in a row: the first answer of a server that was held up may overtake what it still has to read.
        while answered < 2 or begun < over:
            await self._sleep(LOOK_PAUSE)
            if submission.prompt_id not in self._submissions or self._is_over(submission):
                return
            begun = time.monotonic()
            item, proves = await self._look(client, submission)
            answered = answered + 1 if proves else 0
            if item is not None:
                await self._found(submission, item.prompt_id, item.number)
                return
            if proves and not self._unsent(submission.prompt_id):
                self._done_with(submission)  # Another look had found it, and it is gone already.
                return
        await self._missing(client, submission)

    async def _look(self, client: ComfyClient, submission: Submission) -> tuple[QueueItem | None, bool]:
        """The prompt as the server has it, and whether its absence would prove something."""
        if not await self._ready(submission.prompt_id):
            return None, False
        try:
            item = await landed(client, submission)
        except ComfyError:
            return None, False
        there = await self._ready(submission.prompt_id)
        return item if there else None, there

    async def _found(self, submission: Submission, accepted_id: str, number: float) -> None:
        unwanted = submission.prompt_id in self._unwanted
        self._landed(submission, accepted_id, number)
        if unwanted:
            await self._cancel(accepted_id)

    async def _missing(self, client: ComfyClient, submission: Submission) -> None:
        """Let a prompt that never came be sent again; where that cannot be proved any more, it is lost.

        One that ended already is found, an unwanted one is called off, and one that does harm is refused.
        """
        try:
            item, history = await ended(client, submission)
            post = self._unconfirmed[submission.prompt_id]
            # Asked after the looks that did not find it: the process that they saw is the one that it was sent to.
            proven = await self._connected_since(post.since) or await is_same_process(post.evidence, history, client)
        except ComfyError:
            return
        if not await self._ready(submission.prompt_id):
            return  # It may have been the history of another box.
        if item is not None:
            await self._found(submission, item.prompt_id, item.number)
        elif self._failures >= FAILURES:
            self._refuse(
                submission, Failure(f"The server failed on it {self._failures} times: look at the server's log.")
            )
        elif proven or submission.prompt_id in self._unwanted:
            self._unsend(submission)
        else:
            await self._lose(client, submission)

    async def _lose(self, client: ComfyClient, submission: Submission) -> None:
        """End a prompt that may have run on a server which was restarted since: by its picture, or as lost."""
        finished = await picture_of(submission, client)
        if await self._ready(submission.prompt_id):
            self._done_with(submission)
            self._apply(HistorySnapshot(finished) if finished else PromptLost(submission.prompt_id))

    def _unsend(self, submission: Submission) -> None:
        """A prompt certainly did not land: it is to be sent, or called off if it is no longer wanted."""
        self._unconfirmed.pop(submission.prompt_id, None)
        self._ledger.unsent(submission.prompt_id)

    def _warn(self, submission: Submission, queued: AcceptedPrompt) -> None:
        """Tell once a batch what the server will leave out of its prompts."""
        if queued.node_errors and self._warned != submission.batch:
            self._warned = submission.batch
            first = queued.node_errors[0]
            node = f"{first.class_type or 'node'} {first.node_id}"
            self._tell(f"The server leaves out {node}: {first.message} {first.details}".strip(), "warning")

    def _landed(self, submission: Submission, accepted_id: str, number: float) -> None:
        self._done_with(submission)
        self._ledger.sent(submission.prompt_id, accepted_id, number)
        self._apply(PromptQueued(submission.prompt_id, accepted_id, number))

    def _refuse(self, submission: Submission, failure: Failure) -> None:
        for other in [other for other in self._submissions.values() if other.batch == submission.batch]:
            self._done_with(other)
            self._apply(PromptRejected(other.prompt_id, failure))
        self._refused(submission.batch, failure)

    def _call_off(self, submission: Submission) -> None:
        """End an unwanted prompt that the server does not have."""
        self._done_with(submission)
        self._apply(JobCancelled(submission.prompt_id))

    def _is_over(self, submission: Submission) -> bool:
        """Whether nothing is left to do for it; one that another look found is still to be cancelled if unwanted."""
        unwanted = submission.prompt_id in self._unwanted and submission.prompt_id in self._unconfirmed
        return not unwanted and not self._unsent(submission.prompt_id)

    def _done_with(self, submission: Submission) -> None:
        self._submissions.pop(submission.prompt_id, None)
        self._failures = 0
        self._unconfirmed.pop(submission.prompt_id, None)
        self._unwanted.discard(submission.prompt_id)


def _failure(error: Rejected) -> Failure:
    """The refusal, led by what is wrong with the first node: the sentence above it says only that something is."""
    if not error.node_errors:
        return Failure(str(error))
    first = error.node_errors[0]
    message = f"{first.message}: {first.details}" if first.details else first.message
    return Failure(message, first.node_id, first.class_type, node_errors=error.node_errors)
