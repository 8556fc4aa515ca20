"""The signals that ask a command to end, taken in the event loop, and the question that one of them leads to."""

import asyncio
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Interrupts:
    """The signals that came, in order; made by `caught_interrupts`."""

    def __init__(self) -> None:
        self._came: asyncio.Queue[signal.Signals] = asyncio.Queue()

    def add(self, number: signal.Signals) -> None:
        """Note a signal."""
        self._came.put_nowait(number)

    async def next(self) -> signal.Signals:
        """Wait for the next signal."""
        return await self._came.get()

    async def answer(self) -> str | signal.Signals:
        """Wait for a line from the terminal, or for the next signal; the line is empty at the end of the input."""
        loop, typed = asyncio.get_running_loop(), asyncio.Event()
        interrupted = asyncio.create_task(self.next())
        typing = asyncio.create_task(typed.wait())
        descriptor = sys.stdin.fileno()
        loop.add_reader(descriptor, typed.set)
        try:
            await asyncio.wait({interrupted, typing}, return_when=asyncio.FIRST_COMPLETED)
            if interrupted.done():
                return interrupted.result()
            with suppress(OSError):
                return os.read(descriptor, 1_024).decode(errors="replace").strip()
            return ""
        finally:
            loop.remove_reader(descriptor)
            interrupted.cancel()
            typing.cancel()


@contextmanager
def caught_interrupts() -> Iterator[Interrupts]:
    """Take the signals that ask to end as long as the context lasts, but for those that the parent had ignored.

    A shell ignores SIGINT for what runs in its background, and `nohup` ignores SIGHUP.
    """
    interrupts, loop = Interrupts(), asyncio.get_running_loop()
    caught = [number for number in SIGNALS if signal.getsignal(number) is not signal.SIG_IGN]
    for number in caught:
        loop.add_signal_handler(number, interrupts.add, number)
    try:
        yield interrupts
    finally:
        for number in caught:
            loop.remove_signal_handler(number)


def can_ask() -> bool:
    """Return whether a user can be asked: this process has the terminal, and may read from it."""
    if sys.stdin is None or sys.stderr is None or not (sys.stdin.isatty() and sys.stderr.isatty()):
        return False
    with suppress(OSError):
        return os.tcgetpgrp(sys.stdin.fileno()) == os.getpgrp()
    return False
