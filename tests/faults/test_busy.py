"""A busy server keeps its socket: neither a loading model nor a blocked event loop counts as a dead socket."""

import time

import pytest

from comfytui.comfy.server import Server
from comfytui.session.model import JobStatus, LinkKind
from comfytui.sim.config import SimConfig
from comfytui.sim.server import SimServer
from tests.faults.fault_case import MODEL, FaultCase, fault_case
from tests.faults.proxy import proxy_to
from tests.shown_run import stall_of, step_of
from tests.timings import FAST, timings
from tests.waiting import eventually
from tests.watcher import watching

SLOW = SimConfig(steps_per_second=20, load_seconds=0)
LONG_LOAD = SimConfig(steps_per_second=20, load_seconds=4)
BIG_MODEL = "juggernautXL_v9.safetensors"


async def test_a_long_load_within_its_limit_is_no_silence() -> None:
    async with fault_case(LONG_LOAD) as case:
        sockets = case.count_requests("/ws")
        batch = await case.watcher.submit(1, model=BIG_MODEL)
        await case.watcher.until(batch, JobStatus.SUCCEEDED)
        assert case.kinds() <= {LinkKind.LIVE, LinkKind.CONNECTING, LinkKind.POLLING}
        assert sockets.hits == 0


async def test_a_load_longer_than_its_limit_is_a_stall_while_memory_changes() -> None:
    async with fault_case(LONG_LOAD, timings=timings(FAST, session={"load_stall": 0.8})) as case:
        sockets = case.count_requests("/ws")
        batch = await case.watcher.submit(1, model=BIG_MODEL)
        await eventually(lambda: stalled(case), "a stall")
        assert stalled(case).endswith("memory still moving, loading a model?")
        await case.watcher.until(batch, JobStatus.SUCCEEDED)
        assert LinkKind.ORPHANED not in case.kinds()
        assert sockets.hits == 0


def stalled(case: FaultCase) -> str:
    """Return the text that the user gets about a stall."""
    stall = stall_of(case.state, time.monotonic())
    return str(stall) if stall else ""


async def test_a_blocked_loop_is_busy_and_its_socket_kept() -> None:
    async with fault_case(SLOW) as case:
        batch = await case.watcher.submit(1, model=MODEL, steps=100)
        await eventually(lambda: step_of(case.state) > 1, "a step")
        case.since = len(case.watcher.states)
        sockets = case.count_requests("/ws")
        case.sim.faults.block_loop()
        await case.link_was(LinkKind.BUSY)
        # The server goes on working: it just does not answer.
        await case.all_ran(1)
        assert case.kinds() <= {LinkKind.LIVE, LinkKind.BUSY}
        assert case.state.link.kind is LinkKind.BUSY
        case.sim.faults.unblock_loop()
        await case.watcher.live()
        await case.watcher.until(batch, JobStatus.SUCCEEDED)
        assert case.kinds() <= {LinkKind.LIVE, LinkKind.BUSY}
        assert (sockets.hits, case.proxy.websockets) == (0, 1)


async def test_a_loop_that_is_blocked_again_and_again_costs_no_socket() -> None:
    async with fault_case(SLOW) as case:
        sockets = case.count_requests("/ws")
        for _ in range(3):
            case.since = len(case.watcher.states)
            case.sim.faults.block_loop()
            await case.link_was(LinkKind.BUSY)
            case.sim.faults.unblock_loop()
            await case.watcher.live()
        assert sockets.hits == 0


async def test_a_half_open_link_is_not_busy() -> None:
    async with fault_case(SLOW) as case:
        case.since = len(case.watcher.states)
        began = time.monotonic()
        case.proxy.stall()
        await case.link_was(LinkKind.OFFLINE)
        # A ping, its pong and the probe at their scaled lengths, and as much again for a machine that is busy.
        assert time.monotonic() - began < 2 * (0.6 + 0.5 + 0.7) + 1
        await case.watcher.live()
        assert LinkKind.BUSY not in case.kinds()


async def test_a_busy_server_that_dies_is_not_busy_any_more() -> None:
    async with fault_case(SLOW) as case:
        case.since = len(case.watcher.states)
        case.sim.faults.block_loop()
        await case.link_was(LinkKind.BUSY)
        await case.sim.stop(killed=True)
        await case.link_was(LinkKind.OFFLINE)
        await case.sim.restart()
        await case.watcher.live()


@pytest.mark.parametrize("blocked", [0.75, 1.0, 1.3, 1.6, 2.2])
async def test_whenever_a_blocked_loop_wakes_up_its_socket_is_kept_and_receives_again(blocked: float) -> None:
    async with fault_case(SLOW) as case:
        sockets = case.count_requests("/ws")
        case.sim.faults.block_loop()
        over = time.monotonic() + blocked
        await eventually(lambda: time.monotonic() > over, "the end of the hold")
        case.sim.faults.unblock_loop()
        await eventually(lambda: case.state.link.kind is LinkKind.LIVE, "a live link")
        batch = await case.watcher.submit(1, model=MODEL)
        await case.watcher.until(batch, JobStatus.SUCCEEDED)
        assert case.state.link.kind is LinkKind.LIVE
        assert sockets.hits == 0


async def test_a_server_busy_from_the_start_is_shown_as_busy_only() -> None:
    patient = timings(FAST, http={"connect": 30.0})  # A blocked loop still accepts connections.
    async with SimServer(SLOW) as sim, proxy_to(sim.url) as proxy:
        sim.faults.block_loop()
        async with watching(Server.from_url(proxy.url), timings=patient) as watcher:
            await eventually(lambda: watcher.state.link.kind is LinkKind.BUSY, "busy")
            tried = proxy.accepted
            await eventually(lambda: proxy.accepted >= tried + 8, "some more tries")
            assert watcher.kinds() <= {LinkKind.CONNECTING, LinkKind.BUSY}
            sim.faults.unblock_loop()
            await watcher.live()
