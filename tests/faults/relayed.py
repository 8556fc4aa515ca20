"""A relay of a service that runs already, and clients of its stream that speak no more HTTP than they need."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, cast

from comfytui.headless.relay.app import relay_app
from comfytui.headless.relay.context import CONTEXT, RelayContext
from comfytui.headless.relay.options import RelayOptions
from comfytui.headless.relay.serving import serving
from comfytui.service.thread import ServiceThread
from comfytui.sim.server import SimServer
from comfytui.timings import Timings
from tests.headless.relay.sse import STREAM, Client
from tests.waiting import eventually

OPTIONS = RelayOptions(port=0)
TOLD = ("event", "outcome", "totalImages", "counts", "error")
"""What a last event tells that does not depend on timing; beside it, the outputs' names."""


class _Running:
    """A service as a relay uses it, which somebody else starts and stops."""

    def __init__(self, service: ServiceThread) -> None:
        self._service = service

    def __getattr__(self, name: str) -> Any:
        return getattr(self._service, name)

    def start(self) -> None:
        pass

    def stop(self) -> bool:
        return True


@dataclass(frozen=True)
class Relay:
    """A relay that serves at a port."""

    port: int
    context: RelayContext

    async def follow(self, batch_id: str) -> Client:
        """Follow a batch from when the relay knows it until its stream ends."""
        await eventually(lambda: batch_id in self.context.feed.state.batches, "the batch in the relay")
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        client = Client({})
        try:
            writer.write(f"GET {STREAM}?batchId={batch_id} HTTP/1.0\r\nHost: 127.0.0.1:{self.port}\r\n\r\n".encode())
            await client.read(_lines(reader))
        finally:
            writer.close()
            await writer.wait_closed()
        return client


@asynccontextmanager
async def relay_of(service: ServiceThread, timings: Timings) -> AsyncIterator[Relay]:
    """Serve a relay of a service that runs."""
    app = relay_app(cast(ServiceThread, _Running(service)), OPTIONS, timings=timings.relay)
    async with serving(app, OPTIONS, shutdown_seconds=1.0) as port:
        yield Relay(port, app[CONTEXT])


async def _lines(reader: asyncio.StreamReader) -> AsyncIterator[str]:
    async for line in reader:
        yield line.decode().rstrip("\r\n")


def told_by(client: Client) -> tuple[object, ...]:
    """Return what the last event that a client got tells."""
    if not client.events:
        return ("nothing", *client.lines)
    end = client.events[-1]
    return *(end.get(name) for name in TOLD), tuple(output["filename"] for output in end.get("outputs", ()))


def mistakes_of(client: Client, sim: SimServer, prompt_ids: Sequence[str]) -> list[str]:
    """Return where the progress that a client got went back, and which seeds it got that the server did not."""
    shares = pairwise(event["batchFraction"] for event in client.of("progress"))
    mistakes = [f"{before} then {after}" for before, after in shares if after < before]
    sent = {body["prompt_id"]: _seed_of(body["prompt"]) for body in sim.submitted}
    seeds = client.events[-1].get("seeds") if client.events else None
    return mistakes if seeds == [sent.get(each) for each in prompt_ids] else [*mistakes, f"seeds {seeds}"]


def _seed_of(graph: dict[str, Any]) -> int | None:
    return next((node["inputs"]["seed"] for node in graph.values() if "seed" in node["inputs"]), None)
