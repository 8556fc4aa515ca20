"""Ends that are not to be cut short, or missed: what is half closed, or is told to end in vain, goes on for ever."""

import asyncio
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from typing import Any


async def to_the_end(work: Coroutine[Any, Any, object]) -> None:
    """Do something that takes little time, whole; being cancelled meanwhile, however often, counts when it is over."""
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


async def apart(work: Coroutine[Any, Any, None]) -> None:
    """Do something that holds a TaskGroup: in Python 3.11 that swallows a cancellation which comes while it ends."""
    task = asyncio.ensure_future(work)
    try:
        await asyncio.wait([task])
    except asyncio.CancelledError:
        task.cancel()
        await to_the_end(_over(task))
        raise
    task.result()


async def _over(task: asyncio.Future[None]) -> None:
    await asyncio.gather(task, return_exceptions=True)


@contextmanager
def suppress_group(kind: type[Exception]) -> Iterator[None]:
    """Let pass a group of nothing but errors of a kind."""
    try:
        yield
    except* kind:
        pass
