"""Reconnecting leaks no task, thread, socket or file, and memory stays flat."""

import subprocess
import sys
from pathlib import Path

import pytest

from comfytui.comfy.server import Server
from comfytui.session.model import LinkKind
from comfytui.sim.config import SimConfig
from comfytui.sim.server import SimServer
from tests.faults.fault_case import FaultCase, fault_case
from tests.faults.leak_check import count_connections, count_tasks, leaked_connections, leaked_tasks
from tests.timings import FAST, timings
from tests.waiting import eventually
from tests.watcher import watching

ROOT = Path(__file__).parents[2]
CYCLES = 1_000
WARM = 30
"""Cycles until all caches and pools are filled."""
CALM = SimConfig(steps_per_second=0, load_seconds=0)
AT_ONCE = timings(FAST, socket={"first_delay": 0.0, "longest_delay": 0.0}, poll={"rest_factor": 0})
"""Reconnects without a pause."""


async def closed_by_the_server(case: FaultCase, times: int) -> None:
    """Accept, greet and close sockets, one after another."""
    closing = case.sim.faults.close_sockets(greeted=True, times=times)
    case.proxy.reset_connections(websockets_only=True)
    await eventually(lambda: closing.hits == times, "the closings", 90)


async def reset_by_the_server(case: FaultCase, times: int) -> None:
    """Accept, greet and reset sockets, one after another."""
    closing = case.sim.faults.close_sockets(greeted=True, code=None, times=times)
    case.proxy.reset_connections(websockets_only=True)
    await eventually(lambda: closing.hits == times, "the cuts", 90)


async def renewed_by_the_user(case: FaultCase, times: int) -> None:
    """Close sockets from the client's side, one after another."""
    sockets = case.count_requests("/ws")
    for _ in range(times):
        before = sockets.hits
        case.watcher.service.reconnect()
        await eventually(lambda hits=before: sockets.hits > hits, "a new socket")  # type: ignore[misc]
    sockets.end()


@pytest.mark.parametrize("cycle", [closed_by_the_server, reset_by_the_server])
async def test_a_thousand_connections_leave_nothing(cycle: object) -> None:
    assert callable(cycle)
    async with fault_case(CALM, timings=AT_ONCE) as case:
        await cycle(case, WARM)
        await one_socket_is_open(case)
        tasks = await count_tasks(case.watcher.service)
        await cycle(case, CYCLES)
        await check_no_leaks(case, tasks)


async def test_renewals_leave_nothing() -> None:
    async with fault_case(CALM, timings=AT_ONCE) as case:
        await renewed_by_the_user(case, WARM)
        await one_socket_is_open(case)
        tasks = await count_tasks(case.watcher.service)
        await renewed_by_the_user(case, CYCLES // 5)
        await check_no_leaks(case, tasks)


async def one_socket_is_open(case: FaultCase) -> None:
    """Wait until exactly one socket is open."""
    await eventually(
        lambda: case.state.link.kind is LinkKind.LIVE and case.proxy.websockets == 1 and case.proxy.lingering == 0,
        "one socket",
    )


async def check_no_leaks(case: FaultCase, tasks: int) -> None:
    """Check that neither tasks nor connections are left."""
    await one_socket_is_open(case)
    assert await leaked_tasks(case.watcher.service, tasks) == 0
    assert await leaked_connections(case.proxy.url) == 0


async def test_a_stopped_service_leaves_nothing() -> None:
    async with SimServer(CALM) as sim:
        for _ in range(25):
            async with watching(Server.from_url(sim.url), timings=FAST) as watcher:
                await watcher.live()
            assert count_connections(sim.url) == 0


MANY_FRAMES = """
import sys
from pathlib import Path
from tests.bench import many_frames
from tests.bench.rounds import FULL

for row in many_frames.rows(Path(sys.argv[1]), FULL):
    assert row.measured <= row.limit, row
"""


def test_memory_is_flat_over_a_hundred_thousand_frames(tmp_path: Path) -> None:
    # Apart from what other tests left to the allocator of this process.
    command = [sys.executable, "-c", MANY_FRAMES, str(tmp_path)]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
