"""A TCP proxy on 127.0.0.1 that simulates faults of networks and of other proxies."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

from tests.faults.proxied_connection import Direction, ProxiedConnection, ProxySettings, RequestRule

ACCEPT_TURNS = 3
"""Turns of the event loop from the moment in which a connection is accepted until the proxy knows of it."""


class Proxy:
    """Forwards connections to a server; settings take effect at once, for all connections."""

    def __init__(self, target: str) -> None:
        self.forward_to(target)
        self._connections: set[ProxiedConnection] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._settings = ProxySettings()
        self._server: asyncio.Server | None = None
        # Bound and not listening, so that nobody else gets the port while the proxy is down.
        self._reserved = _bound_socket()
        self._port: int = self._reserved.getsockname()[1]
        self._ended = False
        self._closes_at_once = False
        self._discarding: frozenset[Direction] = frozenset()
        self.accepted = 0
        """Number of connections ever accepted."""
        self.thaw()

    @property
    def url(self) -> str:
        """The URL to connect to."""
        return f"http://127.0.0.1:{self._port}"

    @property
    def open(self) -> int:
        """Number of connections whose client has not disconnected."""
        return sum(not connection.client_left for connection in self._connections)

    @property
    def websockets(self) -> int:
        """Number of these that are WebSockets."""
        return sum(connection.websocket and not connection.client_left for connection in self._connections)

    @property
    def lingering(self) -> int:
        """Number of connections that are open to the server although their client has disconnected."""
        return sum(connection.client_left for connection in self._connections)

    async def come_up(self) -> None:
        """Accept connections, on the same port as before."""
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", self._port)

    def go_down(self) -> None:
        """Refuse new connections; established ones stay."""
        if self._server is not None:
            self._server.close()

    def forward_to(self, target: str) -> None:
        """Forward new connections to this server from now on."""
        parts = urlsplit(target)
        self._target = (parts.hostname or "", parts.port or 80)

    def close_at_once(self, enabled: bool = True) -> None:
        """Accept new connections and close them at once, like a forwarded port whose far end is down."""
        self._closes_at_once = enabled

    def reset_connections(self, *, websockets_only: bool = False, requests_only: bool = False) -> None:
        """Reset all connections on both sides."""
        for connection in list(self._connections):
            if not (requests_only if connection.websocket else websockets_only):
                connection.reset()

    def stall(self, *directions: Direction, new: bool = False) -> None:
        """Make connections half-open: discard bytes and ends of streams for good.

        Args:
            directions: The directions to discard; both if none is given.
            new: Do the same to connections accepted later.
        """
        discarding = frozenset(directions or Direction)
        for connection in self._connections:
            connection.stall(discarding)
        self._discarding = discarding if new else self._discarding

    def heal(self) -> None:
        """Forward new connections normally again."""
        self._discarding = frozenset()

    def reap(self) -> None:
        """Reset the server side of half-open connections; their clients do not notice."""
        for connection in list(self._connections):
            if connection.stalled:
                connection.reset_side(Direction.TO_SERVER)

    def freeze(self, *directions: Direction) -> None:
        """Hold back bytes in these directions (both if none is given), like a link that is down for a moment."""
        for direction in directions or Direction:
            self._settings.flows[direction].clear()

    def thaw(self) -> None:
        """Forward the bytes held back."""
        for flow in self._settings.flows.values():
            flow.set()

    def delay(self, seconds: float) -> None:
        """Delay bytes in each direction; 0 for no delay."""
        self._settings.delay = seconds

    def throttle(self, bytes_per_second: float | None) -> None:
        """Limit the rate of each connection in each direction; None for no limit."""
        self._settings.bytes_per_second = bytes_per_second

    def close_idle(self, seconds: float | None) -> None:
        """Close connections that are idle for so long; None for never."""
        self._settings.idle_seconds = seconds
        for connection in self._connections:
            connection.touch()

    def strip_upgrades(self, strip: bool = True) -> None:
        """Forward WebSocket handshakes as plain requests, like a proxy that does not support WebSockets."""
        self._settings.strip_upgrades = strip

    def reset_on(self, request: bytes, *, times: int | None = 1) -> RequestRule:
        """Reset the connection on a request that contains these bytes; the server never gets it."""
        return self._rule(RequestRule(request, "reset", times))

    def lose_response_to(self, request: bytes, *, times: int | None = 1, silent: bool = False) -> RequestRule:
        """Reset the connection instead of forwarding the response; `silent` leaves it open without a response."""
        return self._rule(RequestRule(request, "discard" if silent else "lose", times))

    def hold_response_to(self, request: bytes, *, times: int | None = 1) -> RequestRule:
        """Hold the response until the rule is released."""
        return self._rule(RequestRule(request, "hold", times))

    def remove_rules(self) -> None:
        """Remove all rules, and release the held responses."""
        for rule in self._settings.rules:
            rule.release()
        self._settings.rules.clear()

    async def end(self) -> None:
        """Stop accepting, reset all connections, and wait until they have ended."""
        self._ended = True
        self.go_down()
        for _ in range(ACCEPT_TURNS):
            await asyncio.sleep(0)
        self.thaw()
        self.remove_rules()
        while self._tasks:
            for connection in list(self._connections):
                connection.stall(Direction)
                connection.reset()
            await asyncio.wait(self._tasks, return_when=asyncio.FIRST_COMPLETED)
        self._reserved.close()

    def _rule(self, rule: RequestRule) -> RequestRule:
        self._settings.rules.append(rule)
        return rule

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve a connection in a task that `end` knows of before it runs."""
        task = asyncio.ensure_future(self._serve(reader, writer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.accepted += 1
        if self._closes_at_once:
            writer.close()
            return
        try:
            server = await asyncio.open_connection(*self._target)
        except OSError:
            writer.close()
            return
        connection = ProxiedConnection(self._settings, (reader, writer), server, self._discarding)
        self._connections.add(connection)
        if self._ended:
            connection.reset()
        try:
            await connection.run()
        finally:
            self._connections.discard(connection)


def _bound_socket() -> socket.socket:
    reserved = socket.socket()
    reserved.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    reserved.bind(("127.0.0.1", 0))
    return reserved


@asynccontextmanager
async def proxy_to(target: str) -> AsyncIterator[Proxy]:
    """Run a proxy in front of a server."""
    proxy = Proxy(target)
    await proxy.come_up()
    try:
        yield proxy
    finally:
        await proxy.end()
