"""Pongs that queue up behind frames measure their lag; a blocked or idle server has none."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest

from comfytui.clock import Clock
from comfytui.comfy.websocket.lag import LagMeter, measure_lag
from comfytui.timings import SocketTimings
from tests.waiting import eventually


class FakeConnection:
    """Answers pings when the test does, with the round-trip time that it gives."""

    def __init__(self) -> None:
        self.pings: list[asyncio.Future[float]] = []

    async def ping(self) -> asyncio.Future[float]:
        self.pings.append(asyncio.get_running_loop().create_future())
        return self.pings[-1]


@asynccontextmanager
async def meter(
    report_interval: float = 0.01, now: Callable[[], float] = time.monotonic
) -> AsyncIterator[tuple[LagMeter, FakeConnection, list[float]]]:
    """Yield a meter of a connection that received a frame, the connection, and the reports."""
    timings = SocketTimings(lag_ping_pause=0.01, lag_report_interval=report_interval)
    connection: Any = FakeConnection()
    reports: list[float] = []
    async with measure_lag(connection, reports.append, timings, Clock(now)) as it:
        it.frame_received()
        await eventually(lambda: connection.pings, "a ping")
        yield it, connection, reports


def recorded_waits(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """Return a list that records every call of `asyncio.wait` from now on."""
    waits: list[object] = []
    wait = asyncio.wait

    async def recorded(*args: Any, **kwargs: Any) -> Any:
        waits.append(args)
        return await wait(*args, **kwargs)

    monkeypatch.setattr(asyncio, "wait", recorded)
    return waits


@asynccontextmanager
async def continuous_frames(it: LagMeter) -> AsyncIterator[None]:
    """Receive frames throughout the context."""

    async def receive() -> None:
        while True:
            it.frame_received()
            await asyncio.sleep(0)

    receiving = asyncio.create_task(receive())
    try:
        yield
    finally:
        receiving.cancel()
        await asyncio.gather(receiving, return_exceptions=True)


async def answer_ping(connection: Any, seconds: float) -> None:
    """Answer the last ping, and wait for the next one."""
    pings = len(connection.pings)
    connection.pings[-1].set_result(seconds)
    await eventually(lambda: len(connection.pings) > pings, "another ping")


async def test_an_unanswered_ping_while_frames_arrive_reports_lag() -> None:
    async with meter() as (it, connection, reports):
        async with continuous_frames(it):
            await eventually(lambda: len(reports) > 3, "reports")
            assert reports == sorted(reports)
            assert reports[-1] > 0
            await answer_ping(connection, 12.0)
            await answer_ping(connection, 12.0)
            assert reports[-1] == 12.0
        # Until the next pong, frames are assumed to be as late as before, though none is received.
        await eventually(lambda: reports[-3:] == [12.0] * 3, "more reports")
        await answer_ping(connection, 0.001)
        await eventually(lambda: reports[-1] <= 0.001, "the end of the backlog")


async def test_a_single_late_pong_reports_no_lag() -> None:
    async with meter(report_interval=60.0) as (it, connection, reports):
        await answer_ping(connection, 0.001)
        for seconds in (7.0, 0.001, 7.0, 0.001):
            it.frame_received()
            await answer_ping(connection, seconds)
        assert max(reports) <= 0.001
        for _ in range(2):
            it.frame_received()
            await answer_ping(connection, 7.0)
        assert reports[-1] == 7.0


async def test_late_pongs_without_frames_report_no_lag() -> None:
    async with meter() as (_, connection, reports):
        for _ in range(3):
            await answer_ping(connection, 7.0)
        assert set(reports) == {0.0}


async def test_silence_after_frames_reports_no_lag(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now = 1.0
    async with meter(now=lambda: now) as (it, _, reports):
        now = 1.005
        it.frame_received()
        now = 8.0
        waits = recorded_waits(monkeypatch)
        await eventually(lambda: len(waits) > 5, "some waits")
        assert max(reports, default=0.0) < 0.01


async def test_an_unanswered_ping_without_frames_reports_no_lag(monkeypatch: pytest.MonkeyPatch) -> None:
    waits = recorded_waits(monkeypatch)
    async with meter() as (_, _, reports):
        await eventually(lambda: len(waits) > 5, "some waits")
        assert not reports


async def test_an_idle_connection_is_not_pinged() -> None:
    now = 1.0
    async with meter(now=lambda: now) as (it, connection, reports):
        now += SocketTimings().lag_idle_after + 1
        connection.pings[0].set_result(0.001)
        await eventually(lambda: reports, "the report")
        await eventually(lambda: not it._has_frames.is_set(), "rest")
        assert len(connection.pings) == 1
        it.frame_received()
        await eventually(lambda: len(connection.pings) == 2, "a ping with the next frame")
