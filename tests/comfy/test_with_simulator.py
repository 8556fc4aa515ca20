"""Client and socket together, against the simulated server."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import aclosing
from typing import Any
from uuid import uuid4

import pytest

from comfytui.comfy.client import ComfyClient
from comfytui.comfy.errors import Rejected
from comfytui.comfy.protocol.events import (
    Event,
    Executing,
    ExecutionInterrupted,
    FeatureFlags,
    Logs,
    PreviewImage,
    Progress,
    ProgressState,
    Unknown,
)
from comfytui.comfy.server import Server
from comfytui.comfy.websocket.connection_events import Closed, Opened, PingRestored, PingTimedOut
from comfytui.comfy.websocket.event_stream import stream_events
from comfytui.sim.config import SimConfig
from comfytui.sim.server import SimServer
from comfytui.workflow.builtin import txt2img
from comfytui.workflow.fields import Field, Value
from comfytui.workflow.graph import apply_values

PNG = b"\x89PNG\r\n\x1a\n"
News = Event | Opened | Closed | PingTimedOut | PingRestored
Stream = AsyncGenerator[News, None]


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    async with SimServer(SimConfig(steps_per_second=100, load_seconds=0)) as sim:
        yield Server.from_url(sim.url)


def graph(steps: int = 3, model: str = "v1-5-pruned-emaonly.safetensors") -> dict[str, Any]:
    values: dict[Field, Value] = {
        Field.WIDTH: 64,
        Field.HEIGHT: 64,
        Field.STEPS: steps,
        Field.MODEL: model,
        Field.PROMPT: "a red fox",
    }
    return dict(apply_values(txt2img(), values))


async def until(stream: Stream, found: Callable[[News], bool]) -> list[News]:
    """What came, up to what was waited for."""
    heard = []
    async with asyncio.timeout(20):
        async for event in stream:
            heard.append(event)
            if found(event):
                break
    return heard


def ended(event: object) -> bool:
    return isinstance(event, Executing) and event.node is None


async def test_a_picture_from_its_prompt_to_its_bytes(server: Server) -> None:
    prompt_id, marks = str(uuid4()), {"batch": "b", "index": 1, "total": 1}
    async with ComfyClient(server) as client, aclosing(stream_events(server, "me")) as stream:
        await until(stream, lambda event: isinstance(event, FeatureFlags))
        queued = await client.submit(
            graph(), prompt_id=prompt_id, client_id="me", marks=marks, preview_method="latent2rgb"
        )
        heard = await until(stream, ended)
        entry = await client.history_entry(prompt_id)
        assert entry is not None
        pictures = [await client.view(output) for output in entry.outputs]
        light = await client.view(entry.outputs[0], preview="webp;50")
    assert queued.prompt_id == prompt_id
    assert [event.value for event in heard if isinstance(event, Progress)] == [1, 2, 3]
    assert all(event.prompt_id == prompt_id for event in heard if isinstance(event, PreviewImage | ProgressState))
    assert any(isinstance(event, PreviewImage) for event in heard)
    assert not any(isinstance(event, Unknown) for event in heard)
    assert (entry.outcome, entry.item.client_id, entry.item.marks) == ("success", "me", marks)
    assert pictures[0].startswith(PNG)
    assert light.startswith(b"RIFF")


async def test_no_previews_when_none_are_asked_for(server: Server) -> None:
    async with ComfyClient(server) as client, aclosing(stream_events(server, "me")) as stream:
        await until(stream, lambda event: isinstance(event, FeatureFlags))
        await client.submit(graph(), prompt_id=str(uuid4()), client_id="me", marks={}, preview_method="none")
        heard = await until(stream, ended)
    assert not any(isinstance(event, PreviewImage) for event in heard)


async def test_jobs_are_seen_and_cancelled_wherever_they_stand(server: Server) -> None:
    running, waiting, front = (str(uuid4()) for _ in range(3))
    async with ComfyClient(server) as client, aclosing(stream_events(server, "me")) as stream:
        await until(stream, lambda event: isinstance(event, FeatureFlags))
        await client.submit(graph(10_000), prompt_id=running, client_id="me", marks={})
        await until(stream, lambda event: isinstance(event, Progress))
        await client.submit(graph(), prompt_id=waiting, client_id="me", marks={})
        await client.submit(graph(), prompt_id=front, client_id="me", marks={}, front=True)
        queue = await client.queue()
        jobs, count = await client.jobs(), await client.queue_count()
        await client.delete([front])
        assert await client.cancel(waiting) is True
        assert await client.cancel(waiting) is False
        await client.interrupt(running)
        heard = await until(stream, ended)
        entry = await client.history_entry(running)
        assert await client.history_entry(waiting) is None
        assert await client.queue_count() == 0
        assert await client.job_graph(str(uuid4())) is None
        assert await client.log_timestamps() == tuple(sorted(await client.log_timestamps())) != ()
    assert [item.prompt_id for item in queue.running] == [running]
    assert [item.prompt_id for item in queue.pending] == [front, waiting]
    assert count == 3
    assert jobs is not None
    assert {job.prompt_id for job in jobs} == {running, waiting, front}
    assert [job.status for job in jobs if job.prompt_id == waiting] == ["pending"]
    assert any(isinstance(event, ExecutionInterrupted) for event in heard)
    assert entry is not None
    assert entry.outcome == "interrupted"


async def test_a_refused_prompt_points_at_its_input(server: Server) -> None:
    async with ComfyClient(server) as client:
        with pytest.raises(Rejected) as caught:
            await client.submit(graph(model="gone.safetensors"), prompt_id=str(uuid4()), client_id="me", marks={})
    assert [(error.node_id, error.input_name) for error in caught.value.node_errors] == [("4", "ckpt_name")]


async def test_what_the_box_is_and_has(server: Server) -> None:
    async with ComfyClient(server) as client:
        stats = await client.system_stats()
        assert stats.version == "0.33.0"
        assert 0 < stats.devices[0].vram_free <= stats.devices[0].vram_total
        assert "supports_preview_metadata" in await client.features()
        assert "v1-5-pruned-emaonly.safetensors" in await client.models("checkpoints")
        assert await client.models("no such folder") == ()
        assert "seed" in (await client.object_info("KSampler"))["KSampler"]["input"]["required"]
        assert await client.object_info("NoSuchNode") == {}
        assert await client.history(3) == ()
        await client.clear()


async def test_the_log_comes_over_the_socket_when_it_is_asked_for(server: Server) -> None:
    async with ComfyClient(server) as client, aclosing(stream_events(server, "me")) as stream:
        await until(stream, lambda event: isinstance(event, FeatureFlags))
        assert await client.subscribe_logs("me")
        await client.submit(graph(), prompt_id=str(uuid4()), client_id="another", marks={})
        heard = await until(stream, lambda event: isinstance(event, Logs) and any("3/3" in one for one in event.chunks))
    assert not any(isinstance(event, Progress) for event in heard)
