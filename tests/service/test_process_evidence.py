"""A prompt that never came is sent again where the server's process is known to be the one that it was sent to."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from comfytui.comfy.server import Server
from comfytui.service import lines, outbox
from comfytui.session.model import Batch, JobStatus, LinkKind
from comfytui.sim.server import SimServer
from tests.service.test_service import MODEL, QUICK
from tests.waiting import eventually
from tests.watcher import Watcher, watching


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Looks for lost prompts come fast."""
    monkeypatch.setattr(outbox, "LOOK_PAUSE", 0.05)
    monkeypatch.setattr(lines, "LOOK_PAUSE", 0.05)
    monkeypatch.setattr(outbox, "LANDING_TIME", 0.1)


@asynccontextmanager
async def never_landed(folder: Path, *, sockets: bool = True) -> AsyncIterator[tuple[SimServer, Watcher, Batch]]:
    """A batch whose first POST came to nothing, on an idle server behind a proxy that hides the log."""
    async with SimServer(QUICK) as sim:
        sim.faults.fail(404, "/internal")
        if not sockets:
            sim.faults.refuse_sockets()
        async with watching(Server.from_url(sim.url), folder=folder) as watcher:
            kind = LinkKind.LIVE if sockets else LinkKind.POLLING
            await eventually(lambda: watcher.state.link.kind is kind, f"{kind}")
            lost = sim.faults.fail(502, "/prompt", method="POST")
            batch = await watcher.order(1, model=MODEL)
            await eventually(lambda: lost.hits, "the POST")
            yield sim, watcher, batch


async def test_it_is_sent_again_where_the_websocket_of_then_is_still_answered_on(tmp_path: Path) -> None:
    async with never_landed(tmp_path) as (sim, watcher, batch):
        sim.faults.clear()
        sim.faults.fail(404, "/internal")
        await watcher.until(batch, JobStatus.SUCCEEDED, JobStatus.LOST)
        assert [job.status for job in watcher.jobs(batch)] == [JobStatus.SUCCEEDED]
        assert len(sim.submitted) == 1


@pytest.mark.parametrize("sockets", [True, False])
async def test_it_is_lost_where_nothing_shows_that_the_server_was_not_restarted(tmp_path: Path, sockets: bool) -> None:
    async with never_landed(tmp_path, sockets=sockets) as (sim, watcher, batch):
        if sockets:
            await sim.restart()
        await watcher.until(batch, JobStatus.SUCCEEDED, JobStatus.LOST)
        assert [job.status for job in watcher.jobs(batch)] == [JobStatus.LOST]
        assert not sim.submitted
