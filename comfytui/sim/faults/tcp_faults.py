"""The connections to the simulated server, which pass all on, or nothing while its loop stands still."""

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Any

Factory = Callable[[], asyncio.Protocol]


class ConnectionManager:
    """Every connection that stands, and what waits while the loop is held."""

    def __init__(self) -> None:
        self.standing: set[Line] = set()
        self._waiting: list[Callable[[], object]] | None = None

    @property
    def held(self) -> bool:
        """Whether the loop stands still."""
        return self._waiting is not None

    def hold(self) -> None:
        """Stand still: connections are taken, bytes wait in the sockets, nothing is answered, no end is noticed."""
        if self._waiting is None:
            self._waiting = []
            for line in self.standing:
                line.listen()

    def release(self) -> None:
        """Go on, with all that has waited in the order of its coming."""
        waiting, self._waiting = self._waiting or [], None
        for action in waiting:
            action()
        for line in list(self.standing):
            line.listen()

    def cut(self) -> None:
        """End every connection without a word, as the end of a process does."""
        self._waiting = None
        for line in list(self.standing):
            line.cut()

    def do(self, action: Callable[[], object]) -> None:
        """Do something now, or once the loop goes on."""
        if self._waiting is None:
            action()
        else:
            self._waiting.append(action)

    def around(self, factory: Callable[[], Any]) -> Factory:
        """Return a maker of protocols that are reached through a line."""
        return lambda: Line(self, factory())


class Line(asyncio.Protocol, asyncio.Transport):
    """One connection: to the network it is the protocol, and to the protocol it is the transport."""

    def __init__(self, lines: ConnectionManager, inner: asyncio.Protocol) -> None:
        super().__init__()
        self._lines, self._inner = lines, inner
        self._wire: asyncio.Transport | None = None
        self._wanted = True
        self._closing = False

    def listen(self) -> None:
        """Read from the network, if the loop runs and the protocol wants to."""
        if self._wire is None or self._wire.is_closing():
            return
        if self._wanted and not self._lines.held:
            self._wire.resume_reading()
        else:
            self._wire.pause_reading()

    def cut(self) -> None:
        """End at once."""
        if self._wire is not None:
            self._wire.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take a connection from the network."""
        assert isinstance(transport, asyncio.Transport)
        self._wire = transport
        self._lines.standing.add(self)
        self._lines.do(partial(self._inner.connection_made, self))
        self.listen()

    def connection_lost(self, exc: Exception | None) -> None:
        """Take the end from the network."""
        self._lines.standing.discard(self)
        self._lines.do(partial(self._inner.connection_lost, exc))

    def data_received(self, data: bytes) -> None:
        """Take bytes from the network."""
        self._inner.data_received(data)

    def eof_received(self) -> bool | None:
        """Take the end of the bytes from the network."""
        return self._inner.eof_received()

    def pause_writing(self) -> None:
        """Let the protocol know that the network is full."""
        self._inner.pause_writing()

    def resume_writing(self) -> None:
        """Let the protocol know that the network takes more."""
        self._inner.resume_writing()

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        """Return what the network knows of the connection."""
        return default if self._wire is None else self._wire.get_extra_info(name, default)

    def is_closing(self) -> bool:
        """Return whether the connection ends or has ended."""
        return self._closing or self._wire is None or self._wire.is_closing()

    def is_reading(self) -> bool:
        """Return whether the protocol wants to read."""
        return self._wanted and not self.is_closing()

    def pause_reading(self) -> None:
        """Take no bytes until the protocol wants more."""
        self._wanted = False
        self.listen()

    def resume_reading(self) -> None:
        """Take bytes again."""
        self._wanted = True
        self.listen()

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Send bytes to the network."""
        if self._wire is not None:
            self._lines.do(partial(self._wire.write, bytes(data) if self._lines.held else data))

    def close(self) -> None:
        """End the connection after what was written."""
        if self._wire is not None and not self._closing:
            self._closing = True
            self._lines.do(self._wire.close)

    def abort(self) -> None:
        """End the connection at once."""
        self._closing = True
        self._lines.do(self.cut)
