"""How far the frames of a socket are behind the server: a pong queues up behind them, so a ping tells it exactly."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass

from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed

PING_EVERY = 2.0
"""Seconds between a pong and the next ping while frames come."""
REPORT_EVERY = 1.0
"""Seconds between two reports while a ping is not answered."""
AT_REST_AFTER = 10.0
"""Seconds without a frame after which nothing can be late, and no ping is sent any more."""

Report = Callable[[float], None]


@dataclass(frozen=True, slots=True)
class Lag:
    """The frames that come now left the server so many seconds ago."""

    seconds: float


class LagMeter:
    """Measures one connection; `report` is called with the seconds that its frames are behind, often with the same."""

    def __init__(self, socket: ClientConnection, report: Report) -> None:
        self._socket = socket
        self._report = report
        self._last_frame = 0.0
        self._frames = asyncio.Event()

    def heard(self) -> None:
        """A frame came."""
        self._last_frame = time.monotonic()
        self._frames.set()

    async def run(self) -> None:
        """Measure while frames come, until the connection ends."""
        with suppress(ConnectionClosed):
            lag = 0.0
            while True:
                if time.monotonic() - self._last_frame > AT_REST_AFTER:
                    self._frames.clear()
                    await self._frames.wait()
                lag = await self._measured(await self._socket.ping(), lag)
                self._report(lag)
                await asyncio.sleep(PING_EVERY)

    async def _measured(self, answer: Awaitable[float], before: float) -> float:
        """The seconds until a ping is answered; meanwhile as many as have gone, or as there were before."""
        sent, pong = time.monotonic(), asyncio.ensure_future(answer)
        while True:
            done, _ = await asyncio.wait({pong}, timeout=REPORT_EVERY)
            if done:
                return pong.result()
            # Where no frame comes either, the server is held up, and nothing is late.
            if self._last_frame > sent or before >= PING_EVERY:
                self._report(max(before, time.monotonic() - sent))


@asynccontextmanager
async def measuring(socket: ClientConnection, report: Report) -> AsyncIterator[LagMeter]:
    """A meter for as long as a connection is read."""
    meter = LagMeter(socket, report)
    running = asyncio.ensure_future(meter.run())
    try:
        yield meter
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
