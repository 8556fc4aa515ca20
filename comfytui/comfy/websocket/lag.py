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
    """Measures one connection; `report` is called with the seconds that its frames are behind, often with the same.

    What is reported is the smaller of the last two measurements: a server that was held up once (it loads a model)
    answers one ping late, a connection that is too slow answers each one late.
    """

    def __init__(self, socket: ClientConnection, report: Report) -> None:
        self._socket = socket
        self._report = report
        self._last_frame = 0.0
        self._frames = asyncio.Event()
        self._measured = 0.0
        self._reported = 0.0

    def heard(self) -> None:
        """A frame came."""
        self._last_frame = time.monotonic()
        self._frames.set()

    async def run(self) -> None:
        """Measure while frames come, until the connection ends."""
        with suppress(ConnectionClosed):
            while True:
                if time.monotonic() - self._last_frame > AT_REST_AFTER:
                    self._frames.clear()
                    await self._frames.wait()
                await self._measure(await self._socket.ping())
                await asyncio.sleep(PING_EVERY)

    async def _measure(self, answer: Awaitable[float]) -> None:
        """Report until a ping is answered, and then what the answer tells."""
        sent, pong = time.monotonic(), asyncio.ensure_future(answer)
        while True:
            done, _ = await asyncio.wait({pong}, timeout=REPORT_EVERY)
            if done:
                # Where no frame came before it, the pong waited for the server and not behind frames.
                self._take(pong.result() if self._last_frame > sent else 0.0)
                return
            now = time.monotonic()
            if self._last_frame > max(sent, now - REPORT_EVERY):
                self._take(max(self._reported, now - sent))
            elif self._reported:
                self._report(self._reported)  # Until the pong they are taken to be as late as before.

    def _take(self, seconds: float) -> None:
        """Report what this measurement and the one before it agree on."""
        self._reported, self._measured = min(self._measured, seconds), seconds
        self._report(self._reported)


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
