"""A guarded application on a real socket, with routes of a test instead of the relay's."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import httpx
from aiohttp import web

from comfytui.headless.relay.guard import DEFAULT_LIMITS, guarded_app
from comfytui.headless.relay.limits import STREAM_PATH, RelayLimits
from comfytui.headless.relay.options import RelayOptions
from comfytui.headless.relay.serving import serving

TOKEN = "a-token-that-nobody+may/see=1"
OPEN = RelayOptions(port=0)
CLOSED = RelayOptions(port=0, token=TOKEN)
BEARER = {"Authorization": f"Bearer {TOKEN}"}


@dataclass
class Guarded:
    """A guarded application that is served at `port`."""

    port: int
    client: httpx.AsyncClient
    streams: int = 0
    """Streams and long polls whose handlers run."""

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self.port}"

    def another(self) -> httpx.AsyncClient:
        """Return a client with connections and cookies of its own."""
        return httpx.AsyncClient(base_url=f"http://{self.host}", trust_env=False, timeout=30)

    async def send(self, raw: bytes) -> bytes:
        """Send bytes on a connection of their own, and return all that comes until it is closed."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        try:
            writer.write(raw)
            async with asyncio.timeout(30):
                return await reader.read()
        finally:
            writer.close()

    async def _stream(self, request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        self.streams += 1
        try:
            await asyncio.Event().wait()
        finally:
            self.streams -= 1
        return response

    async def _poll(self, request: web.Request) -> web.StreamResponse:
        self.streams += 1
        try:
            if "wait" in request.query:
                await asyncio.Event().wait()
        finally:
            self.streams -= 1
        return web.json_response({})

    def routes(self) -> list[web.RouteDef]:
        return [
            web.get("/", _page),
            web.get("/page.js", _page),
            web.get("/healthz", _seen),
            web.get("/metrics", _seen),
            web.get("/api/queue", _seen),
            web.get("/api/jobs/{id}", _seen),
            web.get("/api/view/{id}/{index}", _seen),
            web.get("/api/preview/{id}", _seen),
            web.get("/api/failure", _fail),
            web.get("/api/broken", _break_off),
            web.get("/api/conflict", _conflict),
            web.get("/api/progress", self._poll),
            web.get(STREAM_PATH, self._stream),
            web.post("/api/generate", _seen),
        ]


async def _page(_: web.Request) -> web.Response:
    return web.Response(text="<!doctype html>", content_type="text/html")


async def _seen(request: web.Request) -> web.Response:
    """Answer with what a handler sees of its request."""
    body = await request.read()
    return web.json_response({"url": str(request.url), "path": request.raw_path, "bytes": len(body)})


async def _fail(request: web.Request) -> web.Response:
    raise RuntimeError(f"no luck with {request.url} {request.raw_path} {request!r}")


async def _break_off(request: web.Request) -> web.Response:
    response = web.StreamResponse()
    await response.prepare(request)
    await response.write(b"the beginning")
    raise RuntimeError("no luck")


async def _conflict(_: web.Request) -> web.Response:
    raise web.HTTPConflict(text="This job has ended.", headers={"Retry-After": "7"})


@asynccontextmanager
async def guarded(options: RelayOptions = OPEN, limits: RelayLimits = DEFAULT_LIMITS) -> AsyncIterator[Guarded]:
    """Serve a guarded application with the routes of a test."""
    app = guarded_app(options, limits)
    server = Guarded(0, httpx.AsyncClient())
    app.add_routes(server.routes())
    async with serving(app, options, limits, shutdown_seconds=1.0) as server.port, server.another() as server.client:
        yield server
