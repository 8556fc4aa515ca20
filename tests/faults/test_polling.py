"""Without WebSockets everything works over HTTP with few requests, and the link recovers by itself."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from comfytui.comfy.client import ComfyClient
from comfytui.comfy.server import Server
from comfytui.session.model import JobStatus, LinkKind
from comfytui.session.progress import Stage
from comfytui.sim.config import SimConfig
from comfytui.sim.server import SimServer
from comfytui.timings import Timings
from tests.faults.fault_case import MODEL, FaultCase
from tests.faults.proxy import proxy_to
from tests.shown_run import step_of
from tests.timings import FAST, timings
from tests.waiting import eventually
from tests.watcher import small_batch, watching

SLOW = SimConfig(steps_per_second=20, load_seconds=0)
SUCCEEDED = JobStatus.SUCCEEDED
LONG_QUEUE = 300
NO_MORE_TRIES = timings(FAST, connection={"given_up_pause": 1e6})
"""A socket that was given up is not retried, since each retry is followed by a poll."""


@asynccontextmanager
async def polling(config: SimConfig = SLOW, timings: Timings = FAST) -> AsyncIterator[FaultCase]:
    """Start a service behind a proxy that strips upgrades from the start."""
    async with SimServer(config) as sim, proxy_to(sim.url) as proxy:
        proxy.strip_upgrades()
        async with watching(Server.from_url(proxy.url), timings=timings) as watcher:
            await eventually(lambda: watcher.state.link.kind is LinkKind.POLLING, "polling")
            yield FaultCase(sim, proxy, watcher)


async def submit_as_other_client(case: FaultCase, images: int, steps: int = 12) -> list[str]:
    """Submit prompts as another client, and return their ids."""
    ids = [f"{number:08x}-1111-4111-8111-111111111111" for number in range(images)]
    async with ComfyClient(Server.from_url(case.sim.url)) as other:
        for prompt_id, graph in zip(ids, small_batch(images, model=MODEL, steps=steps).graphs, strict=True):
            await other.submit(graph, prompt_id=prompt_id, client_id="they", tag={})
    return ids


@pytest.mark.parametrize("like", ["0.33.0", "0.3.64", "0.3.40"])
async def test_a_batch_completes_over_http_alone(like: str) -> None:
    async with polling(SimConfig(steps_per_second=20, load_seconds=0, like=like)) as case:
        batch = await case.watcher.submit(3, model=MODEL, steps=16)  # longer than a poll
        jobs = await case.watcher.until(batch, SUCCEEDED)
        assert [len(job.outputs) for job in jobs] == [1, 1, 1]
        assert len(case.sim.submitted) == 3
        seen = case.watcher.seen(batch)
        running = [progress for progress in seen if progress.stage is Stage.RUNNING]
        assert [n for n in (1, 2, 3) if any(progress.image_index == n for progress in running)] == [1, 2, 3]
        assert {progress.current_step for progress in seen} == {0}
        fractions = [progress.batch_fraction for progress in seen]
        assert fractions == sorted(fractions)
        await eventually(lambda: case.watcher.seen(batch)[-1].batch_fraction == 1, "the end of the whole batch")
        assert case.kinds() <= {LinkKind.CONNECTING, LinkKind.OFFLINE, LinkKind.NOT_COMFYUI, LinkKind.POLLING}
        assert case.state.link.kind is LinkKind.POLLING
        assert case.state.link.reason


async def test_jobs_of_other_clients_are_followed_over_http_alone() -> None:
    async with polling() as case:
        first, second = await submit_as_other_client(case, 2)
        await eventually(lambda: len(case.state.jobs) == 2, "both")
        assert {job.owner for job in case.state.jobs.values()} == {"they"}
        await eventually(lambda: case.state.jobs[first].status is JobStatus.RUNNING, "the run")
        await eventually(lambda: case.state.jobs[second].outputs, "the image")
        assert [case.state.jobs[key].status for key in (first, second)] == [SUCCEEDED] * 2
        await eventually(lambda: case.state.queue_remaining == 0, "an empty queue")


@pytest.mark.parametrize("like", ["0.33.0", "0.3.40"])
async def test_a_job_that_ends_while_another_is_queued_is_noticed(like: str) -> None:
    async with polling(SimConfig(steps_per_second=20, load_seconds=0, like=like)) as case:
        batch = await case.watcher.submit(1, model=MODEL, steps=20)
        await case.watcher.until(batch, JobStatus.RUNNING)
        # The length of the queue is the same before and after.
        with case.sim.faults.hold_responses(method="GET"):
            await case.all_ran(1)
            (other,) = await run_for_other_client(case)
        await case.watcher.until(batch, SUCCEEDED)
        await eventually(lambda: other in case.state.jobs, "the other's")


async def run_for_other_client(case: FaultCase) -> list[str]:
    """Put a long prompt of another client straight into the server's queue."""
    (graph,) = small_batch(1, model=MODEL, steps=400).graphs
    case.sim.submissions.submit({"prompt": graph, "client_id": "they"})
    await eventually(lambda: case.sim.queue.running, "its run")
    return [item[1] for item in case.sim.queue.running]


async def test_a_long_queue_is_read_only_when_it_changed() -> None:
    slow = SimConfig(steps_per_second=2, load_seconds=0)
    async with polling(slow, NO_MORE_TRIES) as case:
        await submit_as_other_client(case, LONG_QUEUE, steps=1_000)
        batch = await case.watcher.submit(2, model=MODEL)
        await eventually(lambda: len(case.state.jobs) == LONG_QUEUE + 2, "the whole queue")
        await case.watcher.until(batch, JobStatus.QUEUED)
        # Read after both were sent, so none of the polls that they cause is still to come.
        await eventually(lambda: case.state.queue_remaining == LONG_QUEUE + 2, "all of it at once")
        queue, count, jobs = case.count_requests("/queue"), case.count_requests("/prompt"), case.count_requests("/jobs")
        await eventually(lambda: count.hits >= 15, "fifteen polls")
        assert queue.hits == 0
        assert jobs.hits <= count.hits
        case.sim.queue.delete(batch.prompt_ids[1])
        await eventually(lambda: case.state.queue_remaining == LONG_QUEUE + 1, "the change")
        assert queue.hits == 1
        assert count.hits < 60


async def test_nothing_is_read_again_while_nothing_runs() -> None:
    async with polling(timings=NO_MORE_TRIES) as case:
        queue, count = case.count_requests("/queue"), case.count_requests("/prompt")
        await eventually(lambda: count.hits >= 6, "six polls")
        assert queue.hits == 0


async def test_a_server_that_answers_again_is_busy_no_more_though_there_is_nothing_new() -> None:
    async with polling(timings=NO_MORE_TRIES) as case:
        with case.sim.faults.hold_responses(method="GET"):
            await case.link_was(LinkKind.BUSY)
        await eventually(lambda: case.state.link.kind is LinkKind.POLLING, "a response")


async def test_the_link_recovers_by_itself_in_the_middle_of_a_batch() -> None:
    async with polling() as case:
        batch = await case.watcher.submit(2, model=MODEL, steps=60)
        await case.watcher.until(batch, JobStatus.QUEUED, JobStatus.RUNNING)
        case.proxy.strip_upgrades(False)
        await case.watcher.live()
        await eventually(lambda: step_of(case.state), "a step")
        jobs = await case.watcher.until(batch, SUCCEEDED)
        assert all(job.outputs for job in jobs)
