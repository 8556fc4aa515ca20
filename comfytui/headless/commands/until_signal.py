"""Runs a command until it is done, a signal asks it to end, or nobody reads its output."""

import asyncio
import os
import signal
import stat
import sys
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager, suppress
from typing import Any, TypeVar

from comfytui.headless.commands.interrupts import caught_interrupts

T = TypeVar("T")


async def until_signal(work: Coroutine[Any, Any, T]) -> T | signal.Signals:
    """Return the result of some work, or the signal that ended it: SIGPIPE if nobody reads standard output any more."""
    with caught_interrupts() as interrupts, _closed_pipe() as closed:
        working = asyncio.create_task(work)
        coming, unread = asyncio.create_task(interrupts.next()), asyncio.create_task(closed.wait())
        try:
            await asyncio.wait({working, coming, unread}, return_when=asyncio.FIRST_COMPLETED)
            if working.done():
                return working.result()
            return coming.result() if coming.done() else signal.SIGPIPE
        finally:
            for task in (working, coming, unread):
                task.cancel()
            await asyncio.wait({working})


@contextmanager
def _closed_pipe() -> Iterator[asyncio.Event]:
    """Give an event that is set once standard output is a pipe that nobody reads; a write would tell too late."""
    closed, loop = asyncio.Event(), asyncio.get_running_loop()
    descriptor = _pipe()
    if descriptor is None:
        yield closed
        return

    def is_readable() -> None:
        # The end to write to is never readable, but for the error that its reader is gone.
        loop.remove_reader(descriptor)
        closed.set()

    loop.add_reader(descriptor, is_readable)
    try:
        yield closed
    finally:
        loop.remove_reader(descriptor)


def _pipe() -> int | None:
    """Return the descriptor of standard output if that is a pipe."""
    with suppress(OSError, ValueError):
        if sys.stdout is not None and stat.S_ISFIFO(os.fstat(sys.stdout.fileno()).st_mode):
            return sys.stdout.fileno()
    return None
