"""Open a websocket to a server, and explain why it cannot be opened."""

import asyncio
import logging
from types import TracebackType

from websockets.asyncio.client import connect
from websockets.exceptions import InvalidHandshake, InvalidMessage, InvalidProxy, InvalidStatus, ProxyError

from comfytui.comfy.connection_errors import bad_proxy, not_comfyui, unauthorized, unreachable, upgrade_refused
from comfytui.comfy.errors import ComfyError, ServerError, TimedOut, Unreachable
from comfytui.comfy.limits import FRAME_LIMIT
from comfytui.comfy.proxies import proxy_of
from comfytui.comfy.server import Server
from comfytui.comfy.websocket.bounded_connection import BoundedConnection
from comfytui.timings import SocketTimings

_LOGIN_STATUSES = frozenset({401, 403, 407, *range(300, 400)})
"""Statuses that ask for a login; redirects lead to one."""
_TEMPORARY_STATUSES = frozenset({408, 425, 429})
"""Statuses below 500 after which a retry may succeed."""
_DISABLED_LOGGER = logging.getLogger("comfytui.websocket")
_DISABLED_LOGGER.disabled = True  # It would log the URL, which may hold a token.


class _Connect(connect):
    """A connect that follows no redirect: it leads to a login, and our headers are for this server alone."""

    def process_redirect(self, exc: Exception) -> Exception | str:
        return exc

    async def __aexit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        transport = self.connection.transport
        try:
            # The library's own timeout starts once its write buffer is empty, and a server need not read that.
            async with asyncio.timeout(self.connection.close_timeout):
                await super().__aexit__(kind, exc, trace)
        except TimeoutError:
            pass
        finally:
            # A close that is itself cancelled (by a reconnect, then by the end of the program) leaves the socket open.
            transport.abort()


def open_connection(server: Server, client_id: str, timings: SocketTimings) -> connect:
    """Return a context manager that opens a connection and closes it.

    Args:
        server: The server.
        client_id: The client id that receives its events.
        timings: How long connecting and the handshake may take together, and closing.

    Raises:
        Exception: On entering: of websockets or the network, see `connect_error`.
    """
    return _Connect(
        server.ws_url(client_id),
        additional_headers=dict(server.headers) | dict(server.cookie_header(server.http_url("/ws"))),
        user_agent_header="comfytui",
        ssl=server.tls,
        proxy=proxy_of(server),
        open_timeout=timings.open,
        close_timeout=timings.close,
        ping_interval=None,
        max_size=FRAME_LIMIT,
        create_connection=BoundedConnection,
        logger=_DISABLED_LOGGER,
    )


def connect_error(server: Server, error: Exception) -> ComfyError:
    """Return the client's error for a connection that could not be opened.

    Raises:
        Unauthorized: If the server requires a login.
        UpgradeRefused: If it answered without opening a websocket.
        NotComfyUI: If it does not speak HTTP. No retry mends any of these.
    """
    match error:
        case ProxyError() | InvalidProxy() | ImportError():
            return bad_proxy(server)
        case InvalidStatus(response=response) if response.status_code in _LOGIN_STATUSES:
            raise unauthorized(server, response.status_code) from None
        case InvalidStatus(response=response) if (
            response.status_code >= 500 or response.status_code in _TEMPORARY_STATUSES
        ):
            status = response.status_code
            return ServerError(f"{server.label} answered with status {status}: is ComfyUI running there?", status)
        case InvalidMessage(__cause__=EOFError() | OSError()):
            # A forwarded port whose remote end is down looks like this.
            return Unreachable(f"{server.label} closes the connection at once: is ComfyUI running there?")
        case InvalidMessage():
            raise not_comfyui(server) from None
        case InvalidHandshake():
            status_code = error.response.status_code if isinstance(error, InvalidStatus) else None
            raise upgrade_refused(server, status_code) from None
        case TimeoutError():
            return TimedOut(f"{server.label} did not answer: it may be busy, or the connection is broken.")
        case _:
            return unreachable(server, error, proxied=proxy_of(server) is not None)
