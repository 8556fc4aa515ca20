"""A TCP proxy on 127.0.0.1 that does to connections what networks and other proxies do."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

from tests.faults.proxied_connection import Direction, ProxiedConnection, ProxySettings, RequestRule


class Proxy:
    """Passes on what comes for a server, until told otherwise; every setting holds at once, for all connections."""

    def __init__(self, target: str) -> None:
        self.lead_to(target)
        self._connections: set[ProxiedConnection] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._settings = ProxySettings()
        self._server: asyncio.Server | None = None
        self._port = 0
        self._ended = False
        self._turns_away = False
        self._discarding: frozenset[Direction] = frozenset()
        self.accepted = 0
        """Connections that were ever taken."""
        self.thaw()

    @property
    def url(self) -> str:
        """Where to connect."""
        return f"http://127.0.0.1:{self._port}"

    @property
    def open(self) -> int:
        """Connections that their clients have not left."""
        return sum(not connection.client_left for connection in self._connections)

    @property
    def websockets(self) -> int:
        """How many of these are websockets."""
        return sum(connection.websocket and not connection.client_left for connection in self._connections)

    @property
    def lingering(self) -> int:
        """Connections that the server still believes in, though the client has left."""
        return sum(connection.client_left for connection in self._connections)

    async def come_up(self) -> None:
        """Take connections, on the same port as before."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self._port)
        self._port = self._server.sockets[0].getsockname()[1]

    def go_down(self) -> None:
        """Refuse new connections; those that stand are not touched."""
        if self._server is not None:
            self._server.close()

    def lead_to(self, target: str) -> None:
        """Lead new connections to this server from now on."""
        parts = urlsplit(target)
        self._target = (parts.hostname or "", parts.port or 80)

    def turn_away(self, away: bool = True) -> None:
        """Take new connections and close them at once, as a forwarded port whose far end is down."""
        self._turns_away = away

    def cut(self, *, websockets_only: bool = False, requests_only: bool = False) -> None:
        """End every connection with an RST on both sides."""
        for connection in list(self._connections):
            if not (requests_only if connection.websocket else websockets_only):
                connection.reset()

    def stall(self, *directions: Direction, new: bool = False) -> None:
        """Make connections half-open: bytes and ends vanish on these ways (all, if none is named), for good.

        With `new`, connections that come later are taken, and are no better.
        """
        discarding = frozenset(directions or Direction)
        for connection in self._connections:
            connection.stall(discarding)
        self._discarding = discarding if new else self._discarding

    def heal(self) -> None:
        """Let new connections be whole again."""
        self._discarding = frozenset()

    def reap(self) -> None:
        """Let the server find out that the half-open connections are dead; their clients are not told."""
        for connection in list(self._connections):
            if connection.stalled:
                connection.reset_side(Direction.TO_SERVER)

    def freeze(self, *directions: Direction) -> None:
        """Let bytes wait on these ways (all, if none is named), as on a link that is gone for a moment."""
        for direction in directions or Direction:
            self._settings.flows[direction].clear()

    def thaw(self) -> None:
        """Let the bytes go on."""
        for flow in self._settings.flows.values():
            flow.set()

    def delay(self, seconds: float) -> None:
        """Let bytes be late by so much on either way; 0 for not at all."""
        self._settings.delay = seconds

    def throttle(self, bytes_per_second: float | None) -> None:
        """Let no more bytes pass on each way of each connection; None for any number."""
        self._settings.bytes_per_second = bytes_per_second

    def close_idle(self, seconds: float | None) -> None:
        """Close connections on which nothing has passed for so long; None for never."""
        self._settings.idle_seconds = seconds
        for connection in self._connections:
            connection.touch()

    def strip_upgrades(self, strip: bool = True) -> None:
        """Pass on new websockets as plain requests, as a proxy does that does not know of them."""
        self._settings.strip_upgrades = strip

    def reset_on(self, request: bytes, *, times: int | None = 1) -> RequestRule:
        """End the connection with an RST when a request with these bytes comes; the server never sees it."""
        return self._rule(RequestRule(request, "reset", times))

    def lose_answer_to(self, request: bytes, *, times: int | None = 1, silent: bool = False) -> RequestRule:
        """Let the server answer, and end the connection instead; `silent` leaves the client waiting on it."""
        return self._rule(RequestRule(request, "vanish" if silent else "lose", times))

    def hold_answer_to(self, request: bytes, *, times: int | None = 1) -> RequestRule:
        """Hold the answer until the rule is released."""
        return self._rule(RequestRule(request, "hold", times))

    def forget_rules(self) -> None:
        """End every rule, and release what is held."""
        for rule in self._settings.rules:
            rule.release()
        self._settings.rules.clear()

    async def end(self) -> None:
        """Go down, end every connection, and wait until nothing is left."""
        self._ended = True
        self.go_down()
        self.thaw()
        self.forget_rules()
        while self._tasks:
            for connection in list(self._connections):
                connection.stall(Direction)
                connection.reset()
            await asyncio.wait(self._tasks, return_when=asyncio.FIRST_COMPLETED)

    def _rule(self, rule: RequestRule) -> RequestRule:
        self._settings.rules.append(rule)
        return rule

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        self.accepted += 1
        if self._turns_away:
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


@asynccontextmanager
async def proxy_to(target: str) -> AsyncIterator[Proxy]:
    """A proxy before a server."""
    proxy = Proxy(target)
    await proxy.come_up()
    try:
        yield proxy
    finally:
        await proxy.end()
