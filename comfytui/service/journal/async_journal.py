"""The journal for an event loop."""

import asyncio
from asyncio import Future
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any
from uuid import uuid4

from comfytui.comfy.protocol.events import Output
from comfytui.service.journal.client_id_claims import Recognised
from comfytui.service.journal.journal import RECENT, Journal
from comfytui.service.journal.journal_thread import JournalThread, Notify
from comfytui.service.journal.locks import Claim
from comfytui.service.journal.prompt_history import UsedPrompt, used_negatives
from comfytui.service.journal.records import Endpoint, SavedBatch, SavedPrompt
from comfytui.service.submission.batch import Submission
from comfytui.session.delivery import NO_EVIDENCE, Evidence
from comfytui.session.model import Batch, Failure, JobStatus
from comfytui.timings import DEFAULT, JournalTimings
from comfytui.workflow.graph import Graph


class AsyncJournal:
    """A `Journal` in a thread of its own, for one event loop; its methods are documented there.

    No call raises, and none blocks the loop; their order is kept. The future of a write says whether it is on the disk.

    Args:
        notify: Called on the loop with a message for the user: the journal's warning when it is opened, that entries
            are damaged, and the first call that failed.
        folder: The journal's folder; None for a journal in memory.
        timings: How long it waits for the disk, and for other processes.
        read_only: Write and claim nothing, and restore no batch: all client ids of the journal belong to others.
    """

    def __init__(
        self,
        notify: Notify,
        folder: Path | None = None,
        timings: JournalTimings = DEFAULT.journal,
        *,
        read_only: bool = False,
    ) -> None:
        self._notify = notify
        self._read_only = read_only
        self._thread = JournalThread(notify, folder, timings, read_only=read_only)

    @property
    def is_durable(self) -> bool:
        """Whether what is written outlives the process: the journal is on the disk, and no call has failed."""
        return self._thread.is_durable

    async def open(self) -> None:
        """Open the journal; a second call does nothing."""
        await self._thread.open()

    async def close(self) -> bool:
        """Finish the queued calls, release every claim and close the file; return whether that was done in time."""
        return await self._thread.close()

    async def fingerprint(self, server: str) -> str | None:
        """Return the fingerprint of the server that last answered at an address, or None."""
        return await self._thread.read(lambda journal: journal.fingerprint(server), None)

    async def claim_ids(self, endpoint: Endpoint, *, fresh: bool = False) -> list[Claim]:
        """Claim the client ids to use, at least one."""
        nothing: list[Claim] = []
        if self._read_only:
            return [Claim(uuid4().hex)]
        claims = await self._thread.read(lambda journal: journal.claim_ids(endpoint, fresh=fresh), nothing)
        return claims or [Claim(uuid4().hex)]

    async def recognise(self, endpoint: Endpoint, seen: Collection[str]) -> Recognised:
        """Find out which of the client ids `seen` are mine, and claim the free ones that own unfinished prompts."""
        if self._read_only:
            none: list[str] = []
            mine = await self._thread.read(lambda journal: journal.owners_among(endpoint, seen), none)
            return Recognised(mine, mine, [])
        return await self._thread.read(lambda journal: journal.recognise(endpoint, seen), Recognised([], [], []))

    async def finished_among(self, client_ids: Collection[str]) -> list[str]:
        """Return the client ids among these that own no unfinished prompts, after all that was written before."""
        return await self._thread.read(lambda journal: journal.finished_among(client_ids), [])

    async def restore(self, endpoint: Endpoint, client_ids: Collection[str], recent: int = RECENT) -> list[SavedBatch]:
        """Return the batches that a start shows, oldest first; notify the user if entries are damaged."""
        nothing: tuple[list[SavedBatch], int] = ([], 0)
        if self._read_only:
            return []
        batches, damaged = await self._thread.read(
            lambda journal: _restored(journal, endpoint, client_ids, recent), nothing
        )
        if damaged:
            entries = "1 entry" if damaged == 1 else f"{damaged} entries"
            which = f"{entries} of the journal cannot be read and {'is' if damaged == 1 else 'are'} left out"
            self._notify(f"{which}: all others are there.")
        return batches

    async def graph_of(self, prompt_id: str) -> Graph | None:
        """Return the graph of a prompt, or None if it is unknown or no longer stored."""
        return await self._thread.read(lambda journal: journal.graph_of(prompt_id), None)

    async def submission_of(self, prompt_id: str) -> str | None:
        """Return the id of the submission that a prompt is of, or None if the prompt is unknown."""
        return await self._thread.read(lambda journal: journal.submission_of(prompt_id), None)

    async def used_prompts(self) -> list[UsedPrompt]:
        """Return the prompts of all my batches on any server, the one used last first."""
        nothing: list[UsedPrompt] = []
        return await self._thread.read(lambda journal: journal.used_prompts(), nothing)

    async def used_negatives(self) -> list[UsedPrompt]:
        """Return the negative prompts of my last batches on any server, the one used last first."""
        nothing: list[tuple[Any, ...]] = []
        rows = await self._thread.read(lambda journal: journal.batches_with_graphs(), nothing)
        return await asyncio.to_thread(used_negatives, rows)

    async def may_send(self, prompt_id: str) -> bool:
        """Wait until all that was written before is on the disk, or has failed, as before the POST of a prompt.

        Returns:
            Whether no process has cancelled the prompt.
        """
        return not await self.cancelled_among([prompt_id])

    def assign_server(self, endpoint: Endpoint, client_ids: Collection[str]) -> Future[bool]:
        """Assign the batches that these ids submitted before any server answered to the server that answers now."""
        return self._thread.write(lambda journal: journal.assign_server(endpoint, client_ids))

    def record_batch(
        self, endpoint: Endpoint, client_id: str, batch: Batch, submissions: Sequence[Submission]
    ) -> Future[bool]:
        """Record a batch that is about to be sent."""
        return self._thread.write(lambda journal: journal.record_batch(endpoint, client_id, batch, submissions))

    def record_sending(
        self, prompt_id: str, wall: float, client_id: str, evidence: Evidence = NO_EVIDENCE
    ) -> Future[bool]:
        """Record that a POST is about to begin; to be awaited before it does."""
        return self._thread.write(lambda journal: journal.record_sending(prompt_id, wall, client_id, evidence))

    def record_accepted(self, prompt_id: str, accepted_id: str, number: float) -> Future[bool]:
        """Record that the server accepted a prompt."""
        return self._thread.write(lambda journal: journal.record_accepted(prompt_id, accepted_id, number))

    def record_not_accepted(self, prompt_id: str) -> Future[bool]:
        """Record that the server certainly did not accept a prompt."""
        return self._thread.write(lambda journal: journal.record_not_accepted(prompt_id))

    def record_cancel_request(self, prompt_id: str) -> Future[bool]:
        """Record that an unconfirmed prompt is to be cancelled."""
        return self._thread.write(lambda journal: journal.record_cancel_request(prompt_id))

    def record_end(
        self,
        prompt_id: str,
        status: JobStatus,
        *,
        outputs: Sequence[Output] = (),
        failure: Failure | None = None,
        seconds: float | None = None,
        wall: float | None = None,
    ) -> Future[bool]:
        """Record how and when a prompt ended."""
        return self._thread.write(
            lambda journal: journal.record_end(
                prompt_id, status, outputs=outputs, failure=failure, seconds=seconds, wall=wall
            )
        )

    def record_cancelled_for_owner(self, prompt_id: str, wall: float | None, *, lost: bool) -> Future[bool]:
        """Record that this process cancelled a prompt that another process owns, which may look for it already."""
        written = self._thread.write(lambda journal: journal.record_cancelled_for_owner(prompt_id, wall, lost=lost))
        self._thread.start_group()
        return written

    async def cancelled_among(self, prompt_ids: Collection[str]) -> list[str]:
        """Return the prompts among these that are recorded as cancelled, by this process or another."""
        return await self._thread.read(lambda journal: journal.cancelled_among(prompt_ids), [])

    async def cancel_unsent(self, batch: str, wall: float) -> list[str]:
        """Cancel the prompts of a batch whose POST has not begun, whoever owns it; return their ids."""
        return await self._thread.read(lambda journal: journal.cancel_unsent(batch, wall), [])

    async def unfinished_of(self, batch: str) -> list[str]:
        """Return the prompts of a batch that have not ended, by the ids that the server knows."""
        return await self._thread.read(lambda journal: journal.unfinished_of(batch), [])

    async def ended_of(self, endpoint: Endpoint, ids: Collection[str]) -> list[SavedPrompt]:
        """Return the ended prompts of the batches of an endpoint with these ids, or with a prompt of such an id."""
        return await self._thread.read(lambda journal: journal.ended_of(endpoint, ids), [])

    def record_reopened(self, prompt_id: str, status: JobStatus = JobStatus.QUEUED) -> Future[bool]:
        """Record that a LOST prompt has not ended."""
        return self._thread.write(lambda journal: journal.record_reopened(prompt_id, status))

    def record_resent(self, prompt_ids: Collection[str]) -> Future[bool]:
        """Record that lost prompts are sent again under their ids."""
        return self._thread.write(lambda journal: journal.record_resent(prompt_ids))

    def record_fingerprint(self, server: str, fingerprint: str) -> Future[bool]:
        """Record the fingerprint of the server that answers at an address."""
        return self._thread.write(lambda journal: journal.record_fingerprint(server, fingerprint))


def _restored(
    journal: Journal, endpoint: Endpoint, client_ids: Collection[str], recent: int
) -> tuple[list[SavedBatch], int]:
    """Return the restored batches, and how many damaged entries this restore left out."""
    before = journal.damaged
    return journal.restore(endpoint, client_ids, recent), journal.damaged - before
