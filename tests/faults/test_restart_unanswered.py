"""A server that is restarted while the answer to a prompt is lost: nothing is made twice unasked."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from comfytui.comfy.server import Server
from comfytui.service.submission import outbox
from comfytui.session.model import MAY_HAVE_FINISHED, Batch, Job, JobStatus
from comfytui.session.selectors import lost_jobs
from comfytui.sim.config import SimConfig
from comfytui.sim.server import SimServer
from tests.faults.link import Way
from tests.faults.proxy import Proxy, proxy_to
from tests.sim.gate import Gate
from tests.waiting import eventually
from tests.watcher import Watcher, watching

pytestmark = pytest.mark.usefixtures("scaled")

CONFIG = SimConfig(steps_per_second=0, load_seconds=0)
MODEL = CONFIG.checkpoints[0]
LOST, SUCCEEDED = JobStatus.LOST, JobStatus.SUCCEEDED

Phase = Callable[[SimServer, Gate], Awaitable[object]]


async def waiting(sim: SimServer, gate: Gate) -> None:
    """The prompt waits in the queue."""


async def loading(sim: SimServer, gate: Gate) -> None:
    """Its model loads."""
    gate.let_start()
    await eventually(lambda: sim.queue.running, "the run")


async def sampling(sim: SimServer, gate: Gate) -> None:
    """It is in the middle of its steps."""
    await gate.let_steps(1)


async def saved(sim: SimServer, gate: Gate) -> None:
    """It has ended, and its picture is on the disk."""
    await gate.let_all()
    await eventually(lambda: sim.queue.history, "its end")


PHASES: tuple[Phase, ...] = (waiting, loading, sampling, saved)


class LastPost:
    """Stands at the place of a server's submissions: with the next prompt, all that the server sends is lost."""

    def __init__(self, sim: SimServer, proxy: Proxy, *, lands: bool) -> None:
        self._sim, self._proxy, self._lands = sim, proxy, lands
        self._real = sim.submissions

    def submit(self, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        """Take the prompt, or (not `lands`) forget it at once."""
        self._proxy.stall(Way.TO_CLIENT, new=True)
        self._sim.submissions = self._real
        return self._real.submit(body) if self._lands else (500, {})


@asynccontextmanager
async def unanswered(
    folder: Path, phase: Phase, *, killed: bool, lands: bool = True, restarts: bool = True
) -> AsyncIterator[tuple[SimServer, Watcher, Batch]]:
    """A prompt whose answer was lost, and a server that was restarted after that phase, when the link is back.

    With `killed` the client was started anew as well.
    """
    gate = Gate()
    async with SimServer(CONFIG, pace=gate) as sim, proxy_to(sim.url) as proxy:
        server = Server.from_url(proxy.url)

        async def back() -> None:
            if restarts:
                await gate.hold()
                await sim.restart()
            proxy.heal()
            proxy.cut()
            await gate.let_all()

        async with watching(server, folder=folder) as watcher:
            await watcher.live()
            posts = sim.faults.delay(0.0, "/prompt", method="POST")
            sim.submissions = LastPost(sim, proxy, lands=lands)  # type: ignore[assignment]
            batch = await watcher.order(1, model=MODEL)
            await eventually(lambda: posts.hits, "the POST")
            if lands:
                await eventually(lambda: sim.submitted, "the prompt")
                await phase(sim, gate)
            if not killed:
                await back()
                yield sim, watcher, batch
                return
        await back()
        async with watching(server, folder=folder) as watcher:
            await eventually(lambda: batch.id in watcher.state.batches, "the batch of before")
            yield sim, watcher, batch


def fate(job: Job) -> tuple[JobStatus, str, int]:
    return job.status, job.note, len(job.outputs)


async def fate_of(folder: Path, phase: Phase, *, killed: bool) -> tuple[tuple[JobStatus, str, int], int]:
    """What becomes of the prompt, and how often the server got it, also when lost ones are sent again by order."""
    async with unanswered(folder / phase.__name__, phase, killed=killed) as (sim, watcher, batch):
        (job,) = await watcher.until(batch, patience=20)
        await watcher.live()
        sent = len(sim.submitted)
        watcher.service.resend([job.prompt_id for job in lost_jobs(watcher.state)])
        (again,) = await watcher.until(batch, SUCCEEDED, patience=20)
        assert again.outputs
        return fate(job), sent


@pytest.mark.parametrize("killed", [False, True], ids=["client goes on", "client killed as well"])
async def test_what_was_sent_is_found_by_its_picture_or_lost_and_never_sent_unasked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, killed: bool
) -> None:
    monkeypatch.setattr(outbox, "ARRIVAL_SECONDS", 0.5)
    fates = await asyncio.gather(*(fate_of(tmp_path, phase, killed=killed) for phase in PHASES))
    lost, found = ((LOST, MAY_HAVE_FINISHED, 0), 1), ((SUCCEEDED, "", 1), 1)
    assert dict(zip(PHASES, fates, strict=True)) == {waiting: lost, loading: lost, sampling: lost, saved: found}


@pytest.mark.parametrize("killed", [False, True], ids=["client goes on", "client killed as well"])
async def test_one_that_never_came_is_sent_by_itself_only_to_a_server_that_was_not_restarted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, killed: bool
) -> None:
    monkeypatch.setattr(outbox, "ARRIVAL_SECONDS", 0.5)

    async def outcome(restarts: bool) -> tuple[JobStatus, int]:
        folder = tmp_path / str(restarts)
        async with unanswered(folder, waiting, killed=killed, lands=False, restarts=restarts) as (sim, watcher, batch):
            (job,) = await watcher.until(batch, patience=20)
            return job.status, len(sim.submitted)

    assert list(await asyncio.gather(outcome(True), outcome(False))) == [(LOST, 0), (SUCCEEDED, 1)]
