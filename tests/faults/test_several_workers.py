"""Faults while three prompts of mine run at once: each job ends as it did on the server, and is reported once."""

import time
from collections import Counter
from functools import partial

import pytest

from comfytui.service.notifications import JobEnded
from comfytui.session.connection.watchdog import MAX_RENEWALS
from comfytui.session.model import Batch, JobStatus, LinkKind
from comfytui.session.progress import progress_of
from comfytui.sim.config import SimConfig
from tests.faults.fault_case import MODEL, FaultCase, fault_case
from tests.shown_run import stall_of
from tests.sim.gate import Gate
from tests.waiting import eventually

THREE = SimConfig(steps_per_second=20, load_seconds=0, workers=3)
FOREVER = 2_000
"""Steps of a job that does not end during a test."""


async def all_stepping(case: FaultCase, images: int, steps: int) -> Batch:
    """Submit a batch, and return it when three of its images have done a step."""
    batch = await case.watcher.submit(images, model=MODEL, steps=steps)
    await eventually(lambda: sum(run.step > 0 for run in case.state.runs.values()) == 3, "three runs")
    case.since = len(case.watcher.states)
    return batch


async def stepping(case: FaultCase) -> None:
    """Wait for a further step of each run."""
    before = {key: run.step for key, run in case.state.runs.items()}
    await eventually(lambda: all(case.state.runs[key].step > step for key, step in before.items()), "more steps")


async def ended_once(case: FaultCase, batch: Batch, *statuses: JobStatus) -> None:
    """Wait for the ends of a batch, and check that they are these, and that each was reported once."""
    jobs = await case.watcher.until(batch)
    assert tuple(job.status for job in jobs) == statuses
    await eventually(lambda: not case.state.runs, "the end of the runs")
    await eventually(lambda: len(ends(case)) == len(statuses), "the reports")
    assert ends(case) == Counter(batch.prompt_ids)


def ends(case: FaultCase) -> Counter[str]:
    """Return how often the end of each job was reported."""
    return Counter(each.job.prompt_id for each in case.watcher.notifications if isinstance(each, JobEnded))


@pytest.mark.parametrize("missed", [False, True], ids=["a reset", "an outage until all have ended"])
async def test_after_a_drop_of_the_link_each_run_ends_as_it_did(missed: bool) -> None:
    async with fault_case(THREE) as case:
        batch = await all_stepping(case, 4, steps=60)
        if missed:
            case.proxy.go_down()
        else:
            case.proxy.reset_connections(websockets_only=True)
        case.sim.machine.interrupted.add(batch.prompt_ids[2])
        if missed:
            await case.all_ran(4)
            await case.proxy.come_up()
        succeeded = JobStatus.SUCCEEDED
        await ended_once(case, batch, succeeded, succeeded, JobStatus.INTERRUPTED, succeeded)
        assert len(case.sim.submitted) == 4


async def test_without_a_socket_polls_tell_which_of_them_run() -> None:
    async with fault_case(THREE) as case:
        batch = await all_stepping(case, 4, steps=FOREVER)
        case.proxy.strip_upgrades()
        case.proxy.reset_connections(websockets_only=True)
        await case.link_was(LinkKind.POLLING)
        assert len(case.state.runs) == 3
        for ending in batch.prompt_ids[:2]:
            case.sim.machine.interrupted.add(ending)
            await eventually(partial(_has_ended, case, ending), "its end")
        await eventually(lambda: len(case.state.runs) == 2, "the fourth run")
        shown = progress_of(case.state, case.state.batches[batch.id], time.monotonic())
        assert (shown.image_index, shown.also_running, shown.unobserved) == (3, 1, True)
        case.sim.machine.interrupted.update(batch.prompt_ids)
        await ended_once(case, batch, *[JobStatus.INTERRUPTED] * 4)


async def test_an_orphaned_socket_is_renewed_once_for_all_runs() -> None:
    async with fault_case(THREE) as case:
        await all_stepping(case, 3, steps=FOREVER)
        sockets = case.count_requests("/ws")
        case.sim.sockets.orphan(case.client_id)
        await case.link_was(LinkKind.ORPHANED)
        await case.watcher.live()
        await stepping(case)
        assert sockets.hits == 1


async def test_a_stalled_server_has_its_socket_renewed_no_more_often_for_three_runs() -> None:
    gate = Gate()
    async with fault_case(SimConfig(load_seconds=0, workers=3), gate) as case:
        gate.let_start()
        batch = await case.watcher.submit(3, model=MODEL, steps=20)
        await gate.let_steps(9)
        await eventually(lambda: len(case.state.runs) == 3, "three runs")
        sockets = case.count_requests("/ws")
        await eventually(lambda: sockets.hits == MAX_RENEWALS, "the renewals")
        await case.watcher.live()
        await eventually(lambda: silent(case) > 4, "a long silence")
        assert sockets.hits == MAX_RENEWALS
        await gate.let_all()
        await ended_once(case, batch, *[JobStatus.SUCCEEDED] * 3)


def _has_ended(case: FaultCase, prompt_id: str) -> bool:
    return prompt_id not in case.state.runs


def silent(case: FaultCase) -> float:
    """Return the seconds without a step of the run that is shown."""
    stall = stall_of(case.state, time.monotonic())
    return stall.seconds if stall else 0.0
