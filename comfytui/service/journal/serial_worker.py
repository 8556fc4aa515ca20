"""One thread that makes calls one after another, for callers that cannot wait for a disk."""

from collections.abc import Callable
from concurrent.futures import Future, InvalidStateError
from contextlib import suppress
from queue import SimpleQueue
from threading import Thread
from typing import Any, TypeVar

T = TypeVar("T")


class SerialWorker:
    """A thread of its own; a daemon, since a disk that hangs must not keep a process that wants to end."""

    def __init__(self, name: str) -> None:
        self._calls: SimpleQueue[tuple[Callable[[], Any], Future[Any]] | None] = SimpleQueue()
        self._thread = Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def call(self, call: Callable[[], T]) -> Future[T]:
        """Make a call after those before it."""
        future: Future[T] = Future()
        self._calls.put((call, future))
        return future

    def end(self) -> None:
        """Let the thread end after the calls before."""
        self._calls.put(None)

    def join(self, seconds: float) -> bool:
        """Wait for the thread's end, for so long; whether it came."""
        self._thread.join(seconds)
        return not self._thread.is_alive()

    def _run(self) -> None:
        while item := self._calls.get():
            call, future = item
            # Somebody who no longer waits does not take the call along.
            with suppress(InvalidStateError):
                try:
                    future.set_result(call())
                except Exception as error:
                    future.set_exception(error)
