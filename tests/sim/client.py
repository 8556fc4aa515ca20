"""A minimal client of the simulated server."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

import httpx
from websockets.asyncio.client import ClientConnection, connect

from comfytui.sim.config import SimConfig
from comfytui.sim.machine import Clock
from comfytui.sim.server import SimServer
from tests.sim.graphs import Graph
from tests.waiting import eventually

FAST = SimConfig(steps_per_second=0, load_seconds=0)


class Client:
    """An HTTP client of one simulated server, with access to the server's state."""

    def __init__(self, server: SimServer, http: httpx.AsyncClient) -> None:
        self.server, self.http = server, http

    async def submit(self, graph: Graph, **more: Any) -> str:
        """Submit a graph, and return its prompt id."""
        response = await self.http.post("/prompt", json={"prompt": graph, **more})
        assert response.status_code == 200, response.text
        prompt_id = response.json()["prompt_id"]
        assert isinstance(prompt_id, str)
        return prompt_id

    async def ended(self, prompt_id: str) -> dict[str, Any]:
        """Wait until a prompt has ended, and return its history entry."""
        await eventually(partial(self.server.queue.history.__contains__, prompt_id), "the end of a prompt")
        body = (await self.http.get(f"/history/{prompt_id}")).json()
        entry: dict[str, Any] = body[prompt_id]
        return entry

    async def run(self, graph: Graph, **more: Any) -> dict[str, Any]:
        """Submit a graph, and return its history entry once it has ended."""
        return await self.ended(await self.submit(graph, **more))

    async def get(self, path: str, **query: Any) -> Any:
        """Return the JSON of a response."""
        response = await self.http.get(path, params=query)
        return response.json()

    def socket(self, client_id: str, url: str = "") -> connect:
        """Return a WebSocket connection, to the server itself unless another URL is given."""
        return connect(f"{(url or self.server.url).replace('http', 'ws')}/ws?clientId={client_id}", max_size=None)


@asynccontextmanager
async def client(config: SimConfig = FAST, clock: Clock | None = None) -> AsyncIterator[Client]:
    """Start a server, and yield a client of it."""
    async with SimServer(config, clock=clock) as server, httpx.AsyncClient(base_url=server.url) as http:
        yield Client(server, http)


async def events(socket: ClientConnection, until: str) -> list[Any]:
    """Return the frames up to the first one of a type, as parsed JSON, or as bytes if binary."""
    seen: list[Any] = []
    async for frame in socket:
        seen.append(frame if isinstance(frame, bytes) else json.loads(frame))
        if isinstance(frame, str) and seen[-1]["type"] == until:
            break
    return seen
