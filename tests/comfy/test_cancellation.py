"""Ends are neither cut short nor missed."""

import asyncio

import pytest

from comfytui.comfy.cancellation import run_in_task, run_to_completion


@pytest.mark.parametrize("turns", range(6))
async def test_an_end_that_comes_while_a_group_of_tasks_breaks_is_heard(turns: int) -> None:
    let_go = asyncio.Event()
    closing = asyncio.Event()

    async def breaks() -> None:
        raise ValueError

    async def ends_slowly() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            closing.set()
            await let_go.wait()

    async def work() -> None:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(ends_slowly())
            await asyncio.sleep(0)
            tasks.create_task(breaks())

    serving = asyncio.create_task(run_in_task(work()))
    await closing.wait()
    for _ in range(turns):
        await asyncio.sleep(0)
    serving.cancel()
    let_go.set()
    await asyncio.wait([serving])
    assert serving.cancelled()


async def test_what_is_done_to_the_end_is_whole_however_often_it_is_cancelled() -> None:
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


async def test_a_fault_comes_out_of_either() -> None:
    async def breaks() -> None:
        raise ValueError

    with pytest.raises(ValueError, match=r"^$"):
        await run_to_completion(breaks())
    with pytest.raises(ValueError, match=r"^$"):
        await run_in_task(breaks())
