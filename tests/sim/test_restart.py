"""Stopping the simulated server, and restarting it on the same port."""

from dataclasses import replace
from typing import Any

import httpx
import pytest
from websockets.exceptions import ConnectionClosedError, ConnectionClosedOK

from tests.sim.client import FAST, Client, client, events
from tests.sim.gate import Gate
from tests.sim.graphs import node, text_to_image

OTHER_SERVER = replace(
    FAST, card="NVIDIA GeForce RTX 3060", vram_gib=12, ram_gib=32, arguments=("--lowvram",), checkpoints=("a.ckpt",)
)


async def identity(it: Client) -> Any:
    stats = await it.get("/system_stats")
    device = stats["devices"][0]
    return stats["system"]["argv"], device["name"], device["vram_total"], stats["system"]["ram_total"]


async def test_a_restart_forgets_the_queue_and_the_history() -> None:
    gate = Gate()
    async with client(clock=gate) as it, it.socket("me") as socket:
        url, before = it.server.url, await identity(it)
        running, waiting = [await it.submit(text_to_image(seed), client_id="me") for seed in range(2)]
        await gate.let_steps(1)
        await it.server.restart()
        with pytest.raises(ConnectionClosedError):
            await events(socket, "never")
        assert it.server.url == url
        assert await it.get("/queue") == {"queue_running": [], "queue_pending": []}
        assert await it.get("/history") == {}
        assert await identity(it) == before
        assert len(it.server.submitted) == 2
        await gate.let_all()
        again = await it.submit(text_to_image())
        assert again not in {running, waiting}
        assert (await it.ended(again))["prompt"][0] == 0
        assert len(it.server.submitted) == 3


async def test_a_restart_keeps_saved_files_only() -> None:
    graph = text_to_image()
    graph["10"] = node("PreviewImage", images=["8", 0])
    async with client() as it:
        entry = await it.run(graph)
        (saved,), (shown,) = entry["outputs"]["9"]["images"], entry["outputs"]["10"]["images"]
        await it.server.restart()
        assert (await it.http.get("/view", params=saved)).status_code == 200
        assert (await it.http.get("/view", params=shown)).status_code == 404
        again = await it.run(text_to_image(seed=2))
        assert again["outputs"]["9"]["images"][0]["filename"] == "test_00002_.png"


async def test_another_server_on_the_same_port_has_another_identity_and_no_files() -> None:
    async with client() as it:
        saved = (await it.run(text_to_image()))["outputs"]["9"]["images"][0]
        before = await identity(it)
        await it.server.restart(OTHER_SERVER, new_disk=True)
        argv, card, vram, ram = await identity(it)
        assert argv == [*before[0], "--lowvram"]
        assert card == "cuda:0 NVIDIA GeForce RTX 3060 : cudaMallocAsync"
        assert (vram, ram) == (12 * 1024**3, 32 * 1024**3)
        assert await it.get("/models/checkpoints") == ["a.ckpt"]
        assert (await it.http.get("/view", params=saved)).status_code == 404


async def test_between_stop_and_restart_nobody_listens() -> None:
    async with client() as it:
        await it.server.stop(killed=True)
        with pytest.raises(httpx.ConnectError):
            await it.get("/queue")
        await it.server.restart()
        assert await it.get("/queue") == {"queue_running": [], "queue_pending": []}


async def test_an_orderly_stop_closes_sockets_with_a_close_frame() -> None:
    async with client() as it, it.socket("me") as socket:
        await events(socket, "status")
        await it.server.stop()
        with pytest.raises(ConnectionClosedOK):
            await socket.recv()


async def test_faults_outlive_a_restart() -> None:
    async with client() as it:
        with it.server.faults.fail(503):
            await it.server.restart()
            assert (await it.http.get("/queue")).status_code == 503
        assert (await it.http.get("/queue")).status_code == 200
