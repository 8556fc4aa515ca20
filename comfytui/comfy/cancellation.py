"""Coroutines that must not be cancelled half-way, and cancellations that must not be lost."""

import asyncio
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from typing import Any


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


async def run_in_task(work: Coroutine[Any, Any, None]) -> None:
    """Run a coroutine that holds a TaskGroup in a task of its own, so that cancelling it always takes effect.

    In Python 3.11 a TaskGroup swallows a cancellation that arrives while it exits.
    """
    task = asyncio.ensure_future(work)
    try:
        await asyncio.wait([task])
    except asyncio.CancelledError:
        task.cancel()
        await run_to_completion(_wait_for(task))
        raise
    task.result()


async def _wait_for(task: asyncio.Future[None]) -> None:
    await asyncio.gather(task, return_exceptions=True)


@contextmanager
def suppress_group(kind: type[Exception]) -> Iterator[None]:
    """Suppress an exception group that holds only exceptions of one kind."""
    try:
        yield
    except* kind:
        pass
