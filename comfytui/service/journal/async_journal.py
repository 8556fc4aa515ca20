"""The journal for an event loop: calls run in order in a thread, and a failed one is reported once."""

import asyncio
import logging
import sqlite3
from asyncio import Future
from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import TypeVar
from uuid import uuid4

from comfytui.comfy.protocol.events import Output
from comfytui.sanitize import sanitize
from comfytui.service.journal.client_id_claims import Recognised
from comfytui.service.journal.journal import RECENT, Journal
from comfytui.service.journal.locks import Claim
from comfytui.service.journal.records import Endpoint, SavedBatch
from comfytui.service.journal.serial_worker import SerialWorker
from comfytui.service.submission.batch import Submission
from comfytui.session.model import Batch, Failure, JobStatus
from comfytui.timings import DEFAULT, JournalTimings
from comfytui.workflow.graph import Graph

T = TypeVar("T")
Notify = Callable[[str], object]
Write = Callable[[Journal], None]

log = logging.getLogger(__name__)


class AsyncJournal:
    """A `Journal` in a thread of its own, for one event loop; its methods are documented there.

    No call raises, and none blocks the loop. Calls run in the order in which they are made, awaited or not. Writes that
    come shortly after each other share a transaction, unless something is read in between. The future of a write says
    whether it is on the disk.

    Args:
        notify: Called on the loop with a message for the user: the journal's warning when it is opened, that entries
            are damaged, and the first call that failed.
        folder: The journal's folder; None for a journal in memory.
        timings: How long it waits for the disk, and for other processes.
    """

    def __init__(self, notify: Notify, folder: Path | None = None, timings: JournalTimings = DEFAULT.journal) -> None:
        self._timings = timings
        self._notify = notify
        self._folder = folder
        self._worker: SerialWorker | None = None
        self._journal: Journal | None = None
        self._has_failed = False
        self._group: list[tuple[Write, Future[bool]]] = []
        self._timer: asyncio.TimerHandle | None = None

    @property
    def is_durable(self) -> bool:
        """Whether what is written outlives the process: the journal is on the disk, and no call has failed."""
        return self._journal is not None and self._journal.folder is not None and not self._has_failed

    async def open(self) -> None:
        """Open the journal; a second call does nothing."""
        if self._worker is None:
            self._loop = asyncio.get_running_loop()
            self._worker = SerialWorker("comfytui journal")
            if warning := await self._call(self._open, None):
                self._notify(warning)

    async def close(self) -> bool:
        """Finish the queued calls, release every claim and close the file.

        Returns:
            Whether that was done in time.
        """
        self._start_group()
        worker, self._worker = self._worker, None
        if worker is None:
            return True
        closed = asyncio.wrap_future(worker.call(self._close))
        worker.end()
        done, _ = await asyncio.wait([closed], timeout=self._timings.close)
        return bool(done) and closed.exception() is None and worker.join(self._timings.close)

    async def fingerprint(self, server: str) -> str | None:
        """Return the fingerprint of the server that last answered at an address, or None."""
        return await self._read(lambda journal: journal.fingerprint(server), None)

    async def claim_ids(self, endpoint: Endpoint, *, fresh: bool = False) -> list[Claim]:
        """Claim the client ids to use, at least one."""
        return await self._read(lambda journal: journal.claim_ids(endpoint, fresh=fresh), []) or [Claim(uuid4().hex)]

    async def recognise(self, endpoint: Endpoint, seen: Collection[str]) -> Recognised:
        """Find out which of the client ids `seen` are mine, and claim the free ones that own unfinished prompts."""
        return await self._read(lambda journal: journal.recognise(endpoint, seen), Recognised([], [], []))

    async def restore(self, endpoint: Endpoint, client_ids: Collection[str], recent: int = RECENT) -> list[SavedBatch]:
        """Return the batches that a start shows, oldest first; notify the user if entries are damaged."""
        nothing: tuple[list[SavedBatch], int] = ([], 0)
        batches, damaged = await self._read(lambda journal: _restored(journal, endpoint, client_ids, recent), nothing)
        if damaged:
            entries = "1 entry" if damaged == 1 else f"{damaged} entries"
            which = f"{entries} of the journal cannot be read and {'is' if damaged == 1 else 'are'} left out"
            self._notify(f"{which}: all others are there.")
        return batches

    async def graph_of(self, prompt_id: str) -> Graph | None:
        """Return the graph of a prompt, or None if it is unknown or no longer stored."""
        return await self._read(lambda journal: journal.graph_of(prompt_id), None)

    async def flush(self) -> None:
        """Wait until all that was written before is on the disk, or has failed."""
        await self._read(lambda _: None, None)

    def assign_server(self, endpoint: Endpoint, client_ids: Collection[str]) -> Future[bool]:
        """Assign the batches that these ids submitted before any server answered to the server that answers now."""
        return self._write(lambda journal: journal.assign_server(endpoint, client_ids))

    def record_batch(
        self, endpoint: Endpoint, client_id: str, batch: Batch, submissions: Sequence[Submission]
    ) -> Future[bool]:
        """Record a batch that is about to be sent."""
        return self._write(lambda journal: journal.record_batch(endpoint, client_id, batch, submissions))

    def record_sending(self, prompt_id: str, wall: float, client_id: str, evidence: Sequence[str] = ()) -> Future[bool]:
        """Record that a POST is about to begin; to be awaited before it does."""
        return self._write(lambda journal: journal.record_sending(prompt_id, wall, client_id, evidence))

    def record_accepted(self, prompt_id: str, accepted_id: str, number: float) -> Future[bool]:
        """Record that the server accepted a prompt."""
        return self._write(lambda journal: journal.record_accepted(prompt_id, accepted_id, number))

    def record_not_accepted(self, prompt_id: str) -> Future[bool]:
        """Record that the server certainly did not accept a prompt."""
        return self._write(lambda journal: journal.record_not_accepted(prompt_id))

    def record_cancel_request(self, prompt_id: str) -> Future[bool]:
        """Record that an unconfirmed prompt is to be cancelled."""
        return self._write(lambda journal: journal.record_cancel_request(prompt_id))

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
        return self._write(
            lambda journal: journal.record_end(
                prompt_id, status, outputs=outputs, failure=failure, seconds=seconds, wall=wall
            )
        )

    def record_cancelled_for_owner(self, prompt_id: str, wall: float | None, *, lost: bool) -> Future[bool]:
        """Record that this process cancelled a prompt that another process owns, which may look for it already."""
        written = self._write(lambda journal: journal.record_cancelled_for_owner(prompt_id, wall, lost=lost))
        self._start_group()
        return written

    async def cancelled_among(self, prompt_ids: Collection[str]) -> list[str]:
        """Return the prompts among these that are recorded as cancelled, by this process or another."""
        return await self._read(lambda journal: journal.cancelled_among(prompt_ids), [])

    def record_reopened(self, prompt_id: str, status: JobStatus = JobStatus.QUEUED) -> Future[bool]:
        """Record that a LOST prompt has not ended."""
        return self._write(lambda journal: journal.record_reopened(prompt_id, status))

    def record_resent(self, prompt_ids: Collection[str]) -> Future[bool]:
        """Record that lost prompts are sent again under their ids."""
        return self._write(lambda journal: journal.record_resent(prompt_ids))

    def record_fingerprint(self, server: str, fingerprint: str) -> Future[bool]:
        """Record the fingerprint of the server that answers at an address."""
        return self._write(lambda journal: journal.record_fingerprint(server, fingerprint))

    def _open(self) -> str | None:
        self._journal = Journal.open(self._folder, lock_seconds=self._timings.lock)
        return self._journal.warning

    def _close(self) -> None:
        journal, self._journal = self._journal, None
        if journal is not None:
            journal.close()

    async def _read(self, read: Callable[[Journal], T], default: T) -> T:
        self._start_group()
        return await self._call(lambda: default if self._journal is None else read(self._journal), default)

    def _write(self, write: Write) -> Future[bool]:
        """Add a write to the group that is written next."""
        written: Future[bool] = asyncio.get_running_loop().create_future()
        if self._worker is None:
            written.set_result(False)
            return written
        self._group.append((write, written))
        if self._timer is None:
            self._timer = self._loop.call_later(self._timings.group, self._start_group)
        return written

    def _start_group(self) -> None:
        """Have the thread carry out the writes that wait."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if not self._group:
            return
        group, self._group = self._group, []
        writes = [write for write, _ in group]
        done = self._call(lambda: self._write_group(writes), [False] * len(writes))

        def tell(done: Future[list[bool]]) -> None:
            for (_, written), is_written in zip(group, done.result(), strict=True):
                if not written.done():
                    written.set_result(is_written)

        done.add_done_callback(tell)

    def _write_group(self, writes: Sequence[Write]) -> list[bool]:
        """On the thread: carry out writes in one transaction; if that fails, each in its own."""
        if len(writes) > 1 and self._journal is not None:
            with suppress(Exception):
                self._journal.write_together(writes)
                return [True] * len(writes)
        return [self._try(partial(self._written, write), False) for write in writes]

    def _written(self, write: Write) -> bool:
        if self._journal is None:
            return False
        write(self._journal)
        return True

    def _call(self, call: Callable[[], T], default: T) -> Future[T]:
        """Run a call on the thread; its future gets the result, or the default if the call fails or nothing is open."""
        if self._worker is None:
            nothing: Future[T] = asyncio.get_running_loop().create_future()
            nothing.set_result(default)
            return nothing
        # Shielded: a write is carried out even if the caller that awaits it is cancelled.
        return asyncio.shield(asyncio.wrap_future(self._worker.call(lambda: self._try(call, default))))

    def _try(self, call: Callable[[], T], default: T) -> T:
        """On the thread: return the call's result, or log and report its error and return the default."""
        try:
            return call()
        except Exception as error:
            level = logging.WARNING if isinstance(error, sqlite3.Error | OSError) else logging.ERROR
            log.log(level, "journal: %s", error, exc_info=error)
            with suppress(RuntimeError):  # the loop is closed
                self._loop.call_soon_threadsafe(self._report_failure, sanitize(str(error), 120))
            return default

    def _report_failure(self, why: str) -> None:
        if not self._has_failed:
            self._has_failed = True
            self._notify(
                f"The journal cannot be written ({why}): what happens from now on is forgotten when comfytui ends."
            )


def _restored(
    journal: Journal, endpoint: Endpoint, client_ids: Collection[str], recent: int
) -> tuple[list[SavedBatch], int]:
    """Return the restored batches, and how many damaged entries this restore left out."""
    before = journal.damaged
    return journal.restore(endpoint, client_ids, recent), journal.damaged - before
