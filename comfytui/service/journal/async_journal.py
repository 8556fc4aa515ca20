"""The journal for a loop that must not wait for a disk: calls keep their order, and a failed one is told once."""

import asyncio
import logging
import sqlite3
from asyncio import Future
from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TypeVar
from uuid import uuid4

from comfytui.comfy.protocol.events import Output
from comfytui.sanitize import sanitize
from comfytui.service.journal.journal import RECENT, Joined, Journal
from comfytui.service.journal.locks import Claim
from comfytui.service.journal.records import Endpoint, SavedBatch
from comfytui.service.journal.serial_worker import SerialWorker
from comfytui.service.submission.batch import Submission
from comfytui.session.model import Batch, Failure, JobStatus
from comfytui.workflow.graph import Graph

T = TypeVar("T")
Tell = Callable[[str], object]

CLOSE_PATIENCE = 1.0
"""Seconds that closing waits for the disk."""

log = logging.getLogger(__name__)


class AsyncJournal:
    """A `Journal` in a thread of its own, for one loop; no call raises, and none stops the service.

    Calls are carried out in the order in which they are made, whether or not they are awaited; a write's future says
    whether the disk has it. `tell` is called on the loop: with the journal's notice when that is opened, and with one
    sentence for the first call that failed.
    """

    def __init__(self, tell: Tell, folder: Path | None = None) -> None:
        self._tell = tell
        self._folder = folder
        self._aside: SerialWorker | None = None
        self._journal: Journal | None = None
        self._told = False

    @property
    def is_durable(self) -> bool:
        """Whether what is written outlives the process: it is on the disk, and no write has failed."""
        return self._journal is not None and self._journal.folder is not None and not self._told

    async def open(self) -> None:
        """Open the journal; a second time does nothing."""
        if self._aside is None:
            self._loop = asyncio.get_running_loop()
            self._aside = SerialWorker("comfytui journal")
            if notice := await self._ask(self._open, None):
                self._tell(notice)

    async def close(self) -> bool:
        """Write what is left, release every claim and let go of the file; whether the disk took it in time."""
        aside, self._aside = self._aside, None
        if aside is None:
            return True
        closed = asyncio.wrap_future(aside.call(self._close))
        aside.end()
        done, _ = await asyncio.wait([closed], timeout=CLOSE_PATIENCE)
        return bool(done) and closed.exception() is None and aside.join(CLOSE_PATIENCE)

    async def fingerprint(self, server: str) -> str | None:
        """What told the box of a server from others when it was last seen."""
        return await self._read(lambda journal: journal.fingerprint(server), None)

    async def claims(self, endpoint: Endpoint, *, fresh: bool = False) -> list[Claim]:
        """The ids to serve, at least one."""
        return await self._read(lambda journal: journal.claims(endpoint, fresh=fresh), []) or [Claim(uuid4().hex)]

    async def join(self, endpoint: Endpoint, seen: Collection[str]) -> Joined:
        """Take over what nobody holds where jobs of the client ids `seen` were found."""
        return await self._read(lambda journal: journal.join(endpoint, seen), Joined([], [], []))

    async def restore(self, endpoint: Endpoint, client_ids: Collection[str], recent: int = RECENT) -> list[SavedBatch]:
        """Unfinished batches of these ids, and the last ended ones, oldest first; tells if entries were damaged."""
        nothing: tuple[list[SavedBatch], int] = ([], 0)
        batches, damaged = await self._read(lambda journal: _restored(journal, endpoint, client_ids, recent), nothing)
        if damaged:
            entries = "1 entry" if damaged == 1 else f"{damaged} entries"
            which = f"{entries} of the journal cannot be read and {'is' if damaged == 1 else 'are'} left out"
            self._tell(f"{which}: all others are there.")
        return batches

    async def graph_of(self, prompt_id: str) -> Graph | None:
        """The graph of a prompt, to send it again."""
        return await self._read(lambda journal: journal.graph_of(prompt_id), None)

    def settle(self, endpoint: Endpoint, client_ids: Collection[str]) -> Future[bool]:
        """Give what was ordered here before any server answered to the server that answers now."""
        return self._write(lambda journal: journal.settle(endpoint, client_ids))

    def plan(self, endpoint: Endpoint, client_id: str, batch: Batch, submissions: Sequence[Submission]) -> Future[bool]:
        """Keep a batch before its first prompt is sent."""
        return self._write(lambda journal: journal.plan(endpoint, client_id, batch, submissions))

    def sending(self, prompt_id: str, wall: float, client_id: str, witnesses: Sequence[str] = ()) -> Future[bool]:
        """Keep that a POST is about to begin, under which id; to be awaited before it does."""
        return self._write(lambda journal: journal.sending(prompt_id, wall, client_id, witnesses))

    def sent(self, prompt_id: str, accepted_id: str, number: float) -> Future[bool]:
        """Keep that the server took a prompt."""
        return self._write(lambda journal: journal.sent(prompt_id, accepted_id, number))

    def unsent(self, prompt_id: str) -> Future[bool]:
        """Keep that a POST certainly did not land."""
        return self._write(lambda journal: journal.unsent(prompt_id))

    def unwanted(self, prompt_id: str) -> Future[bool]:
        """Keep that a prompt that may have landed is to be cancelled."""
        return self._write(lambda journal: journal.unwanted(prompt_id))

    def ended(
        self,
        prompt_id: str,
        status: JobStatus,
        *,
        outputs: Sequence[Output] = (),
        failure: Failure | None = None,
        seconds: float | None = None,
        wall: float | None = None,
    ) -> Future[bool]:
        """Keep how and when a prompt ended."""
        return self._write(
            lambda journal: journal.ended(
                prompt_id, status, outputs=outputs, failure=failure, seconds=seconds, wall=wall
            )
        )

    def cancelled_for(self, prompt_id: str, wall: float | None, *, lost: bool) -> Future[bool]:
        """Keep that a prompt was cancelled here which another comfytui sends."""
        return self._write(lambda journal: journal.cancelled_for(prompt_id, wall, lost=lost))

    async def cancelled_among(self, prompt_ids: Collection[str]) -> list[str]:
        """Those of these prompts that are known to be cancelled, be it by another comfytui."""
        return await self._read(lambda journal: journal.cancelled_among(prompt_ids), [])

    def reopened(self, prompt_id: str, status: JobStatus = JobStatus.QUEUED) -> Future[bool]:
        """Keep that a prompt that was taken for ended is not."""
        return self._write(lambda journal: journal.reopened(prompt_id, status))

    def resent(self, prompt_ids: Collection[str]) -> Future[bool]:
        """Keep that prompts which the server forgot are sent once more under their ids."""
        return self._write(lambda journal: journal.resent(prompt_ids))

    def remember_fingerprint(self, server: str, fingerprint: str) -> Future[bool]:
        """Keep what tells the box of a server from others."""
        return self._write(lambda journal: journal.remember_fingerprint(server, fingerprint))

    def _open(self) -> str | None:
        self._journal = Journal.open(self._folder)
        return self._journal.notice

    def _close(self) -> None:
        journal, self._journal = self._journal, None
        if journal is not None:
            journal.close()

    async def _read(self, call: Callable[[Journal], T], default: T) -> T:
        return await self._ask(lambda: default if self._journal is None else call(self._journal), default)

    def _write(self, call: Callable[[Journal], None]) -> Future[bool]:
        return self._ask(lambda: self._done(call), False)

    def _done(self, call: Callable[[Journal], None]) -> bool:
        if self._journal is None:
            return False
        call(self._journal)
        return True

    def _ask(self, call: Callable[[], T], default: T) -> Future[T]:
        if self._aside is None:
            nothing: Future[T] = asyncio.get_running_loop().create_future()
            nothing.set_result(default)
            return nothing
        # A caller that is cancelled does not take the write along: it was ordered.
        return asyncio.shield(asyncio.wrap_future(self._aside.call(lambda: self._tried(call, default))))

    def _tried(self, call: Callable[[], T], default: T) -> T:
        """On the thread: the call's result, or the default where it fails."""
        try:
            return call()
        except Exception as error:
            level = logging.WARNING if isinstance(error, sqlite3.Error | OSError) else logging.ERROR
            log.log(level, "journal: %s", error, exc_info=error)
            with suppress(RuntimeError):  # the loop is gone
                self._loop.call_soon_threadsafe(self._failed, sanitize(str(error), 120))
            return default

    def _failed(self, why: str) -> None:
        if not self._told:
            self._told = True
            self._tell(
                f"The journal cannot be written ({why}): what happens from now on is forgotten when comfytui ends."
            )


def _restored(
    journal: Journal, endpoint: Endpoint, client_ids: Collection[str], recent: int
) -> tuple[list[SavedBatch], int]:
    """The batches, and how many entries are damaged that were not before."""
    before = journal.damaged
    return journal.restore(endpoint, client_ids, recent), journal.damaged - before
