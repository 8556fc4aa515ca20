"""Whatever the link goes through, nothing of it is left: no task, thread, socket or file; memory stays flat."""

from pathlib import Path

import pytest

from comfytui.comfy.server import Server
from comfytui.comfy.websocket import event_stream
from comfytui.service.connection import poll_schedule
from comfytui.session.model import LinkKind
from comfytui.sim.config import SimConfig
from comfytui.sim.server import SimServer
from tests.bench import many_frames
from tests.faults.fault_case import Cell, cell_of
from tests.faults.leak_check import connections_to, more_connections, more_tasks, tasks_of
from tests.waiting import eventually
from tests.watcher import watching

CYCLES = 1_000
WARM = 30
"""Cycles after which all that is kept for later is there."""
CALM = SimConfig(steps_per_second=0, load_seconds=0)


@pytest.fixture
def at_once(scaled: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """A connection that ended is made anew without a pause."""
    monkeypatch.setattr(event_stream, "FIRST_DELAY", 0.0)
    monkeypatch.setattr(event_stream, "LONGEST_DELAY", 0.0)
    monkeypatch.setattr(poll_schedule, "REST_FACTOR", 0)


async def closed_by_the_server(cell: Cell, times: int) -> None:
    """Sockets that are greeted and closed, one after another."""
    closing = cell.sim.faults.close_sockets(greeted=True, times=times)
    cell.proxy.cut(websockets_only=True)
    await eventually(lambda: closing.hits == times, "the closings", 90)


async def cut_without_a_word(cell: Cell, times: int) -> None:
    """Sockets that are greeted and cut."""
    closing = cell.sim.faults.close_sockets(greeted=True, code=None, times=times)
    cell.proxy.cut(websockets_only=True)
    await eventually(lambda: closing.hits == times, "the cuts", 90)


async def renewed_by_the_user(cell: Cell, times: int) -> None:
    """Sockets that are closed from this side."""
    sockets = cell.asked("/ws")
    for _ in range(times):
        before = sockets.hits
        cell.watcher.service.reconnect()
        await eventually(lambda hits=before: sockets.hits > hits, "a new socket")  # type: ignore[misc]
    sockets.end()


@pytest.mark.usefixtures("at_once")
@pytest.mark.parametrize("cycle", [closed_by_the_server, cut_without_a_word])
async def test_a_thousand_connections_leave_nothing(cycle: object) -> None:
    assert callable(cycle)
    async with cell_of(CALM) as cell:
        await cycle(cell, WARM)
        await calm(cell)
        tasks = await tasks_of(cell.watcher.service)
        await cycle(cell, CYCLES)
        await nothing_more(cell, tasks)


@pytest.mark.usefixtures("at_once")
async def test_renewals_leave_nothing() -> None:
    async with cell_of(CALM) as cell:
        await renewed_by_the_user(cell, WARM)
        await calm(cell)
        tasks = await tasks_of(cell.watcher.service)
        await renewed_by_the_user(cell, CYCLES // 5)
        await nothing_more(cell, tasks)


async def calm(cell: Cell) -> None:
    """Wait until just one socket stands."""
    await eventually(
        lambda: cell.state.link.kind is LinkKind.LIVE and cell.proxy.websockets == 1 and cell.proxy.lingering == 0,
        "one socket",
    )


async def nothing_more(cell: Cell, tasks: int) -> None:
    """Neither tasks nor connections are left."""
    await calm(cell)
    assert await more_tasks(cell.watcher.service, tasks) == 0
    assert await more_connections(cell.proxy.url) == 0


@pytest.mark.usefixtures("scaled")
async def test_a_service_that_ends_leaves_nothing() -> None:
    async with SimServer(CALM) as sim:
        for _ in range(25):
            async with watching(Server.from_url(sim.url)) as watcher:
                await watcher.live()
            assert connections_to(sim.url) == 0


def test_memory_is_flat_over_a_hundred_thousand_frames(tmp_path: Path) -> None:
    for row in many_frames.rows(tmp_path):
        assert row.measured <= row.limit, row
