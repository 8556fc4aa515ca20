"""A restarted server has forgotten all jobs; one that is busy, unreachable, or another server has not."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

import httpx
import pytest

from comfytui.presentation.notification_text import lost_jobs_message
from comfytui.service.results import Resent
from comfytui.session.model import MAY_HAVE_FINISHED, Batch, Job, JobStatus, LinkKind
from comfytui.session.selectors import lost_jobs
from comfytui.sim.config import SimConfig
from comfytui.sim.queue import PromptQueue
from comfytui.sim.server import SimServer
from tests.faults.fault_case import MODEL, FaultCase, fault_case
from tests.shown_run import running_id, step_of
from tests.sim.gate import Gate
from tests.timings import FAST, timings
from tests.waiting import eventually
from tests.watcher import Watcher

CONFIG = SimConfig(steps_per_second=20, load_seconds=0.1)
OTHER_CARD = replace(CONFIG, card="NVIDIA A100", vram_gib=80)
OTHER_RAM = replace(CONFIG, ram_gib=128)
SUCCEEDED, LOST = JobStatus.SUCCEEDED, JobStatus.LOST
NOT_LOST = {JobStatus.SUBMITTING, JobStatus.QUEUED, JobStatus.RUNNING, SUCCEEDED}


def ids(sim: SimServer) -> list[str]:
    return [body["prompt_id"] for body in sim.submitted]


def seeds(sim: SimServer, prompt_ids: list[str]) -> list[object]:
    """Return the seeds of these prompts, as they were last sent."""
    graphs = {body["prompt_id"]: body["prompt"] for body in sim.submitted}
    return [
        node["inputs"]["seed"]
        for prompt_id in prompt_ids
        for node in graphs[prompt_id].values()
        if "seed" in node["inputs"]
    ]


async def second_of_four(case: FaultCase, steps: int = 12) -> Batch:
    """Submit a batch of four, and return it when the first image is done and the second runs."""
    batch = await case.watcher.submit(4, model=MODEL, steps=steps)
    first, second = batch.prompt_ids[:2]
    await eventually(lambda: case.state.jobs[first].status is SUCCEEDED, "the first")
    await eventually(lambda: running_id(case.state) == second and step_of(case.state), "a step")
    return batch


def statuses(jobs: list[Job]) -> list[JobStatus]:
    return [job.status for job in jobs]


async def test_jobs_that_a_restarted_server_forgot_are_lost_and_resent_once_in_order() -> None:
    async with fault_case(CONFIG) as case:
        sim, watcher = case.sim, case.watcher
        batch = await second_of_four(case)
        sent = ids(sim)
        wanted = seeds(sim, sent)
        await sim.restart()
        jobs = await watcher.until(batch)
        assert statuses(jobs) == [SUCCEEDED, LOST, LOST, LOST]
        assert [job.note for job in jobs] == ["", MAY_HAVE_FINISHED, "", ""]
        await watcher.live()
        assert ids(sim) == sent
        lost = [job.prompt_id for job in lost_jobs(watcher.state)]
        assert await asyncio.wrap_future(watcher.service.resend(lost)) == Resent(3)
        await eventually(lambda: len(sim.submitted) == 7, "three more prompts")
        again = await watcher.until(batch, SUCCEEDED)
        assert ids(sim)[4:] == sent[1:]
        assert seeds(sim, sent) == wanted
        assert all(job.outputs and not job.note for job in again)
        assert not watcher.messages


async def test_only_the_requested_jobs_are_resent() -> None:
    async with fault_case(CONFIG) as case:
        batch = await second_of_four(case)
        await case.sim.restart()
        await case.watcher.until(batch)
        case.watcher.service.resend([batch.prompt_ids[3], batch.prompt_ids[2], batch.prompt_ids[0]])
        await eventually(lambda: case.watcher.jobs(batch)[3].status is SUCCEEDED, "the last")
        assert ids(case.sim)[4:] == list(batch.prompt_ids[2:])
        assert statuses(case.watcher.jobs(batch)) == [SUCCEEDED, LOST, SUCCEEDED, SUCCEEDED]


async def test_a_job_that_ended_while_the_link_was_down_may_have_finished() -> None:
    async with fault_case(CONFIG) as case:
        batch = await case.watcher.submit(1, model=MODEL, steps=12)
        await eventually(lambda: step_of(case.state), "a step")
        case.proxy.go_down()
        case.proxy.reset_connections()
        await case.all_ran(1)
        await case.sim.restart()
        await case.proxy.come_up()
        (job,) = await case.watcher.until(batch)
        assert (job.status, job.note) == (LOST, MAY_HAVE_FINISHED)


async def test_jobs_that_another_client_clears_are_lost_and_can_be_resent() -> None:
    gate = Gate()
    async with fault_case(CONFIG, gate, timings(FAST, poll={"live_busy": 1e6}, session={"min_stall": 1e6})) as case:
        batch = await case.watcher.submit(3, model=MODEL)
        await gate.let_steps(1)
        await eventually(lambda: step_of(case.state) and case.state.queue_remaining == 3, "a step")
        async with httpx.AsyncClient(base_url=case.sim.url) as other:
            (await other.post("/queue", json={"clear": True})).raise_for_status()
        gone = [JobStatus.RUNNING, LOST, LOST]
        await eventually(lambda: statuses(case.watcher.jobs(batch)) == gone, "the loss")
        # They cannot have run unnoticed: their start would have been seen.
        assert [job.note for job in case.watcher.jobs(batch)] == ["", "", ""]
        lost = lost_jobs(case.state)
        assert "its queue was cleared" in lost_jobs_message(lost)[0]
        case.watcher.service.resend([job.prompt_id for job in lost])
        await gate.let_all()
        await case.watcher.until(batch, SUCCEEDED)
        assert ids(case.sim) == [*batch.prompt_ids, *batch.prompt_ids[1:]]


async def test_a_restart_while_a_batch_is_sent_loses_the_sent_jobs_and_sends_the_rest() -> None:
    async with fault_case(CONFIG) as case:
        with case.sim.faults.delay(0.1, "/prompt", method="POST"):
            batch = await case.watcher.submit(4, model=MODEL)
            await eventually(lambda: len(case.sim.submitted) == 2, "two prompts")
            await case.sim.restart()
        jobs = await case.watcher.until(batch)
        # The third may have been in transit: whether it arrived before the end cannot be known.
        assert jobs[2].status is SUCCEEDED or (jobs[2].status, jobs[2].note) == (LOST, MAY_HAVE_FINISHED)
        assert jobs[3].status is SUCCEEDED
        assert ids(case.sim) in (list(batch.prompt_ids), [*batch.prompt_ids[:2], batch.prompt_ids[3]])


async def test_a_busy_server_has_forgotten_nothing() -> None:
    async with fault_case(CONFIG) as case:
        batch = await second_of_four(case)
        case.since = len(case.watcher.states)
        case.sim.faults.block_loop()
        await case.link_was(LinkKind.BUSY)
        assert LOST not in statuses(case.watcher.jobs(batch))
        case.sim.faults.unblock_loop()
        await check_nothing_was_lost(case.watcher, batch)


async def test_a_server_that_is_away_has_forgotten_nothing() -> None:
    async with fault_case(CONFIG) as case:
        batch = await second_of_four(case)
        case.since = len(case.watcher.states)
        case.proxy.go_down()
        case.proxy.reset_connections()
        await case.link_was(LinkKind.OFFLINE)
        await case.all_ran(4)
        assert LOST not in statuses(case.watcher.jobs(batch))
        await case.proxy.come_up()
        await check_nothing_was_lost(case.watcher, batch)


async def check_nothing_was_lost(watcher: Watcher, batch: Batch) -> None:
    """Check that all jobs succeed, and that none was shown as lost meanwhile."""
    jobs = await watcher.until(batch)
    assert set(statuses(jobs)) == {SUCCEEDED}
    assert not [job for state in watcher.states for job in state.jobs.values() if job.status is LOST]


@asynccontextmanager
async def two_servers(other: SimConfig) -> AsyncIterator[tuple[FaultCase, SimServer]]:
    """Start a batch on one server, then let the address lead to another server."""
    async with fault_case(CONFIG) as case, SimServer(other) as theirs:
        await case.watcher.submit(4, model=MODEL, steps=12)
        await eventually(lambda: step_of(case.state), "a step")
        case.proxy.forward_to(theirs.url)
        case.proxy.reset_connections()
        await case.link_was(LinkKind.OTHER_SERVER)
        yield case, theirs


@pytest.mark.parametrize("other", [OTHER_CARD, OTHER_RAM], ids=["another card", "more memory"])
async def test_another_server_at_the_same_address_is_reported_and_gets_nothing(other: SimConfig) -> None:
    async with two_servers(other) as (case, theirs):
        watcher = case.watcher
        late = await watcher.submit(1, model=MODEL)
        await eventually(lambda: watcher.jobs(late)[0].note.startswith("A different server"), "why it waits")
        await case.all_ran(4)
        assert not theirs.submitted
        assert {job.status for job in watcher.state.jobs.values()} <= NOT_LOST
        case.proxy.forward_to(case.sim.url)
        case.proxy.reset_connections()
        for batch in watcher.state.batches.values():
            await check_nothing_was_lost(watcher, batch)
        await watcher.live()
        assert (len(case.sim.submitted), len(theirs.submitted)) == (5, 0)


async def test_the_first_server_is_followed_again_though_the_socket_to_the_other_stays_open() -> None:
    async with two_servers(OTHER_CARD) as (case, _):
        await eventually(lambda: case.proxy.websockets == 1, "a socket to the other server")
        case.proxy.forward_to(case.sim.url)
        case.proxy.reset_connections(requests_only=True)
        await case.watcher.live()
        batch = await case.watcher.submit(1, model=MODEL, steps=30)
        await eventually(lambda: running_id(case.state) == batch.prompt_ids[0], "its run")
        await eventually(lambda: step_of(case.state) > 2, "its steps")


async def test_the_other_server_can_be_accepted() -> None:
    async with two_servers(OTHER_CARD) as (case, theirs):
        case.watcher.service.accept_server()
        await eventually(lambda: not case.state.jobs, "the state of the other server")
        await case.watcher.live()
        batch = await case.watcher.submit(2, model=MODEL)
        await case.watcher.until(batch, SUCCEEDED)
        assert ids(theirs) == list(batch.prompt_ids)


async def test_jobs_that_were_wrongly_lost_recover() -> None:
    async with fault_case(CONFIG) as case:
        batch = await second_of_four(case, steps=40)
        queue = case.sim.queue
        # The responses of a server that has forgotten them, though it has not.
        with case.sim.faults.drop():
            case.sim.queue = PromptQueue(lambda: None)
            await eventually(lambda: statuses(case.watcher.jobs(batch))[1:] == [LOST] * 3, "the loss")
            case.sim.queue = queue
        jobs = await case.watcher.until(batch, SUCCEEDED)
        assert all(job.outputs and not job.note for job in jobs)
        assert len(ids(case.sim)) == 4
