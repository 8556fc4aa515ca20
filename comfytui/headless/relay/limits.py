"""What clients of the relay may use at most: bytes, seconds, streams."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from comfytui.headless.relay.answers import json_error

STREAM_PATH = "/api/generate/progress"
WAIT_PARAMETER = "wait"
"""The query parameter of a long poll."""
STREAM_RETRY_SECONDS = 10
TURN_RETRY_SECONDS = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class RelayLimits:
    """The limits of a relay that are no options."""

    body_bytes: int = 4 * 1024 * 1024
    """Size of a request's body: a graph of thousands of nodes."""
    login_bytes: int = 4096
    """Size of the body of `POST /login`, which anybody may send."""
    line_bytes: int = 8190
    """Size of the request line, and of one header."""
    headers: int = 64
    """Number of headers."""
    read_seconds: float = 10.0
    """Time for the headers of a request, the same for its body, and idle time of a connection."""
    wrong_token_seconds: float = 0.5
    """Time from a wrong token to its answer."""
    spare_connections: int = 256
    """Connections beside those of `RelayOptions.clients`."""


class Turns:
    """Lets few requests be worked on at once, since their JSON takes many times its size; the others wait as bytes.

    Args:
        at_once: How many are worked on at once.
        total: How many there may be with those that wait.
    """

    def __init__(self, at_once: int = 4, total: int = 32) -> None:
        self._turns = asyncio.Semaphore(at_once)
        self._total = total
        self._present = 0

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """Wait until a request may be worked on.

        Raises:
            web.HTTPTooManyRequests: Too many wait already.
        """
        if self._present >= self._total:
            headers = {"Retry-After": str(TURN_RETRY_SECONDS)}
            raise web.HTTPTooManyRequests(text="Too many requests for images came at once.", headers=headers)
        self._present += 1
        try:
            async with self._turns:
                yield
        finally:
            self._present -= 1


def limit_bodies(limits: RelayLimits) -> Middleware:
    """Return a middleware that reads a body before its handler runs, within limits of size and time."""

    @web.middleware
    async def limit_body(request: web.Request, handler: Handler) -> web.StreamResponse:
        if not request.can_read_body:
            return await handler(request)
        if request.path == "/login":
            request = request.clone(client_max_size=limits.login_bytes)
        try:
            async with asyncio.timeout(limits.read_seconds):
                await request.read()
        except TimeoutError:
            response = json_error(408, "The body of the request did not arrive in time.")
            response.force_close()
            return response
        except web.RequestPayloadError:
            response = json_error(400, "The body of the request is not valid HTTP.")
            response.force_close()
            return response
        return await handler(request)

    return limit_body


def limit_streams(clients: int) -> Middleware:
    """Return a middleware that lets only so many streams and long polls wait at once."""
    waiting = 0

    @web.middleware
    async def limit_stream(request: web.Request, handler: Handler) -> web.StreamResponse:
        nonlocal waiting
        if not _is_long(request):
            return await handler(request)
        if waiting >= clients:
            return json_error(
                429,
                "The relay has as many clients as it may have; try again later.",
                {"Retry-After": str(STREAM_RETRY_SECONDS)},
            )
        waiting += 1
        try:
            return await handler(request)
        finally:
            waiting -= 1

    return limit_stream


def _is_long(request: web.Request) -> bool:
    """Return whether a request is answered by a stream, or may wait for its answer."""
    return request.path == STREAM_PATH or WAIT_PARAMETER in request.query
