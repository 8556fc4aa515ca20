"""The jobs of other clients: each one that ended is found, however short it was."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from uuid import uuid4

import pytest

from comfytui.comfy.client import ComfyClient
from comfytui.comfy.server import Server
from comfytui.service.connection.finished_jobs import CONCURRENT_REQUESTS, HISTORY_PAGE
from comfytui.service.journal.journal import Journal
from comfytui.service.journal.records import Endpoint
from comfytui.session.model import JobStatus, LinkKind
from comfytui.sim.config import SimConfig
from comfytui.sim.faults.fault_types import ResponseFault
from comfytui.sim.machine import Clock
from comfytui.sim.queue import PromptQueue
from comfytui.sim.server import SimServer
from comfytui.timings import DEFAULT, PollTimings
from tests.service.journal.batches import recorded_batch
from tests.sim.gate import Gate
from tests.waiting import eventually
from tests.watcher import Watcher, small_batch, watching

QUICK = SimConfig(steps_per_second=0, load_seconds=0)
OLD = SimConfig(steps_per_second=0, load_seconds=0, like="0.3.64")
BOTH = pytest.mark.parametrize("config", [QUICK, OLD], ids=["0.33.0", "0.3.64"])
MODEL = QUICK.checkpoints[0]
JOBS = 12


@asynccontextmanager
async def two_clients(
    config: SimConfig = QUICK, clock: Clock | None = None, *, sockets: bool = True, poll: PollTimings = DEFAULT.poll
) -> AsyncIterator[tuple[SimServer, Watcher, ComfyClient]]:
    """A server, a service that is connected to it, and another client."""
    async with SimServer(config, clock=clock) as sim, ComfyClient(Server.from_url(sim.url)) as other:
        if not sockets:
            sim.faults.refuse_sockets()
        async with watching(Server.from_url(sim.url), timings=replace(DEFAULT, poll=poll)) as watcher:
            wanted = LinkKind.LIVE if sockets else LinkKind.POLLING
            await eventually(lambda: watcher.state.link.kind is wanted and watcher.state.capabilities, f"{wanted}")
            yield sim, watcher, other


async def of_another_client(client: ComfyClient, count: int) -> list[str]:
    """Submit jobs under the id of another client, and return their prompt ids."""
    ids = [str(uuid4()) for _ in range(count)]
    for prompt_id in ids:
        (graph,) = small_batch(1, model=MODEL).graphs
        await client.submit(graph, prompt_id=prompt_id, client_id="them", tag={})
    return ids


def all_ended(watcher: Watcher, ids: list[str]) -> Callable[[], bool]:
    def ended(prompt_id: str) -> bool:
        job = watcher.state.jobs.get(prompt_id)
        return job is not None and job.status is JobStatus.SUCCEEDED

    return lambda: all(map(ended, ids))


@BOTH
async def test_every_short_job_of_another_client_ends_up_in_the_list(config: SimConfig) -> None:
    async with two_clients(config) as (sim, watcher, other):
        # Most of them come and go, or wait and go, while one poll takes its time.
        with sim.faults.delay(0.2, "/queue", processed=True):
            ids = await of_another_client(other, JOBS)
            mine = await watcher.submit(1, model=MODEL)
            await eventually(all_ended(watcher, ids), "every job of the other client")
        await watcher.until(mine, JobStatus.SUCCEEDED)


@asynccontextmanager
async def ended_between_two_polls(jobs: int = JOBS) -> AsyncIterator[tuple[Watcher, list[str], ResponseFault]]:
    """Jobs of another client that ended between two polls, and the count of requests for the history of one job."""
    gate = Gate()
    async with two_clients(clock=gate) as (sim, watcher, other):
        ids = await of_another_client(other, jobs)
        await eventually(lambda: set(ids) <= set(watcher.state.jobs), "the queue")
        with sim.faults.hold_responses("/queue"):
            await gate.let_all()
            await eventually(lambda: len(sim.queue.history) == jobs, "their ends")
            one_by_one = sim.faults.delay(0.0, "/history/")
        yield watcher, ids, one_by_one


@pytest.mark.parametrize("jobs", [JOBS, HISTORY_PAGE + 2], ids=["all on the first page", "more than one page"])
async def test_many_finished_jobs_are_read_with_one_request(jobs: int) -> None:
    assert jobs > CONCURRENT_REQUESTS
    async with ended_between_two_polls(jobs) as (watcher, ids, one_by_one):
        await eventually(all_ended(watcher, ids), "every job")
        assert one_by_one.hits == 0


async def test_a_history_entry_that_cannot_be_read_hides_no_other() -> None:
    gate = Gate()
    async with two_clients(clock=gate) as (sim, watcher, other):
        ids = await of_another_client(other, 3)
        await eventually(lambda: set(ids) <= set(watcher.state.jobs), "the queue")
        sim.faults.fail(500, f"/history/{ids[0]}")
        await gate.let_all()
        await eventually(all_ended(watcher, ids[1:]), "the others")
        assert ids[0] in watcher.state.jobs


async def test_the_history_is_not_searched_for_a_job_that_was_known_to_run() -> None:
    gate, often = Gate(), replace(DEFAULT.poll, poll_busy=0.1)
    async with two_clients(clock=gate, sockets=False, poll=often) as (sim, watcher, other):
        first = await of_another_client(other, 1)
        await eventually(lambda: set(first) <= set(watcher.state.jobs), "the queue")
        sim.faults.delay(0.0, "/history/")
        searches = sim.faults.delay(0.0, "/history")
        # The next poll finds one that ended and another one in its place.
        with sim.faults.hold_responses("/prompt", method="GET"):
            second = await of_another_client(other, 1)
            await gate.let_steps(3)
            await eventually(lambda: list(sim.queue.history) == first, "the end of the first")
        await eventually(all_ended(watcher, first), "its end in the list")
        polls = sim.faults.delay(0.0, "/prompt", method="GET")
        await eventually(lambda: polls.hits >= 2, "the next polls")
        assert set(second) <= set(watcher.state.jobs)
        assert searches.hits == 0


async def test_a_server_that_always_sends_its_whole_history_is_not_polled_for_it_each_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(PromptQueue, "history_page", lambda self, *_: dict(self.history))
    async with two_clients(OLD, sockets=False, poll=replace(DEFAULT.poll, poll_idle=0.05)) as (sim, watcher, other):
        ids = await of_another_client(other, 3)
        await eventually(all_ended(watcher, ids), "them in the list")
        await eventually(lambda: watcher.state.queue_remaining == 0, "an empty queue")
        histories, polls = sim.faults.delay(0.0, "/history"), sim.faults.delay(0.0, "/prompt")
        await eventually(lambda: polls.hits >= 5, "some polls")
        assert histories.hits <= 2


@BOTH
async def test_a_job_that_came_and_went_is_found_without_a_socket(config: SimConfig) -> None:
    async with two_clients(config, sockets=False, poll=replace(DEFAULT.poll, poll_idle=0.1)) as (sim, watcher, other):
        ids = await of_another_client(other, 1)
        await eventually(lambda: sim.queue.history, "its end")
        await eventually(all_ended(watcher, ids), "it in the list")


async def test_a_job_that_another_client_deleted_leaves_the_list() -> None:
    async with two_clients(clock=Gate()) as (_, watcher, other):
        ids = await of_another_client(other, 3)
        await eventually(lambda: set(ids) <= set(watcher.state.jobs), "the queue")
        await other.delete(ids)
        await eventually(lambda: not set(ids) & set(watcher.state.jobs), "an empty list")


async def test_jobs_of_the_journal_that_the_server_lacks_hide_no_other_job(tmp_path: Path) -> None:
    async with SimServer(QUICK) as sim, ComfyClient(Server.from_url(sim.url)) as other:
        server = Server.from_url(sim.url)
        async with watching(server, folder=tmp_path) as watcher:
            await watcher.live()
            with Journal.open(tmp_path) as journal:
                await eventually(lambda: journal.fingerprint(server.label), "the fingerprint")
                fingerprint = journal.fingerprint(server.label) or ""
                batch = recorded_batch(journal, range(8), server=Endpoint(fingerprint, server.label, server.address))
                for prompt_id in batch.prompt_ids:
                    journal.record_accepted(prompt_id, prompt_id, 1.0)
            seen = await of_another_client(other, 1)
            await eventually(lambda: batch.id in watcher.state.batches, "the batch that is left")
            await watcher.until(batch, JobStatus.LOST)
            await eventually(all_ended(watcher, seen), "the job that shows that there is another client")
            with sim.faults.hold_responses("/queue", processed=True) as poll:
                first = await of_another_client(other, 1)
                await eventually(lambda: poll.hits, "a poll")
                unseen = await of_another_client(other, 2)
                await eventually(lambda: {*first, *unseen} <= sim.queue.history.keys(), "their ends")
            await eventually(all_ended(watcher, unseen), "the jobs that came and went", DEFAULT.poll.live_busy / 2)
