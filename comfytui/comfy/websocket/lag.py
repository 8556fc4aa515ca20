"""Measure how late the frames of a connection are: a pong queues up behind them, so pings measure it exactly."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress

from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed

from comfytui.clock import SYSTEM_CLOCK, Clock
from comfytui.timings import DEFAULT, SocketTimings

Report = Callable[[float], None]


class LagMeter:
    """Measures the lag of one connection.

    It reports the smaller of the last two measurements: a server that was blocked once, by loading a model, answers one
    ping late; on a connection that is too slow every pong is late.

    Args:
        socket: The connection.
        report: Called with the lag in seconds, also if it did not change.
        timings: How often it pings and reports.
        clock: The time source.
    """

    def __init__(
        self,
        socket: ClientConnection,
        report: Report,
        timings: SocketTimings = DEFAULT.socket,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        self._socket = socket
        self._report = report
        self._timings = timings
        self._clock = clock
        self._last_frame = 0.0
        self._has_frames = asyncio.Event()
        self._last_measurement = 0.0
        self._reported = 0.0

    def frame_received(self) -> None:
        """Note that a frame was received."""
        self._last_frame = self._clock.monotonic()
        self._has_frames.set()

    async def run(self) -> None:
        """Measure while frames are received, until the connection ends."""
        with suppress(ConnectionClosed):
            while True:
                if self._clock.monotonic() - self._last_frame > self._timings.lag_idle_after:
                    self._has_frames.clear()
                    await self._has_frames.wait()
                await self._measure(await self._socket.ping())
                await self._clock.sleep(self._timings.lag_ping_pause)

    async def _measure(self, pong_waiter: Awaitable[float]) -> None:
        """Report a growing lag until a ping is answered, then its round-trip time."""
        sent, pong = self._clock.monotonic(), asyncio.ensure_future(pong_waiter)
        while True:
            done, _ = await asyncio.wait({pong}, timeout=self._timings.lag_report_interval)
            if done:
                # If no frame preceded it, the pong waited for the server, and not behind frames.
                self._add_measurement(pong.result() if self._last_frame > sent else 0.0)
                return
            now = self._clock.monotonic()
            if self._last_frame > max(sent, now - self._timings.lag_report_interval):
                self._add_measurement(max(self._reported, now - sent))
            elif self._reported:
                self._report(self._reported)  # Until the pong, frames are assumed to be as late as before.

    def _add_measurement(self, seconds: float) -> None:
        """Report the smaller of this measurement and the previous one."""
        self._reported, self._last_measurement = min(self._last_measurement, seconds), seconds
        self._report(self._reported)


@asynccontextmanager
async def measure_lag(
    socket: ClientConnection, report: Report, timings: SocketTimings = DEFAULT.socket, clock: Clock = SYSTEM_CLOCK
) -> AsyncIterator[LagMeter]:
    """Measure the lag of a connection for the duration of the context; arguments as for `LagMeter`."""
    meter = LagMeter(socket, report, timings, clock)
    running = asyncio.ensure_future(meter.run())
    try:
        yield meter
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
