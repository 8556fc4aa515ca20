"""A link slower than its frames is shown as behind: HTTP reports what matters, and previews are switched off."""

import time

from comfytui.session.model import JobStatus, LinkKind
from comfytui.sim.config import SimConfig
from tests.faults.fault_case import MODEL, FaultCase, fault_case
from tests.shown_run import stall_of, step_of
from tests.timings import FAST, timings
from tests.waiting import eventually

QUICK = SimConfig(steps_per_second=50, load_seconds=0.1, preview_size=256)
SLOW = 60_000
"""Bytes per second; the previews alone would need many times as much."""


def asked_previews(case: FaultCase) -> list[str]:
    return [body["extra_data"]["preview_method"] for body in case.sim.submitted]


async def test_ended_jobs_are_shown_as_ended_while_frames_are_late_and_previews_are_no_longer_requested() -> None:
    async with fault_case(QUICK) as case:
        watcher = case.watcher
        case.proxy.throttle(SLOW)
        first = await watcher.submit(2, previews=True, model=MODEL, steps=40, width=256, height=256)
        await eventually(lambda: case.state.link.lag_seconds, "a link that is behind")
        late = await watcher.submit(1, previews=True, model=MODEL)
        await watcher.until(first, JobStatus.SUCCEEDED)
        # Its frames are still in transit.
        assert case.state.link.lag_seconds
        assert not any(stall_of(state, time.monotonic()) for state in watcher.states if state.link.lag_seconds)
        await watcher.until(late, JobStatus.SUCCEEDED)
        assert case.kinds() <= {LinkKind.CONNECTING, LinkKind.LIVE}
        case.proxy.throttle(None)
        await eventually(lambda: not case.state.link.lag_seconds, "a link that keeps up")
        again = await watcher.submit(1, previews=True, model=MODEL)
        await watcher.until(again, JobStatus.SUCCEEDED)
        assert asked_previews(case) == ["auto", "auto", "none", "auto"]


async def _steps_without_queue_request(case: FaultCase, steps: int) -> bool:
    """Return whether as many steps of the run go by before the next request for the queue."""
    queues, first = case.count_requests("/queue"), step_of(case.state)
    await eventually(lambda: not case.state.runs or queues.hits or step_of(case.state) > first + steps, "steps")
    return bool(case.state.runs) and not queues.hits


async def test_a_link_that_keeps_up_causes_no_further_requests() -> None:
    unhurried = timings(FAST, session={"late_after": 10.0}, poll={"live_busy": 1e6})
    async with fault_case(QUICK, timings=unhurried) as case:
        batch = await case.watcher.submit(1, previews=True, model=MODEL, steps=100, width=256, height=256)
        await eventually(lambda: step_of(case.state) > 1, "its steps")
        counts = case.count_requests("/prompt")
        while not await _steps_without_queue_request(case, 20):
            assert case.state.runs
        assert not counts.hits
        await case.watcher.until(batch, JobStatus.SUCCEEDED)
        assert not any(state.link.lag_seconds for state in case.watcher.states)
