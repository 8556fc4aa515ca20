"""A session that runs on takes over the client ids of batches that were left behind, and releases them at their end."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from uuid import uuid4

from comfytui.comfy.client import ComfyClient
from comfytui.comfy.server import Server
from comfytui.service.journal import locks
from comfytui.service.journal.database import LOCK_FILE
from comfytui.service.notifications import JobEnded
from comfytui.session.model import Batch, JobStatus, LinkKind
from comfytui.sim.server import SimServer
from tests.service.test_service import MODEL, QUICK
from tests.sim.gate import Gate
from tests.timings import FAST
from tests.waiting import eventually
from tests.watcher import Watcher, small_batch, watching


class Taking:
    """A session on a held server, and what other sessions of the same user leave behind."""

    def __init__(self, sim: SimServer, gate: Gate, watcher: Watcher, folder: Path) -> None:
        self.sim, self.gate, self.watcher, self.folder = sim, gate, watcher, folder
        (self.own,) = watcher.state.client_ids

    async def take_over(self, images: int = 1) -> tuple[Batch, str]:
        """Have a batch left behind; return it and its client id once this session has a socket for it."""
        async with watching(self.watcher.service.server, folder=self.folder, fresh=True, timings=FAST) as other:
            await other.live()
            batch = await other.submit(images, model=MODEL)
            await other.until(batch, JobStatus.QUEUED)
            (client_id,) = other.state.client_ids
        await eventually(lambda: client_id not in self.sim.sockets.clients, "the end of its socket")
        await self.submit(str(uuid4()))  # A client id that was not looked up: those that are free now are claimed.
        await eventually(lambda: client_id in self.sim.sockets.clients, "a socket of this session", 30)
        assert self.is_held(client_id)
        return batch, client_id

    async def submit(self, client_id: str) -> str:
        """Submit a job with another program; return its prompt id."""
        prompt_id, (graph,) = str(uuid4()), small_batch(1, model=MODEL).graphs
        async with ComfyClient(self.watcher.service.server) as client:
            await client.submit(graph, prompt_id=prompt_id, client_id=client_id, tag={})
        return prompt_id

    def is_held(self, client_id: str) -> bool:
        with locks.folder_lock(self.folder / LOCK_FILE):
            return locks.is_held(self.folder, client_id)

    async def released(self, client_id: str) -> None:
        await eventually(lambda: [*self.sim.sockets.clients] == [self.own], "its own socket alone")
        await eventually(lambda: not self.is_held(client_id), "a free client id")
        assert self.is_held(self.own)
        # Another process can claim it.
        claim = locks.try_claim(self.folder, client_id)
        assert claim is not None
        claim.release()

    def ends(self, batch: Batch) -> list[str]:
        ended = [each.job for each in self.watcher.notifications if isinstance(each, JobEnded)]
        return [job.prompt_id for job in ended if job.prompt_id in batch.prompt_ids]


@asynccontextmanager
async def taking(folder: Path) -> AsyncIterator[Taking]:
    gate = Gate()
    async with (
        SimServer(QUICK, clock=gate) as sim,
        watching(Server.from_url(sim.url), folder=folder, timings=FAST) as watcher,
    ):
        await watcher.live()
        yield Taking(sim, gate, watcher, folder)


async def test_twenty_batches_one_after_another_leave_one_socket_and_one_lock(tmp_path: Path) -> None:
    async with taking(tmp_path) as case:
        batches = []
        for _ in range(20):
            batch, client_id = await case.take_over()
            batches.append(batch)
            await case.gate.let_all()
            await case.watcher.until(batch, JobStatus.SUCCEEDED)
            await case.gate.hold()
            await case.released(client_id)
        assert locks.locked_ids(tmp_path) == [case.own]
        for batch in batches:
            assert case.ends(batch) == [*batch.prompt_ids]
            assert all(job.mine and job.outputs for job in case.watcher.jobs(batch))
        assert case.watcher.state.link.kind is LinkKind.LIVE
        assert LinkKind.OFFLINE not in case.watcher.kinds()


async def test_jobs_of_a_client_id_that_was_released_are_still_mine(tmp_path: Path) -> None:
    async with taking(tmp_path) as case:
        batch, client_id = await case.take_over(2)
        await case.gate.let_all()
        await case.watcher.until(batch, JobStatus.SUCCEEDED)
        await case.released(client_id)
        case.watcher.service.reconnect()  # The history is read again.
        prompt_id = await case.submit(client_id)
        await eventually(lambda: prompt_id in case.watcher.state.jobs, "a later job of the same client id")
        await eventually(lambda: case.watcher.state.jobs[prompt_id].status is JobStatus.SUCCEEDED, "its end")
        assert case.watcher.state.jobs[prompt_id].mine
        assert all(job.mine for job in case.watcher.jobs(batch))
        assert case.ends(batch) == [*batch.prompt_ids]


async def test_a_client_id_whose_jobs_end_while_there_is_no_socket_is_released(tmp_path: Path) -> None:
    async with taking(tmp_path) as case:
        batch, client_id = await case.take_over()
        refused = case.sim.faults.refuse_sockets()
        for socket in [*case.sim.sockets.clients.values()]:
            await socket.close()
        await eventually(lambda: case.watcher.state.link.kind is LinkKind.POLLING, "polling")
        await case.gate.let_all()
        await case.watcher.until(batch, JobStatus.SUCCEEDED)
        await eventually(lambda: not case.is_held(client_id), "a free client id")
        refused.end()
        await case.watcher.live()
        await case.released(client_id)
        assert case.ends(batch) == [*batch.prompt_ids]


async def test_a_client_id_is_kept_while_one_of_its_jobs_is_lost(tmp_path: Path) -> None:
    async with taking(tmp_path) as case:
        batch, client_id = await case.take_over()
        await case.sim.restart()
        await case.watcher.until(batch, JobStatus.LOST)
        await eventually(lambda: {*case.sim.sockets.clients} == {case.own, client_id}, "both sockets")
        await case.gate.let_all()
        case.watcher.service.resend(batch.prompt_ids)
        await case.watcher.until(batch, JobStatus.SUCCEEDED)
        assert case.sim.submitted[-1]["client_id"] == client_id
        await case.released(client_id)
