"""The relay on its socket: connections that waste no time, and bad requests that are not quoted."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import web

from comfytui.headless.relay.answers import json_error
from comfytui.headless.relay.errors import json_of
from comfytui.headless.relay.guard import DEFAULT_LIMITS
from comfytui.headless.relay.headers import SECURITY_HEADERS
from comfytui.headless.relay.limits import RelayLimits
from comfytui.headless.relay.options import RelayOptions

SHUTDOWN_SECONDS = 1.0
"""Time for handlers to end once the relay stops, and then the same for their cancellation."""

_log = logging.getLogger(__name__)


@asynccontextmanager
async def serving(
    app: web.Application,
    options: RelayOptions,
    limits: RelayLimits = DEFAULT_LIMITS,
    *,
    shutdown_seconds: float = SHUTDOWN_SECONDS,
) -> AsyncIterator[int]:
    """Serve an application as long as the context lasts, and return the port.

    The handler of a client that leaves is cancelled, so that nothing is kept for one that waits for a change.
    Requests are not logged: their addresses may hold a token.

    Args:
        app: The application; it starts and stops with the context.
        options: Where to listen, and how many clients to expect.
        limits: What a connection may take.
        shutdown_seconds: Time for handlers to end.

    Raises:
        OSError: The address cannot be used.
    """
    runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=shutdown_seconds)
    loop = asyncio.get_running_loop()
    await runner.setup()
    try:
        server = runner.server
        assert server is not None
        most = options.clients + limits.spare_connections
        settings = _connection_settings(limits)
        listener = await loop.create_server(
            lambda: _Connection(server, most, loop=loop, **settings), options.host, options.port
        )
        try:
            yield listener.sockets[0].getsockname()[1]
        finally:
            listener.close()
    finally:
        await runner.cleanup()


def _connection_settings(limits: RelayLimits) -> dict[str, Any]:
    return {
        "access_log": None,
        "logger": _log,
        # Counts from when a connection is made, or from its last response, to the end of a request's headers.
        "keepalive_timeout": limits.read_seconds,
        "lingering_time": limits.read_seconds,
        "max_line_size": limits.line_bytes,
        "max_field_size": limits.line_bytes,
        "max_headers": limits.headers,
    }


class _Connection(web.RequestHandler):
    """A connection of a client.

    Args:
        server: All connections.
        most: How many there may be; one more is closed at once.
    """

    __slots__ = ("_most", "_server")

    def __init__(self, server: web.Server, most: int, **settings: Any) -> None:
        super().__init__(server, **settings)
        self._server, self._most = server, most

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        if len(self._server.connections) >= self._most:
            assert isinstance(transport, asyncio.Transport)
            transport.abort()
            return
        super().connection_made(transport)

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """Answer a request that could not be read, without quoting it: it may have the token in it."""
        if status != 400:
            return super().handle_error(request, status, exc, message)
        response = json_error(400, "This is not a valid HTTP request, or its head is too large.", SECURITY_HEADERS)
        response.force_close()
        return response

    async def finish_response(
        self, request: web.BaseRequest, resp: web.StreamResponse, start_time: float | None
    ) -> tuple[web.StreamResponse, bool]:
        """Send a response; an `Expect` that cannot be met is an error that no middleware sees."""
        if isinstance(resp, web.HTTPExpectationFailed):
            resp = json_of(resp)
        return await super().finish_response(request, resp, start_time)
