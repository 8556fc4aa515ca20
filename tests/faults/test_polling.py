"""Without any websocket everything works over HTTP, lightly, and the link comes back to life by itself."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from comfytui.comfy.client import ComfyClient
from comfytui.comfy.server import Server
from comfytui.service.connection import socket_task
from comfytui.session.model import JobStatus, LinkKind
from comfytui.session.progress import Stage
from comfytui.sim.config import SimConfig
from comfytui.sim.server import SimServer
from tests.faults.fault_case import MODEL, Cell
from tests.faults.proxy import proxy_to
from tests.waiting import eventually
from tests.watcher import small_order, watching

pytestmark = pytest.mark.usefixtures("scaled")

SLOW = SimConfig(steps_per_second=20, load_seconds=0)
SUCCEEDED = JobStatus.SUCCEEDED
LONG_QUEUE = 300


@asynccontextmanager
async def polling(config: SimConfig = SLOW) -> AsyncIterator[Cell]:
    """A service behind a proxy that has stripped upgrades from the first."""
    async with SimServer(config) as sim, proxy_to(sim.url) as proxy:
        proxy.strip_upgrades()
        async with watching(Server.from_url(proxy.url)) as watcher:
            await eventually(lambda: watcher.state.link.kind is LinkKind.POLLING, "polling")
            yield Cell(sim, proxy, watcher)


async def foreign(cell: Cell, images: int, steps: int = 12) -> list[str]:
    """Prompts of another user, all taken by the server."""
    ids = [f"{number:08x}-1111-4111-8111-111111111111" for number in range(images)]
    async with ComfyClient(Server.from_url(cell.sim.url)) as other:
        for prompt_id, graph in zip(ids, small_order(images, model=MODEL, steps=steps).graphs, strict=True):
            await other.submit(graph, prompt_id=prompt_id, client_id="they", marks={})
    return ids


@pytest.mark.parametrize("like", ["0.33.0", "0.3.64", "0.3.40"])
async def test_a_batch_over_http_alone(like: str) -> None:
    async with polling(SimConfig(steps_per_second=20, load_seconds=0, like=like)) as cell:
        batch = await cell.watcher.order(3, model=MODEL, steps=16)  # longer than a poll
        jobs = await cell.watcher.until(batch, SUCCEEDED, patience=20)
        assert [len(job.outputs) for job in jobs] == [1, 1, 1]
        assert len(cell.sim.submitted) == 3
        seen = cell.watcher.seen(batch)
        running = [progress for progress in seen if progress.stage is Stage.RUNNING]
        assert [n for n in (1, 2, 3) if any(progress.image_index == n for progress in running)] == [1, 2, 3]
        assert {progress.current_step for progress in seen} == {0}
        fractions = [progress.batch_fraction for progress in seen]
        assert fractions == sorted(fractions)
        await eventually(lambda: cell.watcher.seen(batch)[-1].batch_fraction == 1, "the whole batch to be told")
        assert cell.kinds() <= {LinkKind.CONNECTING, LinkKind.OFFLINE, LinkKind.NOT_COMFYUI, LinkKind.POLLING}
        assert cell.state.link.kind is LinkKind.POLLING
        assert cell.state.link.reason


async def test_the_jobs_of_others_over_http_alone() -> None:
    async with polling() as cell:
        first, second = await foreign(cell, 2)
        await eventually(lambda: len(cell.state.jobs) == 2, "both")
        assert {job.owner for job in cell.state.jobs.values()} == {"they"}
        await eventually(lambda: cell.state.jobs[first].status is JobStatus.RUNNING, "the run")
        await eventually(lambda: cell.state.jobs[second].outputs, "the picture")
        assert [cell.state.jobs[key].status for key in (first, second)] == [SUCCEEDED] * 2
        await eventually(lambda: cell.state.queue_remaining == 0, "an empty queue")


@pytest.mark.parametrize("like", ["0.33.0", "0.3.40"])
async def test_one_that_went_while_another_came_is_noticed(like: str) -> None:
    async with polling(SimConfig(steps_per_second=20, load_seconds=0, like=like)) as cell:
        batch = await cell.watcher.order(1, model=MODEL, steps=20)
        await cell.watcher.until(batch, JobStatus.RUNNING)
        # The length of the queue is the same before and after.
        with cell.sim.faults.hold_responses(method="GET"):
            await cell.worked_off(1)
            (other,) = await foreign_while_held(cell)
        await cell.watcher.until(batch, SUCCEEDED, patience=20)
        await eventually(lambda: other in cell.state.jobs, "the other's")


async def foreign_while_held(cell: Cell) -> list[str]:
    """A long prompt of another user, put straight into the queue."""
    (graph,) = small_order(1, model=MODEL, steps=400).graphs
    cell.sim.submissions.submit({"prompt": graph, "client_id": "they"})
    await eventually(lambda: cell.sim.queue.running, "its run")
    assert cell.sim.queue.running is not None
    return [cell.sim.queue.running[1]]


@pytest.fixture
def no_more_tries(scaled: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """A wire that was given up is not tried again: each try is followed by a look."""
    monkeypatch.setattr(socket_task, "GIVEN_UP_PAUSE", 1e6)


@pytest.mark.usefixtures("no_more_tries")
async def test_a_long_queue_is_read_only_when_it_changed() -> None:
    slow = SimConfig(steps_per_second=2, load_seconds=0)
    async with polling(slow) as cell:
        await foreign(cell, LONG_QUEUE, steps=1_000)
        batch = await cell.watcher.order(2, model=MODEL)
        await eventually(lambda: len(cell.state.jobs) == LONG_QUEUE + 2, "the whole queue")
        await cell.watcher.until(batch, JobStatus.QUEUED)
        # Read after both were sent, so no look is still to come that they asked for.
        await eventually(lambda: cell.state.queue_remaining == LONG_QUEUE + 2, "all of it at once")
        queue, count, jobs = cell.asked("/queue"), cell.asked("/prompt"), cell.asked("/jobs")
        await eventually(lambda: count.hits >= 15, "fifteen polls")
        assert queue.hits == 0
        assert jobs.hits <= count.hits
        cell.sim.queue.delete(batch.prompts[1])
        await eventually(lambda: cell.state.queue_remaining == LONG_QUEUE + 1, "the change")
        assert queue.hits == 1
        assert count.hits < 60


@pytest.mark.usefixtures("no_more_tries")
async def test_nothing_is_read_again_while_nothing_runs() -> None:
    async with polling() as cell:
        queue, count = cell.asked("/queue"), cell.asked("/prompt")
        await eventually(lambda: count.hits >= 6, "six polls")
        assert queue.hits == 0


@pytest.mark.usefixtures("no_more_tries")
async def test_a_server_that_answers_again_is_busy_no_more_though_there_is_nothing_new() -> None:
    async with polling() as cell:
        with cell.sim.faults.hold_responses(method="GET"):
            await cell.told(LinkKind.BUSY)
        await eventually(lambda: cell.state.link.kind is LinkKind.POLLING, "an answer")


async def test_it_comes_back_to_life_by_itself_in_the_middle_of_a_batch() -> None:
    async with polling() as cell:
        batch = await cell.watcher.order(2, model=MODEL, steps=60)
        await cell.watcher.until(batch, JobStatus.QUEUED, JobStatus.RUNNING)
        cell.proxy.strip_upgrades(False)
        await cell.watcher.live()
        await eventually(lambda: cell.state.run and cell.state.run.step, "a step")
        jobs = await cell.watcher.until(batch, SUCCEEDED, patience=20)
        assert all(job.outputs for job in jobs)
