"""A relay on a real socket, before a simulated server."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
from aiohttp import web
from aiohttp.typedefs import Handler

from comfytui.comfy.server import Server
from comfytui.headless.relay.app import relay_app
from comfytui.headless.relay.context import CONTEXT, RelayContext
from comfytui.headless.relay.options import RelayOptions
from comfytui.headless.relay.serving import serving
from comfytui.headless.session import is_current
from comfytui.service.thread import ServiceThread
from comfytui.session.model import LinkKind
from comfytui.session.state import SessionState
from comfytui.timings import Timings
from tests.timings import FAST
from tests.waiting import eventually
from tests.watcher import small_batch


@dataclass
class RunningRelay:
    """A relay that serves at `url`, and a client of it."""

    url: str
    client: httpx.AsyncClient
    context: RelayContext
    requests: list[web.Request]
    """Those that are being handled."""

    @property
    def handled(self) -> int:
        return len(self.requests)

    @property
    def service(self) -> ServiceThread:
        return self.context.session.service

    @property
    def state(self) -> SessionState:
        return self.context.feed.state

    async def live(self) -> None:
        """Wait until the link is live and the server's queue is known."""
        await eventually(lambda: self.state.link.kind is LinkKind.LIVE and is_current(self.state), "a live link")

    async def submit(self, images: int = 1, **values: str | int | float) -> str:
        """Queue a batch as another part of the program would, and return its id once the relay knows it."""
        request = small_batch(images, False, **values)
        self.service.submit(request)
        await eventually(lambda: request.batch_id in self.state.batches, "the batch")
        return request.batch_id


ANY_PORT = RelayOptions(port=0)


@asynccontextmanager
async def running_relay(
    url: str, *, folder: Path | None = None, timings: Timings = FAST, options: RelayOptions = ANY_PORT
) -> AsyncIterator[RunningRelay]:
    """Run a relay of the server at `url` on a free port."""
    service = ServiceThread(Server.from_url(url), folder=folder, timings=timings)
    app = relay_app(service, options, timings=timings.relay)
    requests: list[web.Request] = []

    @web.middleware
    async def note(request: web.Request, handler: Handler) -> web.StreamResponse:
        requests.append(request)
        try:
            return await handler(request)
        finally:
            requests.remove(request)

    app.middlewares.append(note)
    async with serving(app, options, shutdown_seconds=1.0) as port:
        base = f"http://127.0.0.1:{port}"
        async with httpx.AsyncClient(base_url=base, trust_env=False, timeout=30) as client:
            yield RunningRelay(base, client, app[CONTEXT], requests)
