"""Small servers on 127.0.0.1 that answer as ComfyUI does not."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import web

EMPTY_QUEUE: dict[str, list[Any]] = {"queue_running": [], "queue_pending": []}
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@asynccontextmanager
async def serving(routes: dict[str, Handler]) -> AsyncIterator[str]:
    """The URL of a server with handlers by `METHOD /path`; `* /path` takes every method."""
    app = web.Application(client_max_size=2**24)
    for route, handler in routes.items():
        method, _, path = route.partition(" ")
        app.router.add_route(method, path, handler)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


def answering(body: Any = "", status: int = 200, **headers: str) -> Handler:
    """A handler that always says the same: text as it is, anything else as JSON."""

    async def handler(_: web.Request) -> web.Response:
        text = body if isinstance(body, str) else json.dumps(body)
        kind = "text/plain" if isinstance(body, str) else "application/json"
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        return web.Response(text=text, status=status, headers={"Content-Type": kind} | given)

    return handler


def everywhere(handler: Handler) -> dict[str, Handler]:
    """The routes of a server that has one answer to everything."""
    return {"* /{path:.*}": handler}


PAGE = answering("<!doctype html><title>Router</title>", Content_Type="text/html; charset=utf-8")
"""The answer of a router, or of another web application."""


@asynccontextmanager
async def shouting(greeting: bytes) -> AsyncIterator[str]:
    """The URL of a port that says `greeting` to whoever connects and hangs up."""

    async def greet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(100)
        writer.write(greeting)
        writer.close()

    server = await asyncio.start_server(greet, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"


async def unused_port() -> int:
    """A port on which nothing listens."""
    server = await asyncio.start_server(lambda *_: None, "127.0.0.1", 0)
    port: int = server.sockets[0].getsockname()[1]
    server.close()
    await server.wait_closed()
    return port
