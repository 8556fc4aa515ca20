"""Small servers with scripted responses, on the event loop of a test."""

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
    """Serve handlers by `METHOD /path`, where `*` is any method; yield the URL."""
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
    """Return a handler with one response: a str as text, anything else as JSON."""

    async def handler(_: web.Request) -> web.Response:
        text = body if isinstance(body, str) else json.dumps(body)
        kind = "text/plain" if isinstance(body, str) else "application/json"
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        return web.Response(text=text, status=status, headers={"Content-Type": kind} | given)

    return handler


def everywhere(handler: Handler) -> dict[str, Handler]:
    """Return routes that pass every request to one handler."""
    return {"* /{path:.*}": handler}


PAGE = answering("<!doctype html><title>Router</title>", Content_Type="text/html; charset=utf-8")
"""The response of a router, or of another web application."""


@asynccontextmanager
async def greeting_server(greeting: bytes) -> AsyncIterator[str]:
    """Serve a port that reads a little, sends a greeting and closes the connection; yield the URL."""

    async def greet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(100)
        writer.write(greeting)
        writer.close()

    server = await asyncio.start_server(greet, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"


async def unused_port() -> int:
    """Return a port on which nothing listens."""
    server = await asyncio.start_server(lambda *_: None, "127.0.0.1", 0)
    port: int = server.sockets[0].getsockname()[1]
    server.close()
    await server.wait_closed()
    return port
