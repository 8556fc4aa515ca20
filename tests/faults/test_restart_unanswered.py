"""A server is restarted while the response to a prompt is lost: nothing is generated twice unasked."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from comfytui.comfy.server import Server
from comfytui.session.model import MAY_HAVE_FINISHED, Batch, Job, JobStatus
from comfytui.session.selectors import lost_jobs
from comfytui.sim.config import SimConfig
from comfytui.sim.server import SimServer
from tests.faults.proxied_connection import Direction
from tests.faults.proxy import Proxy, proxy_to
from tests.sim.gate import Gate
from tests.timings import FAST, timings
from tests.waiting import eventually
from tests.watcher import Watcher, watching

CONFIG = SimConfig(steps_per_second=0, load_seconds=0)
MODEL = CONFIG.checkpoints[0]
LOST, SUCCEEDED = JobStatus.LOST, JobStatus.SUCCEEDED
IMPATIENT = timings(FAST, submission={"arrival": 0.5})

Phase = Callable[[SimServer, Gate], Awaitable[object]]


async def waiting(sim: SimServer, gate: Gate) -> None:
    """The prompt waits in the queue."""


async def loading(sim: SimServer, gate: Gate) -> None:
    """Its model loads."""
    gate.let_start()
    await eventually(lambda: sim.queue.running, "the run")


async def sampling(sim: SimServer, gate: Gate) -> None:
    """It is sampling."""
    await gate.let_steps(1)


async def saved(sim: SimServer, gate: Gate) -> None:
    """It has ended, and its image is on disk."""
    await gate.let_all()
    await eventually(lambda: sim.queue.history, "its end")


PHASES: tuple[Phase, ...] = (waiting, loading, sampling, saved)


class LosingSubmissions:
    """Replaces a server's submissions: from the next prompt on, everything that the server sends is lost."""

    def __init__(self, sim: SimServer, proxy: Proxy, *, processed: bool) -> None:
        self._sim, self._proxy, self._lands = sim, proxy, processed
        self._real = sim.submissions

    def submit(self, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        """Accept the prompt or, unless `processed`, drop it."""
        self._proxy.stall(Direction.TO_CLIENT, new=True)
        self._sim.submissions = self._real
        return self._real.submit(body) if self._lands else (500, {})


@asynccontextmanager
async def unanswered(
    folder: Path, phase: Phase, *, killed: bool, processed: bool = True, restarts: bool = True
) -> AsyncIterator[tuple[SimServer, Watcher, Batch]]:
    """Lose the response to a prompt, restart the server after a phase, and restore the link.

    Args:
        folder: Holds the client's journal.
        phase: How far the prompt gets before the restart.
        killed: Restart the client as well.
        processed: Whether the server accepts the prompt.
        restarts: Whether the server is restarted.
    """
    gate = Gate()
    async with SimServer(CONFIG, clock=gate) as sim, proxy_to(sim.url) as proxy:
        server = Server.from_url(proxy.url)

        async def restore() -> None:
            if restarts:
                await gate.hold()
                await sim.restart()
            proxy.heal()
            proxy.reset_connections()
            await gate.let_all()

        async with watching(server, folder=folder, timings=IMPATIENT) as watcher:
            await watcher.live()
            real = sim.submissions
            sim.submissions = LosingSubmissions(sim, proxy, processed=processed)  # type: ignore[assignment]
            batch = await watcher.submit(1, model=MODEL)
            await eventually(lambda: sim.submissions is real, "the POST, and the end of all responses")
            if processed:
                await eventually(lambda: sim.submitted, "the prompt")
                await phase(sim, gate)
            if not killed:
                await restore()
                yield sim, watcher, batch
                return
        await restore()
        async with watching(server, folder=folder, timings=IMPATIENT) as watcher:
            await eventually(lambda: batch.id in watcher.state.batches, "the earlier batch")
            yield sim, watcher, batch


def end_of(job: Job) -> tuple[JobStatus, str, int]:
    return job.status, job.note, len(job.outputs)


async def outcome_of(folder: Path, phase: Phase, *, killed: bool) -> tuple[tuple[JobStatus, str, int], int]:
    """Return how the prompt ended and how often the server got it; checks that a lost prompt can be resent."""
    async with unanswered(folder / phase.__name__, phase, killed=killed) as (sim, watcher, batch):
        (job,) = await watcher.until(batch)
        await watcher.live()
        sent = len(sim.submitted)
        watcher.service.resend([job.prompt_id for job in lost_jobs(watcher.state)])
        (again,) = await watcher.until(batch, SUCCEEDED)
        assert again.outputs
        return end_of(job), sent


@pytest.mark.parametrize("killed", [False, True], ids=["client goes on", "client killed as well"])
async def test_a_sent_prompt_is_found_by_its_image_or_lost_and_never_resent_unasked(
    tmp_path: Path, killed: bool
) -> None:
    outcomes = await asyncio.gather(*(outcome_of(tmp_path, phase, killed=killed) for phase in PHASES))
    lost, found = ((LOST, MAY_HAVE_FINISHED, 0), 1), ((SUCCEEDED, "", 1), 1)
    assert dict(zip(PHASES, outcomes, strict=True)) == {waiting: lost, loading: lost, sampling: lost, saved: found}


@pytest.mark.parametrize("killed", [False, True], ids=["client goes on", "client killed as well"])
async def test_a_prompt_that_never_arrived_is_resent_unasked_only_to_a_server_that_was_not_restarted(
    tmp_path: Path, killed: bool
) -> None:

    async def outcome(restarts: bool) -> tuple[JobStatus, int]:
        folder = tmp_path / str(restarts)
        async with unanswered(folder, waiting, killed=killed, processed=False, restarts=restarts) as (
            sim,
            watcher,
            batch,
        ):
            (job,) = await watcher.until(batch)
            return job.status, len(sim.submitted)

    assert list(await asyncio.gather(outcome(True), outcome(False))) == [(LOST, 0), (SUCCEEDED, 1)]
