"""A server that was restarted has forgotten everything; one that is busy, away, or another box has not."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest

from comfytui.comfy.client import ComfyClient
from comfytui.comfy.server import Server
from comfytui.presentation.notification_text import lost_jobs_message
from comfytui.service.connection import poll_schedule
from comfytui.session.model import MAY_HAVE_FINISHED, Batch, Job, JobStatus, LinkKind
from comfytui.session.runs import run
from comfytui.session.selectors import lost_jobs
from comfytui.sim.config import SimConfig
from comfytui.sim.queue import PromptQueue
from comfytui.sim.server import SimServer
from tests.faults.cell import MODEL, Cell, cell_of
from tests.sim.gate import Gate
from tests.waiting import eventually
from tests.watcher import Watcher

pytestmark = pytest.mark.usefixtures("scaled")

BOX = SimConfig(steps_per_second=20, load_seconds=0.1)
OTHER_CARD = replace(BOX, card="NVIDIA A100", vram_gib=80)
OTHER_RAM = replace(BOX, ram_gib=128)
SUCCEEDED, LOST = JobStatus.SUCCEEDED, JobStatus.LOST
NOT_LOST = {JobStatus.SUBMITTING, JobStatus.QUEUED, JobStatus.RUNNING, SUCCEEDED}


def ids(sim: SimServer) -> list[str]:
    return [body["prompt_id"] for body in sim.submitted]


def seeds(sim: SimServer, prompt_ids: list[str]) -> list[object]:
    """The seeds of these prompts, each as it was last sent."""
    graphs = {body["prompt_id"]: body["prompt"] for body in sim.submitted}
    return [
        node["inputs"]["seed"]
        for prompt_id in prompt_ids
        for node in graphs[prompt_id].values()
        if "seed" in node["inputs"]
    ]


async def second_of_four(cell: Cell, steps: int = 12) -> Batch:
    """A batch of four of which the first is done and the second runs."""
    batch = await cell.watcher.order(4, model=MODEL, steps=steps)
    first, second = batch.prompts[:2]
    await eventually(lambda: cell.state.jobs[first].status is SUCCEEDED, "the first")
    await eventually(lambda: cell.state.run and cell.state.run.prompt_id == second and cell.state.run.step, "a step")
    return batch


def statuses(jobs: list[Job]) -> list[JobStatus]:
    return [job.status for job in jobs]


async def test_what_a_restarted_server_forgot_is_lost_and_sent_again_once_in_order() -> None:
    async with cell_of(BOX) as cell:
        sim, watcher = cell.sim, cell.watcher
        batch = await second_of_four(cell)
        sent = ids(sim)
        wanted = seeds(sim, sent)
        await sim.restart()
        jobs = await watcher.until(batch, patience=20)
        assert statuses(jobs) == [SUCCEEDED, LOST, LOST, LOST]
        assert [job.note for job in jobs] == ["", MAY_HAVE_FINISHED, "", ""]
        await watcher.live()
        assert ids(sim) == sent
        watcher.service.resend([job.prompt_id for job in lost_jobs(watcher.state)])
        await eventually(lambda: len(sim.submitted) == 7, "three more prompts")
        again = await watcher.until(batch, SUCCEEDED, patience=20)
        assert ids(sim)[4:] == sent[1:]
        assert seeds(sim, sent) == wanted
        assert all(job.outputs and not job.note for job in again)
        assert not watcher.sentences


async def test_only_what_is_asked_for_is_sent_again() -> None:
    async with cell_of(BOX) as cell:
        batch = await second_of_four(cell)
        await cell.sim.restart()
        await cell.watcher.until(batch, patience=20)
        cell.watcher.service.resend([batch.prompts[3], batch.prompts[2], batch.prompts[0]])
        await eventually(lambda: cell.watcher.jobs(batch)[3].status is SUCCEEDED, "the last")
        assert ids(cell.sim)[4:] == list(batch.prompts[2:])
        assert statuses(cell.watcher.jobs(batch)) == [SUCCEEDED, LOST, SUCCEEDED, SUCCEEDED]


async def test_one_that_ended_unseen_while_the_link_was_down_may_have_finished() -> None:
    async with cell_of(BOX) as cell:
        batch = await cell.watcher.order(1, model=MODEL, steps=12)
        await eventually(lambda: cell.state.run and cell.state.run.step, "a step")
        cell.proxy.go_down()
        cell.proxy.cut()
        await cell.worked_off(1)
        await cell.sim.restart()
        await cell.proxy.come_up()
        (job,) = await cell.watcher.until(batch, patience=20)
        assert (job.status, job.note) == (LOST, MAY_HAVE_FINISHED)


async def test_what_another_user_clears_out_of_the_queue_is_lost_and_can_be_sent_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(poll_schedule, "LIVE_BUSY", 1e6)
    monkeypatch.setattr(run, "MIN_STALL_SECONDS", 1e6)
    gate = Gate()
    async with cell_of(BOX, gate) as cell:
        batch = await cell.watcher.order(3, model=MODEL)
        await gate.let_steps(1)
        await eventually(lambda: cell.state.run and cell.state.run.step and cell.state.queue_remaining == 3, "a step")
        async with ComfyClient(Server.from_url(cell.sim.url)) as other:
            await other.clear()
        gone = [JobStatus.RUNNING, LOST, LOST]
        await eventually(lambda: statuses(cell.watcher.jobs(batch)) == gone, "the loss")
        # Nobody may think that they have run: their turn would have been seen.
        assert [job.note for job in cell.watcher.jobs(batch)] == ["", "", ""]
        lost = lost_jobs(cell.state)
        assert "its queue was cleared" in lost_jobs_message(lost)[0]
        cell.watcher.service.resend([job.prompt_id for job in lost])
        await gate.let_all()
        await cell.watcher.until(batch, SUCCEEDED)
        assert ids(cell.sim) == [*batch.prompts, *batch.prompts[1:]]


async def test_a_restart_while_a_batch_is_sent_loses_what_was_sent_and_sends_the_rest() -> None:
    async with cell_of(BOX) as cell:
        with cell.sim.faults.delay(0.1, "/prompt", method="POST"):
            batch = await cell.watcher.order(4, model=MODEL)
            await eventually(lambda: len(cell.sim.submitted) == 2, "two prompts")
            await cell.sim.restart()
        jobs = await cell.watcher.until(batch, patience=20)
        # The third may have been on its way: whether it came before the end cannot be known.
        assert jobs[2].status is SUCCEEDED or (jobs[2].status, jobs[2].note) == (LOST, MAY_HAVE_FINISHED)
        assert jobs[3].status is SUCCEEDED
        assert ids(cell.sim) in (list(batch.prompts), [*batch.prompts[:2], batch.prompts[3]])


async def test_a_busy_server_has_forgotten_nothing() -> None:
    async with cell_of(BOX) as cell:
        batch = await second_of_four(cell)
        cell.since = len(cell.watcher.states)
        cell.sim.faults.hold_loop()
        await cell.told(LinkKind.BUSY)
        assert LOST not in statuses(cell.watcher.jobs(batch))
        cell.sim.faults.release_loop()
        await calm(cell.watcher, batch)


async def test_a_server_that_is_away_has_forgotten_nothing() -> None:
    async with cell_of(BOX) as cell:
        batch = await second_of_four(cell)
        cell.since = len(cell.watcher.states)
        cell.proxy.go_down()
        cell.proxy.cut()
        await cell.told(LinkKind.OFFLINE)
        await cell.worked_off(4)
        assert LOST not in statuses(cell.watcher.jobs(batch))
        await cell.proxy.come_up()
        await calm(cell.watcher, batch)


async def calm(watcher: Watcher, batch: Batch) -> None:
    """All succeed, and none was called lost on the way."""
    jobs = await watcher.until(batch, patience=20)
    assert set(statuses(jobs)) == {SUCCEEDED}
    assert not [job for state in watcher.states for job in state.jobs.values() if job.status is LOST]


@asynccontextmanager
async def two_boxes(other: SimConfig) -> AsyncIterator[tuple[Cell, SimServer]]:
    """A batch that runs on one box, and another box to whom the address leads from now on."""
    async with cell_of(BOX) as cell, SimServer(other) as theirs:
        await cell.watcher.order(4, model=MODEL, steps=12)
        await eventually(lambda: cell.state.run and cell.state.run.step, "a step")
        cell.proxy.lead_to(theirs.url)
        cell.proxy.cut()
        await cell.told(LinkKind.OTHER_BOX)
        yield cell, theirs


@pytest.mark.parametrize("other", [OTHER_CARD, OTHER_RAM], ids=["another card", "more memory"])
async def test_another_box_behind_the_same_address_is_told_and_gets_nothing(other: SimConfig) -> None:
    async with two_boxes(other) as (cell, theirs):
        watcher = cell.watcher
        late = await watcher.order(1, model=MODEL)
        await eventually(lambda: watcher.jobs(late)[0].note.startswith("A different server"), "why it waits")
        await cell.worked_off(4)
        assert not theirs.submitted
        assert {job.status for job in watcher.state.jobs.values()} <= NOT_LOST
        cell.proxy.lead_to(cell.sim.url)
        cell.proxy.cut()
        for batch in watcher.state.batches.values():
            await calm(watcher, batch)
        await watcher.live()
        assert (len(cell.sim.submitted), len(theirs.submitted)) == (5, 0)


async def test_the_old_box_is_heard_again_though_the_socket_to_the_other_one_stands() -> None:
    async with two_boxes(OTHER_CARD) as (cell, _):
        await eventually(lambda: cell.proxy.websockets == 1, "a socket to the other box")
        cell.proxy.lead_to(cell.sim.url)
        cell.proxy.cut(requests_only=True)
        await cell.watcher.live()
        batch = await cell.watcher.order(1, model=MODEL, steps=30)
        await eventually(lambda: cell.state.run and cell.state.run.prompt_id == batch.prompts[0], "its run")
        await eventually(lambda: cell.state.run and cell.state.run.step > 2, "its steps")


async def test_the_other_box_can_be_taken() -> None:
    async with two_boxes(OTHER_CARD) as (cell, theirs):
        cell.watcher.service.accept_server()
        await cell.watcher.live()
        assert not cell.state.jobs
        batch = await cell.watcher.order(2, model=MODEL)
        await cell.watcher.until(batch, SUCCEEDED, patience=20)
        assert ids(theirs) == list(batch.prompts)


async def test_jobs_that_were_wrongly_called_lost_heal() -> None:
    async with cell_of(BOX) as cell:
        batch = await second_of_four(cell, steps=40)
        queue = cell.sim.queue
        # The answers of a server that has forgotten them, though it has not.
        with cell.sim.faults.drop():
            cell.sim.queue = PromptQueue(lambda: None)
            await eventually(lambda: statuses(cell.watcher.jobs(batch))[1:] == [LOST] * 3, "the loss")
            cell.sim.queue = queue
        jobs = await cell.watcher.until(batch, SUCCEEDED, patience=30)
        assert all(job.outputs and not job.note for job in jobs)
        assert len(ids(cell.sim)) == 4
