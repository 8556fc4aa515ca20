"""Raw TCP clients and servers on both sides of a proxy, which only record what they receive."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

from tests.faults.proxied_connection import NO_LINGER
from tests.faults.proxy import Proxy, proxy_to
from tests.waiting import eventually


class Peer:
    """One end of a connection, and the bytes it received."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.writer, self.received = writer, b""
        self.end = ""
        self._reading = asyncio.create_task(self._read(reader))

    async def _read(self, reader: asyncio.StreamReader) -> None:
        try:
            while data := await reader.read(65_536):
                self.received += data
            self.end = "closed"
        except ConnectionResetError:
            self.end = "reset"

    async def has(self, data: bytes) -> None:
        """Wait until exactly these bytes were received."""
        await eventually(lambda: self.received == data, f"{data!r}")

    async def ended(self, how: str) -> None:
        """Wait until the connection has ended, as `closed` or `reset`."""
        await eventually(lambda: self.end == how, how)

    def reset(self) -> None:
        """Reset the connection."""
        self.writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, NO_LINGER)
        self.writer.transport.abort()

    async def close(self) -> None:
        self.writer.close()
        await asyncio.gather(self._reading, self.writer.wait_closed(), return_exceptions=True)


class ProxyPeers:
    """A proxy in front of a raw server, and all connected peers."""

    def __init__(self, proxy: Proxy, servers: list[Peer]) -> None:
        self.proxy, self.servers = proxy, servers
        self.clients: list[Peer] = []

    async def dial(self) -> Peer:
        """Connect a client."""
        parts = urlsplit(self.proxy.url)
        peer = Peer(*await asyncio.open_connection(parts.hostname, parts.port))
        self.clients.append(peer)
        return peer

    async def connect(self, data: bytes = b"hello") -> tuple[Peer, Peer]:
        """Connect and send bytes; return the client and its server side once they have arrived."""
        before = len(self.servers)
        peer = await self.dial()
        peer.writer.write(data)
        await eventually(lambda: len(self.servers) > before and self.servers[-1].received == data, "the first bytes")
        return peer, self.servers[-1]


@asynccontextmanager
async def proxy_peers() -> AsyncIterator[ProxyPeers]:
    servers: list[Peer] = []
    server = await asyncio.start_server(lambda *streams: servers.append(Peer(*streams)), "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with proxy_to(f"http://127.0.0.1:{port}") as proxy:
        ends = ProxyPeers(proxy, servers)
        yield ends
        for peer in (*ends.clients, *servers):
            await peer.close()
    server.close()
    assert (proxy.open, proxy.lingering, proxy._tasks) == (0, 0, set())
