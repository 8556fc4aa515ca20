"""An orphaned socket (one that gets no more frames) is renewed; a stalled server is reported, and its socket kept."""

import time

from comfytui.session.connection.watchdog import MAX_RENEWALS
from comfytui.session.model import JobStatus, LinkKind
from comfytui.sim.config import SimConfig
from tests.faults.fault_case import MODEL, FaultCase, fault_case
from tests.shown_run import running_id, stall_of, step_of
from tests.sim.gate import Gate
from tests.timings import FAST, timings
from tests.waiting import eventually

SLOW = SimConfig(steps_per_second=20, load_seconds=0)
FOREVER = 2_000
"""Steps of a job that does not end during a test."""


async def running(case: FaultCase, steps: int) -> str:
    """Submit an image, and return its id once it runs."""
    batch = await case.watcher.submit(1, model=MODEL, steps=steps)
    await eventually(lambda: step_of(case.state) > 1, "a step")
    case.since = len(case.watcher.states)
    return batch.prompt_ids[0]


async def stepping(case: FaultCase) -> None:
    """Wait for further steps."""
    before = step_of(case.state)
    await eventually(lambda: step_of(case.state) > before, "more steps")


async def test_an_orphaned_socket_is_noticed_by_its_silence_and_renewed_once() -> None:
    async with fault_case(SLOW) as case:
        await running(case, FOREVER)
        sockets = case.count_requests("/ws")
        case.sim.sockets.orphan(case.client_id)
        await case.link_was(LinkKind.ORPHANED)
        await case.watcher.live()
        await stepping(case)
        assert sockets.hits == 1


async def test_each_orphaned_socket_has_its_own_renewals() -> None:
    async with fault_case(SLOW) as case:
        await running(case, FOREVER)
        sockets = case.count_requests("/ws")
        for _ in range(3):
            case.since = len(case.watcher.states)
            case.sim.sockets.orphan(case.client_id)
            await case.link_was(LinkKind.ORPHANED)
            await case.watcher.live()
            await stepping(case)
        assert sockets.hits == 3


async def test_each_job_has_its_own_renewals() -> None:
    impatient = timings(FAST, session={"min_stall": 0.2, "memory_still": 0.1})
    gate = Gate()
    async with fault_case(SimConfig(load_seconds=0), gate, impatient) as case:
        sockets = case.count_requests("/ws")
        case.sim.faults.drop(lambda event, _: event != "status")
        gate.let_start()
        batch = await case.watcher.submit(2, model=MODEL, steps=20)
        await eventually(lambda: sockets.hits >= MAX_RENEWALS, "all renewals")
        case.watcher.service.cancel(batch.prompt_ids[0])
        await eventually(lambda: case.sim.machine.interrupted, "the interrupt")
        await gate.let_steps(1)
        await eventually(lambda: running_id(case.state) == batch.prompt_ids[1], "the next run")
        used_up = sockets.hits
        await eventually(lambda: sockets.hits > used_up, "a renewal of its own")


async def test_an_orphaned_socket_is_noticed_by_what_ended_without_frames_though_the_memory_moves() -> None:
    async with fault_case(SLOW, timings=timings(FAST, session={"memory_still": 1e9})) as case:
        batch = await case.watcher.submit(2, model=MODEL, steps=50)
        await eventually(lambda: step_of(case.state) > 1, "a step")
        case.sim.sockets.orphan(case.client_id)
        await case.link_was(LinkKind.ORPHANED)
        assert case.ran == 1
        await case.watcher.live()
        await stepping(case)
        await case.watcher.until(batch, JobStatus.SUCCEEDED)


async def test_a_socket_orphaned_while_nothing_ran_is_noticed_with_the_next_job() -> None:
    async with fault_case(SLOW) as case:
        case.sim.sockets.orphan(case.client_id)
        batch = await case.watcher.submit(1, model=MODEL, steps=FOREVER)
        await case.link_was(LinkKind.ORPHANED)
        await case.watcher.live()
        await stepping(case)
        assert case.state.jobs[batch.prompt_ids[0]].status is JobStatus.RUNNING


async def test_a_socket_orphaned_by_a_lingering_one_is_fixed_by_one_more_socket() -> None:
    async with fault_case(SLOW) as case:
        await running(case, FOREVER)
        case.proxy.stall()
        # The watchdog may be first to notice, or the ping.
        await case.link_was(LinkKind.OFFLINE, LinkKind.ORPHANED)
        await stepping(case)
        sockets = case.count_requests("/ws")
        case.since = len(case.watcher.states)
        case.proxy.reap()
        await case.link_was(LinkKind.ORPHANED)
        await case.watcher.live()
        await stepping(case)
        assert sockets.hits == 1


async def test_a_stalled_server_is_reported_and_its_socket_renewed_at_most_twice() -> None:
    gate = Gate()
    async with fault_case(SimConfig(load_seconds=0), gate) as case:
        gate.let_start()
        batch = await case.watcher.submit(1, model=MODEL, steps=20)
        await gate.let_steps(3)
        await eventually(lambda: step_of(case.state) == 3, "three steps")
        case.since = len(case.watcher.states)
        sockets, polls = case.count_requests("/ws"), case.count_requests("/queue")
        await eventually(lambda: sockets.hits == 2, "two renewals")
        await case.watcher.live()
        case.since = len(case.watcher.states)
        seen = polls.hits
        await eventually(lambda: polls.hits > seen or silent(case) > 3, "some more time")
        await eventually(lambda: silent(case) > 4, "a long silence")
        assert case.kinds() <= {LinkKind.LIVE}
        assert sockets.hits == 2
        stall = stall_of(case.state, time.monotonic())
        assert stall is not None
        assert not stall.memory_changing
        assert str(stall).endswith("no sign of work")
        await gate.let_all()
        await case.watcher.until(batch, JobStatus.SUCCEEDED)
        assert sockets.hits == 2


def silent(case: FaultCase) -> float:
    """Return the seconds without a step that the user is shown."""
    stall = stall_of(case.state, time.monotonic())
    return stall.seconds if stall else 0.0
