"""Resumes the batches of earlier starts, and finds out which jobs on the server are mine."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import replace

from comfytui.comfy.cancellation import run_to_completion
from comfytui.service.journal.records import SavedBatch, SavedPrompt
from comfytui.service.submission.batch import NO_GRAPH, GraphStore
from comfytui.service.submission.client_ids import ClientIds
from comfytui.session.delivery import Delivery
from comfytui.session.events import BatchPlanned, HistorySnapshot, PromptRejected, QueueSnapshot, SessionEvent
from comfytui.session.model import JobStatus, Stamp
from comfytui.session.selectors import jobs_of
from comfytui.session.state import SessionState

HOLDER_PAUSE = 5.0
"""Seconds between two lookups while another running comfytui knows how jobs of mine ended."""


def resume(
    saved: SavedBatch,
    apply: Callable[[SessionEvent], None],
    state: Callable[[], SessionState],
    graphs: GraphStore,
    now: Stamp,
) -> None:
    """Resume a batch where it was left: show it, and keep what is to be sent of it, or may be sent again."""
    graphs.add(filter(None, (prompt.submission() for prompt in saved.prompts if not prompt.status.ended)))
    apply(BatchPlanned(replace(saved.batch, resumed=True), tuple(prompt.job(now) for prompt in saved.prompts)))
    jobs = jobs_of(state(), state().batches[saved.batch.id])
    graphs.drop_ended(jobs)
    for job in jobs:
        if job.delivery is not Delivery.ACCEPTED and graphs.submission_of(job) is None:
            apply(PromptRejected(job.prompt_id, NO_GRAPH))


class Resumption:
    """Looks up in the journal which client ids are mine, of unfinished prompts and of jobs that the server has.

    Args:
        client_ids: The client ids in use.
        state: Returns the session's state.
        on_batches: Called with the batches that turn out to be mine.
        on_ends: Called with what the journal has of the ends that only another comfytui knows.
        reread: Called if jobs that were shown as another client's are mine.
    """

    def __init__(
        self,
        client_ids: ClientIds,
        state: Callable[[], SessionState],
        on_batches: Callable[[Sequence[SavedBatch]], None],
        on_ends: Callable[[Sequence[SavedPrompt]], None],
        reread: Callable[[], None],
    ) -> None:
        self._client_ids = client_ids
        self._state = state
        self._on_batches = on_batches
        self._on_ends = on_ends
        self._reread = reread
        self._looked_up: frozenset[str] = frozenset()
        self._unknown_ends: frozenset[str] = frozenset()  # as of the last lookup
        self._requested = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()

    def request(self) -> None:
        """Request a lookup, also of batches whose client id no process holds any more."""
        self._idle.clear()
        self._requested.set()

    async def looked_up(self) -> None:
        """Wait until all lookups that were requested are done."""
        await self._idle.wait()

    def observe(self, event: SessionEvent, before: SessionState) -> None:
        """Note an event that changed the state from `before`.

        A lookup is requested if queue or history show jobs of a client id that was not looked up, or lack jobs of
        another comfytui, which may have ended, and when the server is back: that one may have submitted meanwhile.
        With it, client ids are released whose last job has ended.
        """
        state = self._state()
        if state.jobs is not before.jobs and self._settled():
            self.request()
        if not isinstance(event, QueueSnapshot | HistorySnapshot):
            return
        is_back = before.unobserved_since is not None and state.unobserved_since is None
        if is_back or not _other_owners(state) <= self._looked_up or not _unknown_ends(state) <= self._unknown_ends:
            self.request()

    async def run(self, connect: Callable[[str], object], disconnect: Callable[[str], Awaitable[object]]) -> None:
        """Look up what is requested, and release the client ids that are not needed any more, until cancelled.

        Args:
            connect: Called with each client id that needs a socket.
            disconnect: Closes the socket of a client id.
        """
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(HOLDER_PAUSE if self._waits_for_holder() else None):
                    await self._requested.wait()
            self._requested.clear()
            held = self._client_ids.client_ids
            # A cancelled lookup is finished first: it may have claimed ids, and their batches have to be resumed.
            await run_to_completion(self._look_up())
            for client_id in self._client_ids.client_ids:
                if client_id not in held:
                    connect(client_id)
            if not self._requested.is_set():
                self._idle.set()
            for client_id in await self._client_ids.unneeded(self._settled()):
                await disconnect(client_id)
                self._client_ids.release_one(client_id)

    def _waits_for_holder(self) -> bool:
        """Return whether another running comfytui has to tell how jobs of mine ended, or whether to resend them."""
        state = self._state()
        held = state.held_elsewhere
        is_lost = any(job.status is JobStatus.LOST and job.owner in held for job in state.jobs.values())
        return bool(held) and (is_lost or bool(_unknown_ends(state)))

    def _settled(self) -> tuple[str, ...]:
        """Return the client ids that are held for earlier batches of which nothing more is expected."""
        if not (earlier := self._client_ids.earlier):
            return ()
        needed = {job.owner for job in self._state().jobs.values() if job.mine and not job.settled}
        return tuple(client_id for client_id in earlier if client_id not in needed)

    async def _look_up(self) -> None:
        """Claim the client ids that no process holds, and resume their batches."""
        others, before = _other_owners(self._state()), self._client_ids.mine
        claimed, saved = await self._client_ids.recognise(others - self._looked_up)
        self._looked_up = others
        # A batch that is shown already may lack the jobs that only the journal has, if its id was claimed just now.
        batches = self._state().batches
        self._on_batches([each for each in saved if each.client_id in claimed or each.batch.id not in batches])
        if claimed or _other_owners(self._state()) & (self._client_ids.mine - before):
            self._reread()
        self._unknown_ends = _unknown_ends(self._state())
        self._on_ends(await self._client_ids.ended_of(self._unknown_ends))


def _other_owners(state: SessionState) -> frozenset[str]:
    """Return the client ids of jobs that are not known as mine."""
    return frozenset(job.owner for job in state.jobs.values() if job.owner and not job.mine)


def _unknown_ends(state: SessionState) -> frozenset[str]:
    """Return my batches that seem to have ended, and of which only the journal may have how, by their ids.

    A job may have come and gone between two polls; of one that seems lost, the comfytui that owns it decides.
    """
    unknown = set()
    for batch in state.batches.values():
        if not (batch.adopted or state.held_elsewhere):
            continue
        jobs = jobs_of(state, batch)
        held = any(job.owner in state.held_elsewhere for job in jobs)
        if not (batch.adopted or held) or not all(job.status.ended for job in jobs):
            continue
        if len(jobs) < batch.total or any(
            held and job.status is JobStatus.LOST and not job.loss_recorded for job in jobs
        ):
            unknown.add(batch.id)
    return frozenset(unknown)
