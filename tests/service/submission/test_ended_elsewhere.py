"""What another comfytui of the same user left behind is taken over by one that runs on."""

from pathlib import Path

from comfytui.comfy.server import Server
from comfytui.session.model import JobStatus
from comfytui.sim.server import SimServer
from tests.service.submission.resuming import resumed, statuses
from tests.service.test_service import MODEL, QUICK, ids
from tests.sim.gate import Gate
from tests.waiting import eventually
from tests.watcher import watching


async def test_what_it_left_unsent_is_sent_when_the_server_is_back(tmp_path: Path) -> None:
    async with SimServer(QUICK) as sim, watching(Server.from_url(sim.url), folder=tmp_path) as watcher:
        await watcher.live()
        await sim.stop(killed=True)
        async with watching(Server.from_url(sim.url), folder=tmp_path) as other:
            batch = await other.submit(2, model=MODEL)
        await sim.restart()
        await resumed(watcher, batch)
        await watcher.until(batch)
        assert statuses(watcher, batch) == [JobStatus.SUCCEEDED] * 2
        assert ids(sim) == [*batch.prompt_ids]


async def test_its_lost_jobs_are_left_to_nobody_once_it_has_ended(tmp_path: Path) -> None:
    async with (
        SimServer(QUICK, clock=Gate()) as sim,
        watching(Server.from_url(sim.url), folder=tmp_path) as watcher,
    ):
        await watcher.live()
        async with watching(Server.from_url(sim.url), folder=tmp_path) as other:
            await other.live()
            batch = await other.submit(1, model=MODEL)
            await resumed(watcher, batch)
            await sim.restart()
            await other.until(batch, JobStatus.LOST)
            await watcher.until(batch, JobStatus.LOST)
            assert watcher.state.held_elsewhere
        await eventually(lambda: not watcher.state.held_elsewhere, "the end of the other")
        assert statuses(watcher, batch) == [JobStatus.LOST]
