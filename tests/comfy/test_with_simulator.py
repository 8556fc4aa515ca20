"""Client and event stream together, against the simulated server."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import aclosing
from typing import Any
from uuid import uuid4

import httpx
import pytest

from comfytui.comfy.client import ComfyClient
from comfytui.comfy.errors import PromptRefused
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
from comfytui.comfy.websocket.connection_events import ConnectionEvent
from comfytui.comfy.websocket.event_stream import stream_events
from comfytui.sim.config import SimConfig
from comfytui.sim.server import SimServer
from comfytui.workflow.builtin import txt2img
from comfytui.workflow.fields import Field, FieldValue
from comfytui.workflow.graph import apply_values
from tests.waiting import TIMEOUT

PNG = b"\x89PNG\r\n\x1a\n"
StreamEvent = Event | ConnectionEvent
Stream = AsyncGenerator[StreamEvent, None]


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    async with SimServer(SimConfig(steps_per_second=100, load_seconds=0)) as sim:
        yield Server.from_url(sim.url)


def graph(steps: int = 3, model: str = "v1-5-pruned-emaonly.safetensors") -> dict[str, Any]:
    values: dict[Field, FieldValue] = {
        Field.WIDTH: 64,
        Field.HEIGHT: 64,
        Field.STEPS: steps,
        Field.MODEL: model,
        Field.PROMPT: "a red fox",
    }
    return dict(apply_values(txt2img(), values))


async def until(stream: Stream, found: Callable[[StreamEvent], bool]) -> list[StreamEvent]:
    """Return the events up to the first one that is found."""
    received = []
    async with asyncio.timeout(TIMEOUT):
        async for event in stream:
            received.append(event)
            if found(event):
                break
    return received


async def request(server: Server, method: str, path: str, body: object) -> None:
    """Send a request of another client."""
    async with httpx.AsyncClient() as http:
        (await http.request(method, server.http_url(path), json=body)).raise_for_status()


def has_ended(event: object) -> bool:
    return isinstance(event, Executing) and event.node is None


async def test_an_image_from_submitting_the_prompt_to_viewing_the_file(server: Server) -> None:
    prompt_id, tag = str(uuid4()), {"batch": "b", "index": 1, "total": 1}
    async with ComfyClient(server) as client, aclosing(stream_events(server, "me")) as stream:
        await until(stream, lambda event: isinstance(event, FeatureFlags))
        queued = await client.submit(graph(), prompt_id=prompt_id, client_id="me", tag=tag, preview_method="latent2rgb")
        received = await until(stream, has_ended)
        entry = await client.history_entry(prompt_id)
        assert entry is not None
        images = [await client.view(output) for output in entry.outputs]
        preview = await client.view(entry.outputs[0], preview="webp;50")
    assert queued.prompt_id == prompt_id
    assert [event.value for event in received if isinstance(event, Progress)] == [1, 2, 3]
    assert all(event.prompt_id == prompt_id for event in received if isinstance(event, PreviewImage | ProgressState))
    assert any(isinstance(event, PreviewImage) for event in received)
    assert not any(isinstance(event, Unknown) for event in received)
    assert (entry.outcome, entry.item.client_id, entry.item.tag) == ("success", "me", tag)
    assert images[0].startswith(PNG)
    assert preview.startswith(b"RIFF")


async def test_no_previews_with_preview_method_none(server: Server) -> None:
    async with ComfyClient(server) as client, aclosing(stream_events(server, "me")) as stream:
        await until(stream, lambda event: isinstance(event, FeatureFlags))
        await client.submit(graph(), prompt_id=str(uuid4()), client_id="me", tag={}, preview_method="none")
        received = await until(stream, has_ended)
    assert not any(isinstance(event, PreviewImage) for event in received)


async def test_jobs_are_listed_and_cancelled_pending_or_running(server: Server) -> None:
    running, waiting, front = (str(uuid4()) for _ in range(3))
    async with ComfyClient(server) as client, aclosing(stream_events(server, "me")) as stream:
        await until(stream, lambda event: isinstance(event, FeatureFlags))
        await client.submit(graph(10_000), prompt_id=running, client_id="me", tag={})
        await until(stream, lambda event: isinstance(event, Progress))
        await client.submit(graph(), prompt_id=waiting, client_id="me", tag={})
        body = {"prompt": graph(), "prompt_id": front, "client_id": "me", "front": True}
        await request(server, "POST", "/prompt", body)
        queue = await client.queue()
        jobs, count = await client.jobs(), await client.queue_count()
        await client.delete([front])
        assert await client.cancel_job(waiting) is True
        assert await client.cancel_job(waiting) is False
        await client.interrupt_running(running)
        received = await until(stream, has_ended)
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
    assert any(isinstance(event, ExecutionInterrupted) for event in received)
    assert entry is not None
    assert entry.outcome == "interrupted"


async def test_a_rejected_prompt_names_node_and_input(server: Server) -> None:
    async with ComfyClient(server) as client:
        with pytest.raises(PromptRefused) as caught:
            await client.submit(graph(model="gone.safetensors"), prompt_id=str(uuid4()), client_id="me", tag={})
    assert [(error.node_id, error.input_name) for error in caught.value.node_errors] == [("4", "ckpt_name")]


async def test_stats_and_object_info_are_read(server: Server) -> None:
    async with ComfyClient(server) as client:
        stats = await client.system_stats()
        assert stats.version == "0.33.0"
        assert 0 < stats.devices[0].vram_free <= stats.devices[0].vram_total
        assert "seed" in (await client.object_info("KSampler"))["KSampler"]["input"]["required"]
        assert await client.object_info("NoSuchNode") == {}
        assert await client.history(3, lambda entry: entry) == ()


async def test_subscribed_logs_arrive_as_events(server: Server) -> None:
    async with ComfyClient(server) as client, aclosing(stream_events(server, "me")) as stream:
        await until(stream, lambda event: isinstance(event, FeatureFlags))
        await request(server, "PATCH", "/internal/logs/subscribe", {"clientId": "me", "enabled": True})
        await client.submit(graph(), prompt_id=str(uuid4()), client_id="another", tag={})
        received = await until(
            stream, lambda event: isinstance(event, Logs) and any("3/3" in one for one in event.chunks)
        )
    assert not any(isinstance(event, Progress) for event in received)
