"""TCP connections of the simulated server, which can be paused as by a blocked event loop, or reset."""

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Any

Factory = Callable[[], asyncio.Protocol]


class TcpConnections:
    """The established connections, and the actions deferred while they are paused."""

    def __init__(self) -> None:
        self.established: set[PausableConnection] = set()
        self._deferred: list[Callable[[], object]] | None = None

    @property
    def paused(self) -> bool:
        """Whether connections are paused."""
        return self._deferred is not None

    def pause(self) -> None:
        """Pause all connections: new ones are accepted, but nothing is read or written and no end is noticed."""
        if self._deferred is None:
            self._deferred = []
            for connection in self.established:
                connection.update_reading()

    def resume(self) -> None:
        """Run the deferred actions in order, and resume all connections."""
        actions, self._deferred = self._deferred or [], None
        for action in actions:
            action()
        for connection in list(self.established):
            connection.update_reading()

    def reset(self) -> None:
        """Reset all connections, like the end of a process."""
        self._deferred = None
        for connection in list(self.established):
            connection.reset()

    def run_or_defer(self, action: Callable[[], object]) -> None:
        """Run an action now, or on resumption while connections are paused."""
        if self._deferred is None:
            action()
        else:
            self._deferred.append(action)

    def wrap(self, factory: Callable[[], Any]) -> Factory:
        """Return a protocol factory whose protocols are reached through a `PausableConnection`."""
        return lambda: PausableConnection(self, factory())


class PausableConnection(asyncio.Protocol, asyncio.Transport):
    """One connection, as protocol of the network transport and as transport of the server's protocol."""

    def __init__(self, connections: TcpConnections, protocol: asyncio.Protocol) -> None:
        super().__init__()
        self._connections, self._protocol = connections, protocol
        self._transport: asyncio.Transport | None = None
        self._wants_data = True
        self._closing = False

    def update_reading(self) -> None:
        """Read from the network if connections are not paused and the protocol wants data; pause otherwise."""
        if self._transport is None or self._transport.is_closing():
            return
        if self._wants_data and not self._connections.paused:
            self._transport.resume_reading()
        else:
            self._transport.pause_reading()

    def reset(self) -> None:
        """Reset the connection."""
        if self._transport is not None:
            self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Handle a new network connection."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._connections.established.add(self)
        self._connections.run_or_defer(partial(self._protocol.connection_made, self))
        self.update_reading()

    def connection_lost(self, exc: Exception | None) -> None:
        """Handle the end of the network connection."""
        self._connections.established.discard(self)
        self._connections.run_or_defer(partial(self._protocol.connection_lost, exc))

    def data_received(self, data: bytes) -> None:
        """Pass bytes from the network to the protocol."""
        self._protocol.data_received(data)

    def eof_received(self) -> bool | None:
        """Pass the end of the stream from the network to the protocol."""
        return self._protocol.eof_received()

    def pause_writing(self) -> None:
        """Report to the protocol that the network buffer is full."""
        self._protocol.pause_writing()

    def resume_writing(self) -> None:
        """Report to the protocol that the network buffer has space again."""
        self._protocol.resume_writing()

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        """Return information from the network transport."""
        return default if self._transport is None else self._transport.get_extra_info(name, default)

    def is_closing(self) -> bool:
        """Return whether the connection is closing or closed."""
        return self._closing or self._transport is None or self._transport.is_closing()

    def is_reading(self) -> bool:
        """Return whether the protocol wants data."""
        return self._wants_data and not self.is_closing()

    def pause_reading(self) -> None:
        """Stop reading until the protocol wants more data."""
        self._wants_data = False
        self.update_reading()

    def resume_reading(self) -> None:
        """Resume reading."""
        self._wants_data = True
        self.update_reading()

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Write bytes to the network."""
        if self._transport is not None:
            self._connections.run_or_defer(
                partial(self._transport.write, bytes(data) if self._connections.paused else data)
            )

    def close(self) -> None:
        """Close the connection after writing the buffered bytes."""
        if self._transport is not None and not self._closing:
            self._closing = True
            self._connections.run_or_defer(self._transport.close)

    def abort(self) -> None:
        """Reset the connection at once, or on resumption while connections are paused."""
        self._closing = True
        self._connections.run_or_defer(self.reset)
