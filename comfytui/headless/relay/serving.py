"""The relay on its socket."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiohttp import web

from comfytui.headless.relay.options import RelayOptions

SHUTDOWN_SECONDS = 5.0
"""Time for handlers to end once the relay stops."""


@asynccontextmanager
async def serving(
    app: web.Application, options: RelayOptions, *, shutdown_seconds: float = SHUTDOWN_SECONDS
) -> AsyncIterator[int]:
    """Serve an application as long as the context lasts, and return the port.

    The handler of a client that leaves is cancelled, so that nothing is kept for one that waits for a change.
    Requests are not logged: their addresses may hold a token.

    Args:
        app: The application; it starts and stops with the context.
        options: Where to listen.
        shutdown_seconds: Time for handlers to end.

    Raises:
        OSError: The address cannot be used.
    """
    runner = web.AppRunner(app, handler_cancellation=True, access_log=None, shutdown_timeout=shutdown_seconds)
    try:
        await runner.setup()
        await web.TCPSite(runner, options.host, options.port).start()
        yield runner.addresses[0][1]
    finally:
        await runner.cleanup()
