"""Batches of before: how they go on, and how jobs on the server are recognised as mine."""

import asyncio
from collections.abc import Callable, Sequence

from comfytui.comfy.cancellation import run_to_completion
from comfytui.service.journal.records import SavedBatch
from comfytui.service.submission.batch import Submission
from comfytui.service.submission.client_ids import ClientIds
from comfytui.service.submission.outbox import Outbox
from comfytui.service.submission.submission_lookup import unconfirmed_of
from comfytui.session.events import BatchPlanned, HistorySnapshot, PromptRejected, QueueSnapshot, SessionEvent
from comfytui.session.model import Failure, JobStatus
from comfytui.session.state import SessionState

NO_GRAPH = "Its workflow is damaged on disk, so it was not sent: make the image again."


def resume(saved: SavedBatch, apply: Callable[[SessionEvent], None], outbox: Outbox) -> dict[str, Submission]:
    """Go on with a batch of before where it was left; returns its prompts that are still to end."""
    apply(BatchPlanned(saved.batch, tuple(prompt.job() for prompt in saved.prompts)))
    left = [prompt for prompt in saved.prompts if not prompt.status.ended]
    submissions = {prompt.key: submission for prompt in left if (submission := prompt.submission())}
    unsent = [prompt for prompt in left if prompt.status is JobStatus.SUBMITTING]
    for prompt in unsent:
        if prompt.key not in submissions:
            apply(PromptRejected(prompt.key, Failure(NO_GRAPH)))
    there = [prompt for prompt in unsent if prompt.key in submissions]
    sent = {each.key: found for each in there if (found := unconfirmed_of(each))}
    outbox.add([submissions[prompt.key] for prompt in there], sent)
    for prompt in there:
        if prompt.cancel_requested:
            outbox.withdraw(prompt.key)
    return submissions


class Resumption:
    """Asks the journal about each client id that jobs on the server have and that is not known as mine.

    `known` gets the batches that turn out to be mine, `reread` is called where jobs that were shown as somebody else's
    are mine.
    """

    def __init__(
        self,
        tenancy: ClientIds,
        state: Callable[[], SessionState],
        known: Callable[[Sequence[SavedBatch]], None],
        reread: Callable[[], None],
    ) -> None:
        self._tenancy = tenancy
        self._state = state
        self._known = known
        self._reread = reread
        self._asked: frozenset[str] = frozenset()
        self._wanted = asyncio.Event()

    def want(self) -> None:
        """Ask soon, also for batches that nobody holds."""
        self._wanted.set()

    def forget(self) -> None:
        """Begin anew: another server is served."""
        self._asked = frozenset()

    def follow(self, event: SessionEvent, state: SessionState) -> None:
        """Ask if queue or history showed jobs of an id that was not asked about."""
        if isinstance(event, QueueSnapshot | HistorySnapshot) and not _others(state) <= self._asked:
            self._wanted.set()

    async def run(self, hold: Callable[[str], object]) -> None:
        """Ask for ever; `hold` gets the ids to hold a socket of from now on."""
        while True:
            await self._wanted.wait()
            self._wanted.clear()
            held = self._tenancy.client_ids
            # Cut short, it would leave ids that are held here and batches of theirs that nobody goes on with.
            await run_to_completion(self._ask())
            for client_id in self._tenancy.client_ids:
                if client_id not in held:
                    hold(client_id)

    async def _ask(self) -> None:
        """Take over what nobody holds, and go on with it."""
        others, before = _others(self._state()), self._tenancy.mine
        taken, saved = await self._tenancy.join(others - self._asked)
        self._asked = others
        # Some jobs of an id that was taken over may be shown already: the rest is in the journal alone.
        batches = self._state().batches
        self._known([each for each in saved if each.client_id in taken or each.batch.id not in batches])
        if self._tenancy.mine != before:
            self._reread()


def _others(state: SessionState) -> frozenset[str]:
    """The client ids of jobs that are not known as mine."""
    return frozenset(job.owner for job in state.jobs.values() if job.owner and not job.mine)
