"""A server that is busy keeps its socket: a model that loads and a loop that is held are no deafness."""

import time

import pytest

from comfytui.comfy.http import transport
from comfytui.comfy.server import Server
from comfytui.session.model import JobStatus, LinkKind
from comfytui.session.runs import stall
from comfytui.session.runs.stall import current_stall
from comfytui.sim.config import SimConfig
from comfytui.sim.server import SimServer
from tests.faults.fault_case import MODEL, Cell, cell_of
from tests.faults.proxy import proxy_to
from tests.waiting import eventually
from tests.watcher import watching

pytestmark = pytest.mark.usefixtures("scaled")

SLOW = SimConfig(steps_per_second=20, load_seconds=0)
LONG_LOAD = SimConfig(steps_per_second=20, load_seconds=4)
BIG_MODEL = "juggernautXL_v9.safetensors"


async def test_a_long_load_within_its_patience_is_no_silence() -> None:
    async with cell_of(LONG_LOAD) as cell:
        sockets = cell.asked("/ws")
        batch = await cell.watcher.order(1, model=BIG_MODEL)
        await cell.watcher.until(batch, JobStatus.SUCCEEDED, patience=20)
        assert cell.kinds() <= {LinkKind.LIVE, LinkKind.CONNECTING, LinkKind.POLLING}
        assert sockets.hits == 0


async def test_a_load_that_takes_longer_than_its_patience_is_a_stall_while_the_memory_moves(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(stall, "LOAD_STALL_SECONDS", 0.8)
    async with cell_of(LONG_LOAD) as cell:
        sockets = cell.asked("/ws")
        batch = await cell.watcher.order(1, model=BIG_MODEL)
        await eventually(lambda: stalled(cell), "a stall")
        assert stalled(cell).endswith("memory still moving, loading a model?")
        await cell.watcher.until(batch, JobStatus.SUCCEEDED, patience=20)
        assert LinkKind.DEAF not in cell.kinds()
        assert sockets.hits == 0


def stalled(cell: Cell) -> str:
    """What the user is told of a stall."""
    stall = current_stall(cell.state, time.monotonic())
    return str(stall) if stall else ""


async def test_a_held_loop_is_busy_and_its_socket_kept() -> None:
    async with cell_of(SLOW) as cell:
        batch = await cell.watcher.order(1, model=MODEL, steps=100)
        await eventually(lambda: cell.state.run and cell.state.run.step > 1, "a step")
        cell.since = len(cell.watcher.states)
        sockets = cell.asked("/ws")
        cell.sim.faults.hold_loop()
        await cell.told(LinkKind.BUSY)
        # The server works on: it only does not answer.
        await cell.worked_off(1)
        assert cell.kinds() <= {LinkKind.LIVE, LinkKind.BUSY}
        assert cell.state.link.kind is LinkKind.BUSY
        cell.sim.faults.release_loop()
        await cell.watcher.live()
        await cell.watcher.until(batch, JobStatus.SUCCEEDED, patience=20)
        assert cell.kinds() <= {LinkKind.LIVE, LinkKind.BUSY}
        assert (sockets.hits, cell.proxy.websockets) == (0, 1)


async def test_a_loop_that_is_held_again_and_again_costs_no_socket() -> None:
    async with cell_of(SLOW) as cell:
        sockets = cell.asked("/ws")
        for _ in range(3):
            cell.since = len(cell.watcher.states)
            cell.sim.faults.hold_loop()
            await cell.told(LinkKind.BUSY)
            cell.sim.faults.release_loop()
            await cell.watcher.live()
        assert sockets.hits == 0


async def test_a_half_open_link_is_not_busy() -> None:
    async with cell_of(SLOW) as cell:
        cell.since = len(cell.watcher.states)
        began = time.monotonic()
        cell.proxy.stall()
        await cell.told(LinkKind.OFFLINE)
        # A ping, its pong and the probe at their scaled lengths, and as much again for a machine that is busy.
        assert time.monotonic() - began < 2 * (0.6 + 0.5 + 0.7) + 1
        await cell.watcher.live()
        assert LinkKind.BUSY not in cell.kinds()


async def test_a_busy_server_that_dies_is_not_busy_any_more() -> None:
    async with cell_of(SLOW) as cell:
        cell.since = len(cell.watcher.states)
        cell.sim.faults.hold_loop()
        await cell.told(LinkKind.BUSY)
        await cell.sim.stop(killed=True)
        await cell.told(LinkKind.OFFLINE)
        await cell.sim.restart()
        await cell.watcher.live()


@pytest.mark.parametrize("held", [0.75, 1.0, 1.3, 1.6, 2.2])
async def test_whenever_a_held_loop_wakes_up_its_socket_is_kept_and_heard_again(held: float) -> None:
    async with cell_of(SLOW) as cell:
        sockets = cell.asked("/ws")
        cell.sim.faults.hold_loop()
        over = time.monotonic() + held
        await eventually(lambda: time.monotonic() > over, "the end of the hold")
        cell.sim.faults.release_loop()
        await eventually(lambda: cell.state.link.kind is LinkKind.LIVE, "a live link", 10)
        batch = await cell.watcher.order(1, model=MODEL)
        await cell.watcher.until(batch, JobStatus.SUCCEEDED, patience=20)
        assert cell.state.link.kind is LinkKind.LIVE
        assert sockets.hits == 0


async def test_a_box_that_is_busy_from_the_first_is_called_so_and_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transport, "CONNECT_SECONDS", 30.0)  # A loop that is held is connected to all the same.
    async with SimServer(SLOW) as sim, proxy_to(sim.url) as proxy:
        sim.faults.hold_loop()
        async with watching(Server.from_url(proxy.url)) as watcher:
            await eventually(lambda: watcher.state.link.kind is LinkKind.BUSY, "busy")
            tried = proxy.accepted
            await eventually(lambda: proxy.accepted >= tried + 8, "some more tries")
            assert watcher.kinds() <= {LinkKind.CONNECTING, LinkKind.BUSY}
            sim.faults.release_loop()
            await watcher.live()
