"""`comfytui wait` for the batch of a process that still runs: it tells the ends that only that one saw."""

from pathlib import Path

import pytest

from comfytui.comfy.server import Server
from comfytui.session.model import JobStatus
from comfytui.sim.server import SimServer
from tests.cli.commands import MODEL, QUICK, command, ended
from tests.sim.gate import Gate
from tests.watcher import Watcher, watching

STEPS = 3
OTHER_BATCHES = 25
"""More than a start reads from the journal."""


async def cancelled_second(sim: SimServer, gate: Gate, owner: Watcher) -> str:
    """Make the first of two images and cancel the second while it waits; return the batch's id."""
    batch = await owner.submit(2, model=MODEL)
    _, second = await owner.queued(batch)
    await owner.cancel(second)
    await gate.let_all()
    await owner.until(batch)
    return batch.id


async def test_an_image_that_its_owner_cancelled_has_ended(tmp_path: Path) -> None:
    gate = Gate()
    async with (
        SimServer(QUICK, clock=gate) as sim,
        watching(Server.from_url(sim.url), folder=tmp_path / "comfytui") as owner,
    ):
        await owner.live()
        batch = await cancelled_second(sim, gate, owner)
        done = await ended(tmp_path, "wait", sim.url, "--batch", batch)
        alone = await ended(tmp_path, "wait", sim.url, owner.state.batches[batch].prompt_ids[1])
        status = await ended(tmp_path, "status", sim.url, "--json")
    assert (done.code, done.err) == (1, "")
    assert "1 of 2 done, 1 cancelled" in done.lines[-1]
    assert alone.code == 1
    assert '"counts":{"done":1,"cancelled":1}' in status.out


@pytest.mark.parametrize("begun", ["before", "after"])
async def test_a_loss_that_its_owner_saw_is_told(begun: str, tmp_path: Path) -> None:
    gate = Gate()
    gate.let_start()
    async with (
        SimServer(QUICK, clock=gate) as sim,
        watching(Server.from_url(sim.url), folder=tmp_path / "comfytui") as owner,
    ):
        await owner.live()
        batch = await owner.submit(2, model=MODEL)
        await owner.queued(batch)
        if begun == "before":
            async with command(tmp_path, "wait", sim.url, "--batch", batch.id) as wait:
                await gate.let_steps(STEPS + 1)
                assert "Image 1 of 2 done" in await wait.line()
                await sim.restart()
                done = await wait.end()
        else:
            await sim.restart()
            await owner.until(batch, JobStatus.LOST)
            done = await ended(tmp_path, "wait", sim.url, "--batch", batch.id)
    assert (done.code, done.err) == (3, "")


async def test_an_old_batch_is_found_in_the_journal(tmp_path: Path) -> None:
    gate = Gate()
    async with SimServer(QUICK, clock=gate) as sim:
        async with watching(Server.from_url(sim.url), folder=tmp_path / "comfytui") as owner:
            await owner.live()
            old = await cancelled_second(sim, gate, owner)
            for _ in range(OTHER_BATCHES):
                await owner.until(await owner.submit(1, model=MODEL))
        mine = await ended(tmp_path, "wait", sim.url, "--mine")
        await sim.restart()
        done = await ended(tmp_path, "wait", sim.url, "--batch", old)
    assert (mine.code, mine.out) == (0, "")
    assert (done.code, done.err) == (1, "")
    assert "1 of 2 done, 1 cancelled" in done.lines[-1]
