"""Coroutines run to completion, and cancellations are not lost."""

import asyncio

import pytest

from comfytui.comfy.cancellation import run_in_task, run_to_completion


@pytest.mark.parametrize("turns", range(6))
async def test_a_cancellation_while_a_task_group_fails_is_not_lost(turns: int) -> None:
    release = asyncio.Event()
    closing = asyncio.Event()

    async def fails() -> None:
        raise ValueError

    async def exits_slowly() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            closing.set()
            await release.wait()

    async def work() -> None:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(exits_slowly())
            await asyncio.sleep(0)
            tasks.create_task(fails())

    running = asyncio.create_task(run_in_task(work()))
    await closing.wait()
    for _ in range(turns):
        await asyncio.sleep(0)
    running.cancel()
    release.set()
    await asyncio.wait([running])
    assert running.cancelled()


async def test_run_to_completion_finishes_however_often_it_is_cancelled() -> None:
    steps: list[int] = []

    async def close() -> None:
        for step in range(5):
            await asyncio.sleep(0)
            steps.append(step)

    closing = asyncio.create_task(run_to_completion(close()))
    for _ in range(3):
        await asyncio.sleep(0)
        closing.cancel()
    await asyncio.wait([closing])
    assert (steps, closing.cancelled()) == ([0, 1, 2, 3, 4], True)


@pytest.mark.parametrize("grace", [30.0, 0.01])
async def test_a_cancelled_task_has_a_grace_to_complete(grace: float) -> None:
    answer = asyncio.Event()
    answered: list[bool] = []

    async def work() -> None:
        try:
            await answer.wait()
        finally:
            answered.append(answer.is_set())

    running = asyncio.create_task(run_in_task(work(), grace=grace))
    await asyncio.sleep(0)
    for _ in range(2):
        running.cancel()
        await asyncio.sleep(0)
    if grace > 1:
        answer.set()
    await asyncio.wait([running])
    assert (answered, running.cancelled()) == ([grace > 1], True)


async def test_exceptions_are_passed_on() -> None:
    async def fails() -> None:
        raise ValueError

    with pytest.raises(ValueError, match=r"^$"):
        await run_to_completion(fails())
    with pytest.raises(ValueError, match=r"^$"):
        await run_in_task(fails())
