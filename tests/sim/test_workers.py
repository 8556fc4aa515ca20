"""Several workers run several prompts of one queue at once; each keeps its own steps, interrupt and results."""

import asyncio
from dataclasses import replace
from typing import Any

import pytest
from websockets.asyncio.client import ClientConnection

from comfytui.sim.config import SimConfig
from tests.sim.client import FAST, Client, client, events
from tests.sim.gate import Gate
from tests.sim.graphs import text_to_image
from tests.waiting import eventually

THREE = SimConfig(steps_per_second=50, load_seconds=0, workers=3)
ENDLESS = 10_000


async def submit(it: Client, count: int, steps: int, client_id: str = "me") -> list[str]:
    """Submit prompts that the cache cannot serve, and return their ids."""
    return [await it.submit(text_to_image(steps=steps, seed=seed), client_id=client_id) for seed in range(count)]


async def frames_of(socket: ClientConnection, runs: int) -> list[Any]:
    """Return the frames up to the end of so many runs."""
    frames: list[Any] = []
    while sum(frame["type"] == "executing" and frame["data"]["node"] is None for frame in frames) < runs:
        frames += await events(socket, "executing")
    return frames


async def running(it: Client) -> list[str]:
    return [item[1] for item in (await it.get("/queue"))["queue_running"]]


async def test_as_many_prompts_run_as_there_are_workers_and_the_rest_wait_in_order() -> None:
    async with client(THREE) as it:
        ids = await submit(it, 5, ENDLESS)
        await eventually(lambda: len(it.server.queue.running) == 3, "three runs")
        queue = await it.get("/queue")
        assert [item[1] for item in queue["queue_running"]] == ids[:3]
        assert [item[1] for item in queue["queue_pending"]] == ids[3:]
        assert await it.get("/prompt") == {"exec_info": {"queue_remaining": 5}}
        in_progress = (await it.get("/api/jobs", status="in_progress"))["jobs"]
        assert {job["id"] for job in in_progress} == set(ids[:3])


async def test_the_frames_of_prompts_that_run_at_once_are_interleaved_and_each_says_whose_it_is() -> None:
    async with client(THREE, Gate()) as it:
        gate = it.server.machine.clock
        assert isinstance(gate, Gate)
        async with it.socket("me") as socket:
            reading = asyncio.create_task(frames_of(socket, runs=3))
            ids = await submit(it, 3, steps=4)
            await gate.let_all()
            frames = await reading
        steps = [
            (frame["data"]["prompt_id"], frame["data"]["value"]) for frame in frames if frame["type"] == "progress"
        ]
        for prompt_id in ids:
            assert [value for of, value in steps if of == prompt_id] == [1, 2, 3, 4]
        assert len({of for of, _ in steps[:6]}) > 1


@pytest.mark.parametrize("path", ["/interrupt", "/api/jobs/{}/cancel"])
async def test_an_interrupt_of_one_prompt_leaves_the_others_running(path: str) -> None:
    async with client(THREE) as it:
        ids = await submit(it, 3, ENDLESS)
        await eventually(lambda: len(it.server.queue.running) == 3, "three runs")
        await it.http.post(path.format(ids[1]), json={"prompt_id": ids[1]})
        entry = await it.ended(ids[1])
        assert [name for name, _ in entry["status"]["messages"]][-1] == "execution_interrupted"
        assert await running(it) == [ids[0], ids[2]]


async def test_a_global_interrupt_ends_all_that_run_and_nothing_else() -> None:
    async with client(THREE) as it:
        ids = await submit(it, 4, ENDLESS)
        await eventually(lambda: len(it.server.queue.running) == 3, "three runs")
        await it.http.post("/interrupt")
        for prompt_id in ids[:3]:
            assert (await it.ended(prompt_id))["status"]["status_str"] == "error"
        await eventually(lambda: it.server.queue.is_running(ids[3]), "the fourth run")


async def test_the_history_is_in_the_order_of_the_ends() -> None:
    async with client(THREE) as it:
        long = await it.submit(text_to_image(steps=ENDLESS, seed=1), client_id="me")
        await eventually(lambda: it.server.queue.running, "the long run")
        short = await it.submit(text_to_image(steps=1, seed=2), client_id="me")
        await it.ended(short)
        await it.http.post("/interrupt", json={"prompt_id": long})
        await it.ended(long)
        assert list(await it.get("/history")) == [short, long]


async def test_memory_is_freed_once_nothing_runs() -> None:
    async with client(replace(THREE, checkpoints=FAST.checkpoints)) as it:
        (long,) = await submit(it, 1, ENDLESS)
        await eventually(lambda: it.server.machine.memory.activations, "its first step")
        await it.http.post("/free", json={"unload_models": True})
        await it.run(text_to_image(steps=1, seed=2))
        assert it.server.machine.memory.loaded_parts
        await it.http.post("/interrupt", json={"prompt_id": long})
        await eventually(lambda: not it.server.machine.memory.loaded_parts, "the models to go")
        assert it.server.machine.memory.activations == {}
