"""The futures with which the service answers callers on any thread."""

import asyncio
from collections.abc import Awaitable
from concurrent.futures import Future
from contextlib import suppress
from threading import Lock
from typing import Any, TypeVar

from comfytui.comfy.errors import ComfyError

T = TypeVar("T")


class Answers:
    """The futures that callers wait for; none stays pending once the service has stopped.

    They stay pending, never running, until there is a result: they can be cancelled at any time.
    """

    def __init__(self) -> None:
        self._lock = Lock()
        self._pending: set[Future[Any]] = set()
        self._is_closed = False
        self._tasks: set[asyncio.Task[None]] = set()

    def new(self) -> Future[Any]:
        """Return a future; a cancelled one after `close`."""
        answer: Future[Any] = Future()
        with self._lock:
            is_closed = self._is_closed
            self._pending.add(answer)
        if is_closed:
            answer.cancel()
        answer.add_done_callback(self._discard)
        return answer

    def close(self) -> None:
        """Cancel every future that is pending, and those of later callers."""
        with self._lock:
            self._is_closed = True
            pending, self._pending = self._pending, set()
        for answer in pending:  # Without the lock: a callback may ask for something else.
            answer.cancel()

    def fulfil(self, answer: Future[T], work: Awaitable[T], *, report: bool = False, stops: bool = False) -> None:
        """Set a future to the result or error of some work, unless it is cancelled meanwhile; on the service's loop.

        Args:
            answer: The future.
            work: What to await.
            report: Whether the loop's exception handler gets errors other than the server's as well.
            stops: Whether the work is cancelled when the future is.
        """
        loop = asyncio.get_running_loop()
        task = loop.create_task(_fulfil(answer, work, report=report))
        self._tasks.add(task)  # The loop refers to it only weakly.
        task.add_done_callback(self._tasks.discard)

        def stop(answer: Future[T]) -> None:
            if answer.cancelled():
                with suppress(RuntimeError):  # The loop is closed, and the task with it.
                    loop.call_soon_threadsafe(task.cancel)

        if stops:
            answer.add_done_callback(stop)

    def _discard(self, answer: Future[Any]) -> None:
        with self._lock:
            self._pending.discard(answer)


async def _fulfil(answer: Future[T], work: Awaitable[T], *, report: bool) -> None:
    try:
        result = await work
    except asyncio.CancelledError:
        answer.cancel()
        raise
    except Exception as error:
        if answer.set_running_or_notify_cancel():
            answer.set_exception(error)
        if report and not isinstance(error, ComfyError):
            asyncio.get_running_loop().call_exception_handler({"message": str(error), "exception": error})
    else:
        if answer.set_running_or_notify_cancel():
            answer.set_result(result)
