"""How far the frames of a socket are behind the server: a pong queues up behind them, so a ping tells it exactly."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass

from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed

PING_EVERY = 2.0
"""Seconds between two pings while frames come; where none come, there is nothing to be late."""


@dataclass(frozen=True, slots=True)
class Lag:
    """The frames that come now left the server so many seconds ago."""

    seconds: float


class LagMeter:
    """Measures one connection; `report` is called with the seconds that its frames are behind, often with the same."""

    def __init__(self, socket: ClientConnection, report: Callable[[float], None]) -> None:
        self._socket = socket
        self._report = report
        self._sent = 0.0
        self._last = 0.0
        self._pong: asyncio.Future[float] | None = None
        self._pinging: asyncio.Task[None] | None = None

    async def heard(self) -> None:
        """A frame came: ping if it is time for that, and report what an unanswered ping tells already."""
        if self._pong is None:
            if time.monotonic() - self._sent >= PING_EVERY:
                await self._ping()
        elif (waited := time.monotonic() - self._sent) > self._last:
            self._report(waited)

    async def close(self) -> None:
        """The connection ended."""
        self._pong = None
        if self._pinging is not None:
            self._pinging.cancel()
            await asyncio.gather(self._pinging, return_exceptions=True)

    async def _ping(self) -> None:
        self._sent = time.monotonic()
        with suppress(ConnectionClosed):  # What came before the end is still to be read.
            waiter = await self._socket.ping()
            self._pong = asyncio.ensure_future(waiter)
            self._pong.add_done_callback(self._answered)

    def _answered(self, pong: asyncio.Future[float]) -> None:
        if pong.cancelled() or pong.exception() or pong is not self._pong:
            return
        self._pong, self._last = None, pong.result()
        self._report(self._last)
        if self._last >= PING_EVERY:
            # No further frame need come that shows that the backlog is gone.
            self._pinging = asyncio.ensure_future(self._ping())


@asynccontextmanager
async def measuring(socket: ClientConnection, report: Callable[[float], None]) -> AsyncIterator[LagMeter]:
    """A meter for as long as a connection is read."""
    meter = LagMeter(socket, report)
    try:
        yield meter
    finally:
        await meter.close()
