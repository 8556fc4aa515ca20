"""Resumes the batches of earlier starts, and finds out which jobs on the server are mine."""

import asyncio
from collections.abc import Callable, Sequence

from comfytui.clock import Clock
from comfytui.comfy.cancellation import run_to_completion
from comfytui.service.journal.records import SavedBatch, SavedPrompt
from comfytui.service.submission.batch import Submission
from comfytui.service.submission.client_ids import ClientIds
from comfytui.service.submission.outbox import Outbox
from comfytui.service.submission.undelivered import Unconfirmed
from comfytui.session.events import BatchPlanned, HistorySnapshot, PromptRejected, QueueSnapshot, SessionEvent
from comfytui.session.model import Failure, JobStatus
from comfytui.session.state import SessionState

NO_GRAPH = "Its workflow is damaged on disk, so it was not sent: make the image again."


def resume(
    saved: SavedBatch, apply: Callable[[SessionEvent], None], outbox: Outbox, clock: Clock
) -> dict[str, Submission]:
    """Resume a batch where it was left: show it, and send what is unsent.

    Returns:
        The submissions of the prompts that have not ended, by the id that the server knows them by.
    """
    apply(BatchPlanned(saved.batch, tuple(prompt.job() for prompt in saved.prompts)))
    unfinished = [prompt for prompt in saved.prompts if not prompt.status.ended]
    submissions = {prompt.key: submission for prompt in unfinished if (submission := prompt.submission())}
    unsent = [prompt for prompt in unfinished if prompt.status is JobStatus.SUBMITTING]
    for prompt in unsent:
        if prompt.key not in submissions:
            apply(PromptRejected(prompt.key, Failure(NO_GRAPH)))
    sendable = [prompt for prompt in unsent if prompt.key in submissions]
    unconfirmed = {each.key: post for each in sendable if (post := _unconfirmed_post(each, clock))}
    outbox.add([submissions[prompt.key] for prompt in sendable], unconfirmed)
    for prompt in sendable:
        if prompt.cancel_requested:
            outbox.undelivered.request_cancel(prompt.key)
    return submissions


def _unconfirmed_post(prompt: SavedPrompt, clock: Clock) -> Unconfirmed | None:
    """Return the POST of a prompt that has no answer, or None."""
    if prompt.sending_since is None:
        return None
    # If the clock was set back since, the POST counts as begun now: its search must not go on for as long.
    ago = max(clock.wall() - prompt.sending_since, 0.0)
    return Unconfirmed(clock.monotonic() - ago, prompt.evidence)


class Resumption:
    """Looks up in the journal every client id that jobs on the server have and that is not known as mine.

    Args:
        client_ids: The client ids in use.
        state: Returns the session's state.
        on_batches: Called with the batches that turn out to be mine.
        reread: Called if jobs that were shown as another client's are mine.
    """

    def __init__(
        self,
        client_ids: ClientIds,
        state: Callable[[], SessionState],
        on_batches: Callable[[Sequence[SavedBatch]], None],
        reread: Callable[[], None],
    ) -> None:
        self._client_ids = client_ids
        self._state = state
        self._on_batches = on_batches
        self._reread = reread
        self._looked_up: frozenset[str] = frozenset()
        self._requested = asyncio.Event()

    def request(self) -> None:
        """Request a lookup, also of batches whose client id no process holds any more."""
        self._requested.set()

    def observe(self, event: SessionEvent, state: SessionState) -> None:
        """Request a lookup if queue or history show jobs of a client id that was not looked up."""
        if isinstance(event, QueueSnapshot | HistorySnapshot) and not _other_owners(state) <= self._looked_up:
            self._requested.set()

    async def run(self, connect: Callable[[str], object]) -> None:
        """Look up what is requested until cancelled; `connect` is called with each client id that needs a socket."""
        while True:
            await self._requested.wait()
            self._requested.clear()
            held = self._client_ids.client_ids
            # A cancelled lookup is finished first: it may have claimed ids, and their batches have to be resumed.
            await run_to_completion(self._look_up())
            for client_id in self._client_ids.client_ids:
                if client_id not in held:
                    connect(client_id)

    async def _look_up(self) -> None:
        """Claim the client ids that no process holds, and resume their batches."""
        others, before = _other_owners(self._state()), self._client_ids.mine
        claimed, saved = await self._client_ids.recognise(others - self._looked_up)
        self._looked_up = others
        # A batch that is shown already may lack the jobs that only the journal has, if its id was claimed just now.
        batches = self._state().batches
        self._on_batches([each for each in saved if each.client_id in claimed or each.batch.id not in batches])
        if self._client_ids.mine != before:
            self._reread()


def _other_owners(state: SessionState) -> frozenset[str]:
    """Return the client ids of jobs that are not known as mine."""
    return frozenset(job.owner for job in state.jobs.values() if job.owner and not job.mine)
