"""The server in memory answers and sends what the simulator does for the same prompts."""

import asyncio
from collections.abc import Callable
from contextlib import aclosing
from typing import Any
from uuid import uuid4

import pytest

from comfytui.comfy.backend import ComfyBackend
from comfytui.comfy.errors import PromptRefused
from comfytui.comfy.protocol.events import Executing, ExecutionCached, PreviewImage, Progress, ProgressState, Status
from comfytui.comfy.protocol.models import NodeError
from comfytui.comfy.server import Server
from comfytui.service.backend import Backend
from comfytui.sim.config import SimConfig
from comfytui.sim.server import SimServer
from comfytui.workflow.builtin import txt2img
from tests.fake_backend import FakeBackend
from tests.sim.graphs import Graph, node, text_to_image

PACED = (Status, Progress, ProgressState, PreviewImage)
"""Frames whose number depends on the pace of a server."""


async def run(server: Backend, graph: Graph) -> list[Any]:
    """Run a prompt; return the frames of its own, in their order, and the files in its history entry."""
    prompt_id, client_id = str(uuid4()), str(uuid4())
    seen: list[Any] = []
    async with aclosing(server.events(client_id, lambda _: None)) as events:
        async for event in events:
            if isinstance(event, Status) and event.sid:
                await server.submit(graph, prompt_id=prompt_id, client_id=client_id, tag={})
            if getattr(event, "prompt_id", None) != prompt_id or isinstance(event, PACED):
                continue
            if isinstance(event, ExecutionCached):
                seen.append((ExecutionCached, sorted(event.nodes)))
            elif not isinstance(event, Executing):
                seen.append((type(event), getattr(event, "outputs", ())))
            elif event.node is None:
                break
    entry = await server.history_entry(prompt_id)
    assert entry is not None
    return [*seen, (entry.outcome, entry.outputs, sorted(entry.cached))]


async def refusal(server: Backend, graph: Graph) -> tuple[str, tuple[NodeError, ...]]:
    with pytest.raises(PromptRefused) as caught:
        await server.submit(graph, prompt_id=str(uuid4()), client_id="c", tag={})
    return str(caught.value), caught.value.node_errors


async def answers_of_both(ask: Callable[[Backend], Any]) -> list[Any]:
    """What the simulator and the server in memory answer."""
    async with (
        asyncio.timeout(60),
        SimServer(SimConfig(steps_per_second=0, load_seconds=0)) as sim,
        ComfyBackend(Server.from_url(sim.url)) as real,
        FakeBackend()(Server.from_url("http://127.0.0.1:9")) as fake,
    ):
        return [await ask(real), await ask(fake)]


async def test_a_run_and_its_repetition_from_the_cache_are_the_same() -> None:
    async def twice(server: Backend) -> list[Any]:
        return [await run(server, text_to_image(seed=seed)) for seed in (1, 1, 2)]

    real, fake = await answers_of_both(twice)
    assert fake[:2] == real[:2]
    # The fake caches whole prompts only, not the nodes that two of them share.
    assert fake[2][-1][:2] == real[2][-1][:2]


async def test_accepted_prompts_are_numbered_and_say_what_is_left_out() -> None:
    graph = text_to_image() | {"10": node("SaveImage", filename_prefix="second")}

    async def submissions(server: Backend) -> list[Any]:
        ids = [str(uuid4()) for _ in range(2)]
        accepted = [await server.submit(graph, prompt_id=each, client_id="c", tag={}) for each in ids]
        assert [each.prompt_id for each in accepted] == ids
        return [(each.number, each.node_errors) for each in accepted]

    real, fake = await answers_of_both(submissions)
    assert fake == real


@pytest.mark.parametrize(
    "graph",
    [
        {**txt2img().graph, "4": node("CheckpointLoaderSimple", ckpt_name="gone")},
        {**text_to_image(), "5": node("EmptyLatentImage", width=1, height=64, batch_size=1)},
        {"1": node("NoSuchNode")},
        {"1": node("CheckpointLoaderSimple", ckpt_name="dreamshaper_8.safetensors")},
    ],
    ids=["no model", "too small", "unknown node", "no output"],
)
async def test_refusals_are_the_same(graph: Graph) -> None:
    real, fake = await answers_of_both(lambda server: refusal(server, graph))
    assert fake == real
