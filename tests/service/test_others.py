"""The jobs of other clients: whatever ended is found, however short it was."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from uuid import uuid4

import pytest

from comfytui.comfy.client import ComfyClient
from comfytui.comfy.server import Server
from comfytui.service import ends, looks
from comfytui.session.model import JobStatus, LinkKind
from comfytui.sim.config import SimConfig
from comfytui.sim.pace import Pace
from comfytui.sim.server import SimServer
from tests.sim.gate import Gate
from tests.waiting import eventually
from tests.watcher import Watcher, small_order, watching

QUICK = SimConfig(steps_per_second=0, load_seconds=0)
OLD = SimConfig(steps_per_second=0, load_seconds=0, like="0.3.64")
BOTH = pytest.mark.parametrize("config", [QUICK, OLD], ids=["0.33.0", "0.3.64"])
MODEL = QUICK.checkpoints[0]
JOBS = 12


@asynccontextmanager
async def two_clients(
    config: SimConfig = QUICK, pace: Pace | None = None, *, sockets: bool = True
) -> AsyncIterator[tuple[SimServer, Watcher, ComfyClient]]:
    """A server, a service that is linked to it, and the client of somebody else."""
    async with SimServer(config, pace=pace) as sim, ComfyClient(Server.from_url(sim.url)) as other:
        if not sockets:
            sim.faults.refuse_sockets()
        async with watching(Server.from_url(sim.url)) as watcher:
            wanted = LinkKind.LIVE if sockets else LinkKind.POLLING
            await eventually(lambda: watcher.state.link.kind is wanted and watcher.state.abilities, f"{wanted}")
            yield sim, watcher, other


async def of_another_client(client: ComfyClient, count: int) -> list[str]:
    """Submit jobs under an id that is not ours."""
    ids = [str(uuid4()) for _ in range(count)]
    for prompt_id in ids:
        (graph,) = small_order(1, model=MODEL).graphs
        await client.submit(graph, prompt_id=prompt_id, client_id="them", marks={})
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
        with sim.faults.delay(0.2, "/queue", lands=True):
            ids = await of_another_client(other, JOBS)
            mine = await watcher.order(1, model=MODEL)
            await eventually(all_ended(watcher, ids), "every job of the other client")
        await watcher.until(mine, JobStatus.SUCCEEDED)


async def test_more_jobs_than_are_asked_for_one_by_one_are_read_in_one_piece(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ends, "ASKED_AT_ONCE", 2)
    gate = Gate()
    async with two_clients(pace=gate) as (sim, watcher, other):
        ids = await of_another_client(other, JOBS)
        await eventually(lambda: set(ids) <= set(watcher.state.jobs), "the queue")
        one_by_one = sim.faults.delay(0.0, "/history/")
        with sim.faults.delay(0.3, "/queue"):
            await gate.let_all()
            await eventually(all_ended(watcher, ids), "every job")
        assert one_by_one.hits < JOBS


@BOTH
async def test_a_job_that_came_and_went_is_found_without_a_socket(
    config: SimConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(looks, "POLL_IDLE", 0.1)
    async with two_clients(config, sockets=False) as (sim, watcher, other):
        ids = await of_another_client(other, 1)
        await eventually(lambda: sim.queue.history, "its end")
        await eventually(all_ended(watcher, ids), "it in the list")


async def test_a_job_that_somebody_took_out_of_the_queue_leaves_the_list() -> None:
    async with two_clients(pace=Gate()) as (_, watcher, other):
        ids = await of_another_client(other, 3)
        await eventually(lambda: set(ids) <= set(watcher.state.jobs), "the queue")
        await other.clear()
        await eventually(lambda: not set(ids) & set(watcher.state.jobs), "an empty list")
