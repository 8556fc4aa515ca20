"""A thread that runs calls one after another, for callers that cannot wait for a disk."""

from collections.abc import Callable
from concurrent.futures import Future, InvalidStateError
from contextlib import suppress
from queue import SimpleQueue
from threading import Thread
from typing import Any, TypeVar

T = TypeVar("T")


class SerialWorker:
    """A daemon thread with a queue of calls: a daemon, since a disk that hangs must not keep the process from ending.

    Args:
        name: The thread's name.
    """

    def __init__(self, name: str) -> None:
        self._calls: SimpleQueue[tuple[Callable[[], Any], Future[Any]] | None] = SimpleQueue()
        self._thread = Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def call(self, call: Callable[[], T]) -> Future[T]:
        """Queue a call; the future gets its result or its exception."""
        future: Future[T] = Future()
        self._calls.put((call, future))
        return future

    def end(self) -> None:
        """Let the thread end after the calls that are queued."""
        self._calls.put(None)

    def join(self, seconds: float) -> bool:
        """Wait up to `seconds` for the thread to end; return whether it did."""
        self._thread.join(seconds)
        return not self._thread.is_alive()

    def _run(self) -> None:
        while item := self._calls.get():
            call, future = item
            # A call runs even if its future was cancelled; only the result is dropped.
            with suppress(InvalidStateError):
                try:
                    future.set_result(call())
                except Exception as error:
                    future.set_exception(error)
