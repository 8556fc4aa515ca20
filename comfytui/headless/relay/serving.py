"""Serves a relay's application on a socket."""

import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiohttp import web

SHUTDOWN_TIMEOUT = 1.0
"""Seconds that requests may take to end when the relay stops."""


def listen(host: str, port: int) -> socket.socket:
    """Return a socket that listens on an address of this machine; port 0 picks a free one.

    Raises:
        OSError: There is no such address, or the port is taken.
    """
    family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
    return socket.create_server(address[:2], family=family)


def url_of(listener: socket.socket) -> str:
    """Return the URL of what listens on a socket."""
    host, port, *_ = listener.getsockname()
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


@asynccontextmanager
async def serving(app: web.Application, listener: socket.socket) -> AsyncIterator[None]:
    """Serve an application on a socket, which is closed in the end.

    A handler is cancelled when its client leaves, so that nothing is kept for one that waits for a change.
    No access log is written: addresses may hold a token.
    """
    runner = web.AppRunner(app, handler_cancellation=True, access_log=None, shutdown_timeout=SHUTDOWN_TIMEOUT)
    try:
        await runner.setup()
        await web.SockSite(runner, listener).start()
        yield
    finally:
        await runner.cleanup()
        listener.close()
