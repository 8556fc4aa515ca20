"""Late frames are told by pongs that queue up behind them; a server that is held up, or at rest, is not late."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import Any

import pytest

from comfytui.comfy.websocket import lag
from comfytui.comfy.websocket.lag import LagMeter, measure_lag
from tests.waiting import eventually


class Socket:
    """Answers a ping when the test says so, with the seconds that it took."""

    def __init__(self) -> None:
        self.pings: list[asyncio.Future[float]] = []

    async def ping(self) -> asyncio.Future[float]:
        self.pings.append(asyncio.get_running_loop().create_future())
        return self.pings[-1]


@asynccontextmanager
async def meter(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[tuple[LagMeter, Socket, list[float]]]:
    """A meter on a connection that brought a frame, and what it reports."""
    monkeypatch.setattr(lag, "REPORT_EVERY", 0.01)
    monkeypatch.setattr(lag, "PING_EVERY", 0.01)
    socket: Any = Socket()
    reports: list[float] = []
    async with measure_lag(socket, reports.append) as it:
        it.frame_received()
        await eventually(lambda: socket.pings, "a ping")
        yield it, socket, reports


def counted_waits(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """All that is waited for from now on."""
    waits: list[object] = []
    wait = asyncio.wait

    async def counted(*args: Any, **kwargs: Any) -> Any:
        waits.append(args)
        return await wait(*args, **kwargs)

    monkeypatch.setattr(asyncio, "wait", counted)
    return waits


@asynccontextmanager
async def frames(it: LagMeter) -> AsyncIterator[None]:
    """Frames come all the time."""

    async def come() -> None:
        while True:
            it.frame_received()
            await asyncio.sleep(0)

    coming = asyncio.create_task(come())
    try:
        yield
    finally:
        coming.cancel()
        await asyncio.gather(coming, return_exceptions=True)


async def answer(socket: Any, seconds: float) -> None:
    """Answer the last ping, and wait for the next one."""
    pings = len(socket.pings)
    socket.pings[-1].set_result(seconds)
    await eventually(lambda: len(socket.pings) > pings, "another ping")


async def test_a_ping_that_waits_while_frames_come_tells_that_they_are_late(monkeypatch: pytest.MonkeyPatch) -> None:
    async with meter(monkeypatch) as (it, socket, reports):
        async with frames(it):
            await eventually(lambda: len(reports) > 3, "reports")
            assert reports == sorted(reports)
            assert reports[-1] > 0
            await answer(socket, 12.0)
            await answer(socket, 12.0)
            assert reports[-1] == 12.0
        # Until the next pong they are taken to be as late as before, though no further frame comes.
        await eventually(lambda: reports[-3:] == [12.0] * 3, "more reports")
        await answer(socket, 0.001)
        await eventually(lambda: reports[-1] <= 0.001, "the end of the backlog")


async def test_one_late_pong_that_frames_came_before_is_not_believed(monkeypatch: pytest.MonkeyPatch) -> None:
    async with meter(monkeypatch) as (it, socket, reports):
        monkeypatch.setattr(lag, "REPORT_EVERY", 60.0)
        await answer(socket, 0.001)
        for seconds in (7.0, 0.001, 7.0, 0.001):
            it.frame_received()
            await answer(socket, seconds)
        assert max(reports) <= 0.001
        for _ in range(2):
            it.frame_received()
            await answer(socket, 7.0)
        assert reports[-1] == 7.0


async def test_late_pongs_of_a_server_that_was_held_up_and_sent_no_frames_tell_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with meter(monkeypatch) as (_, socket, reports):
        for _ in range(3):
            await answer(socket, 7.0)
        assert set(reports) == {0.0}


async def test_frames_that_came_before_a_server_was_held_up_do_not_make_its_silence_a_lag(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now = 1.0
    monkeypatch.setattr(lag, "time", SimpleNamespace(monotonic=lambda: now))
    async with meter(monkeypatch) as (it, _, reports):
        now = 1.005
        it.frame_received()
        now = 8.0
        waits = counted_waits(monkeypatch)
        await eventually(lambda: len(waits) > 5, "some patience")
        assert max(reports, default=0.0) < 0.01


async def test_where_no_frame_comes_while_a_ping_waits_nothing_is_late(monkeypatch: pytest.MonkeyPatch) -> None:
    waits = counted_waits(monkeypatch)
    async with meter(monkeypatch) as (_, _, reports):
        await eventually(lambda: len(waits) > 5, "some patience")
        assert not reports


async def test_a_socket_at_rest_is_not_pinged(monkeypatch: pytest.MonkeyPatch) -> None:
    async with meter(monkeypatch) as (it, socket, reports):
        monkeypatch.setattr(lag, "IDLE_AFTER", 0.0)
        socket.pings[0].set_result(0.001)
        await eventually(lambda: reports, "the report")
        await eventually(lambda: not it._has_frames.is_set(), "rest")
        assert len(socket.pings) == 1
        it.frame_received()
        await eventually(lambda: len(socket.pings) == 2, "a ping with the next frame")
