"""Late frames are told by pongs that queue up behind them; a server that is held up, or at rest, is not late."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from comfytui.comfy import lag
from comfytui.comfy.lag import LagMeter, measuring
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
    async with measuring(socket, reports.append) as it:
        it.heard()
        await eventually(lambda: socket.pings, "a ping")
        yield it, socket, reports


async def test_a_ping_that_waits_while_frames_come_tells_that_they_are_late(monkeypatch: pytest.MonkeyPatch) -> None:
    async with meter(monkeypatch) as (it, socket, reports):
        it.heard()
        await eventually(lambda: len(reports) > 3, "reports")
        assert reports == sorted(reports)
        socket.pings[0].set_result(12.0)
        await eventually(lambda: 12.0 in reports, "what the pong tells")
        # Until the next pong they are taken to be as late as before, though no further frame comes.
        await eventually(lambda: reports.count(12.0) > 3, "more reports")
        await eventually(lambda: len(socket.pings) == 2, "another ping")
        socket.pings[1].set_result(0.001)
        await eventually(lambda: reports[-1] == 0.001, "the end of the backlog")


async def test_where_no_frame_comes_while_a_ping_waits_nothing_is_late(monkeypatch: pytest.MonkeyPatch) -> None:
    waits: list[object] = []
    wait = asyncio.wait

    async def counted(*args: Any, **kwargs: Any) -> Any:
        waits.append(args)
        return await wait(*args, **kwargs)

    monkeypatch.setattr(asyncio, "wait", counted)
    async with meter(monkeypatch) as (_, _, reports):
        await eventually(lambda: len(waits) > 5, "some patience")
        assert not reports


async def test_a_socket_at_rest_is_not_pinged(monkeypatch: pytest.MonkeyPatch) -> None:
    async with meter(monkeypatch) as (it, socket, reports):
        monkeypatch.setattr(lag, "AT_REST_AFTER", 0.0)
        socket.pings[0].set_result(0.001)
        await eventually(lambda: reports, "the report")
        await eventually(lambda: not it._frames.is_set(), "rest")
        assert len(socket.pings) == 1
        it.heard()
        await eventually(lambda: len(socket.pings) == 2, "a ping with the next frame")
