"""A service that observes: it tells which jobs are mine, and leaves everything to other processes."""

import asyncio
from pathlib import Path

import pytest

from comfytui.comfy.server import Server
from comfytui.session.model import JobStatus
from comfytui.sim.server import SimServer
from tests.service.submission.resuming import resumed
from tests.service.submission.test_resume_sending import IMPATIENT, after
from tests.service.test_other_server import journal_rows
from tests.service.test_service import MODEL, QUICK, ids
from tests.sim.gate import Gate
from tests.waiting import eventually
from tests.watcher import watching


def files(folder: Path, pattern: str = "*") -> list[Path]:
    return list(folder.glob(pattern))


async def test_a_batch_that_is_left_behind_is_mine_and_stays_for_the_next_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with SimServer(QUICK, clock=Gate()) as sim:
        server = Server.from_url(sim.url)
        after(monkeypatch, sim, 1, lambda: sim.faults.fail(503, "/prompt", method="POST"))
        async with watching(server, folder=tmp_path, timings=IMPATIENT) as watcher:
            await watcher.live()
            batch = await watcher.submit(3, model=MODEL)
            await eventually(lambda: watcher.line(batch) == "1 of 3 sent", "the first")
            owner = watcher.state.client_ids
        sim.faults.clear()
        before = journal_rows(tmp_path)
        async with watching(server, folder=tmp_path, observe=True, timings=IMPATIENT) as observer:
            await observer.live()
            await eventually(lambda: observer.state.jobs, "the queue")
            await asyncio.wrap_future(observer.service.recognised())
            assert observer.state.held_elsewhere == owner
            await eventually(lambda: [job.mine for job in observer.state.jobs.values()] == [True], "it as mine")
            await eventually(lambda: list(sim.sockets.clients), "a socket")
            assert not owner & set(sim.sockets.clients)
            assert not files(tmp_path, "client-*.lock")
            assert (ids(sim), journal_rows(tmp_path)) == ([batch.prompt_ids[0]], before)
            # The next dashboard has the client id, and sends the rest.
            async with watching(server, folder=tmp_path, timings=IMPATIENT) as watcher:
                await resumed(watcher, batch)
                assert watcher.state.client_ids == owner
                await watcher.until(batch, JobStatus.QUEUED)
        assert ids(sim) == list(batch.prompt_ids)


@pytest.mark.parametrize("observe", [False, True])
async def test_jobs_of_another_process_of_mine_are_mine_when_they_are_seen_first(tmp_path: Path, observe: bool) -> None:
    async with SimServer(QUICK, clock=Gate()) as sim:
        server = Server.from_url(sim.url)
        async with watching(server, folder=tmp_path) as owner:
            await owner.live()
            batch = await owner.submit(1, model=MODEL)
            await owner.queued(batch)
            held = sim.faults.hold_responses("/queue")
            async with watching(server, folder=tmp_path, observe=observe) as other:
                await eventually(lambda: owner.state.client_ids <= other.state.held_elsewhere, "the client id")
                held.end()
                await eventually(lambda: other.state.jobs, "the queue")
                assert all(job.mine for state in (*other.states, other.state) for job in state.jobs.values())


async def test_nothing_is_written_where_there_is_no_journal(tmp_path: Path) -> None:
    async with SimServer(QUICK) as sim, watching(Server.from_url(sim.url), folder=tmp_path, observe=True) as observer:
        await observer.live()
        await asyncio.wrap_future(observer.service.recognised())
        assert not files(tmp_path)
