"""Coroutines that must not be cancelled half-way, and cancellations that must not be lost."""

import asyncio
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

T = TypeVar("T")


async def run_to_completion(work: Coroutine[Any, Any, object]) -> None:
    """Run a short coroutine to completion even if cancelled meanwhile, and raise the cancellation afterwards."""
    task = asyncio.ensure_future(work)
    cancelled: asyncio.CancelledError | None = None
    while not task.done():
        try:
            await asyncio.wait([task])
        except asyncio.CancelledError as error:
            cancelled = error
    task.result()
    if cancelled is not None:
        raise cancelled


async def run_in_task(work: Coroutine[Any, Any, T], *, grace: float = 0.0) -> T:
    """Run a coroutine in a task of its own, and return its result.

    Cancelling a coroutine that holds a TaskGroup then always takes effect: in Python 3.11 a TaskGroup swallows a
    cancellation that arrives while it exits.

    Args:
        work: The coroutine.
        grace: Seconds that it has to complete after a cancellation, which is raised afterwards in any case.
    """
    task = asyncio.ensure_future(work)
    try:
        await asyncio.wait([task])
    except asyncio.CancelledError:
        await run_to_completion(_end(task, grace))
        raise
    return task.result()


async def _end(task: asyncio.Future[Any], grace: float) -> None:
    if grace:
        await asyncio.wait([task], timeout=grace)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


@contextmanager
def suppress_group(kind: type[Exception]) -> Iterator[None]:
    """Suppress an exception group that holds only exceptions of one kind."""
    try:
        yield
    except* kind:
        pass
