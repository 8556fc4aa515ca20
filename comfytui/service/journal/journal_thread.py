"""The thread that a journal lives in: reads, and writes in groups, run in order, and a failed one is reported once."""

import asyncio
import logging
import sqlite3
from asyncio import Future
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import TypeVar

from comfytui.sanitize import sanitize
from comfytui.service.journal.database import FILE
from comfytui.service.journal.journal import Journal
from comfytui.service.journal.serial_worker import SerialWorker
from comfytui.timings import JournalTimings

T = TypeVar("T")
Notify = Callable[[str], object]
Write = Callable[[Journal], None]

log = logging.getLogger(__name__)


class JournalThread:
    """Runs calls of a journal in a thread, for one event loop.

    Calls run in the order in which they are made, awaited or not. Writes that come shortly after each other share a
    transaction, unless something is read in between.

    Args:
        notify: Called on the loop with a message for the user: the journal's warning when it is opened, and the first
            call that failed.
        folder: The journal's folder; None for a journal in memory.
        timings: How long it waits for the disk, and for other processes.
        read_only: Carry out no write, and create no file.
    """

    def __init__(
        self, notify: Notify, folder: Path | None, timings: JournalTimings, *, read_only: bool = False
    ) -> None:
        self._read_only = read_only
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
        self.start_group()
        worker, self._worker = self._worker, None
        if worker is None:
            return True
        closed = asyncio.wrap_future(worker.call(self._close))
        worker.end()
        done, _ = await asyncio.wait([closed], timeout=self._timings.close)
        return bool(done) and closed.exception() is None and worker.join(self._timings.close)

    async def read(self, read: Callable[[Journal], T], default: T) -> T:
        """Return what a call returns, after the writes that were given before; the default if it fails."""
        self.start_group()
        return await self._call(lambda: default if self._journal is None else read(self._journal), default)

    def write(self, write: Write) -> Future[bool]:
        """Add a write to the group that is written next; its future says whether it is on the disk."""
        written: Future[bool] = asyncio.get_running_loop().create_future()
        if self._worker is None or self._read_only:
            written.set_result(False)
            return written
        self._group.append((write, written))
        if self._timer is None:
            self._timer = self._loop.call_later(self._timings.group, self.start_group)
        return written

    def start_group(self) -> None:
        """Have the thread carry out the writes that wait now."""
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

    def _open(self) -> str | None:
        exists = self._folder is not None and (self._folder / FILE).exists()
        self._journal = Journal.open(self._folder if exists or not self._read_only else None, timings=self._timings)
        return self._journal.warning

    def _close(self) -> None:
        journal, self._journal = self._journal, None
        if journal is not None:
            journal.close()

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
