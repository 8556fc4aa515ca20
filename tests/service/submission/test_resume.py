"""A service that starts on the folder of an earlier one shows its jobs again, live."""

from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path

from comfytui.comfy.server import Server
from comfytui.service.notifications import PreviewReceived
from comfytui.session.model import Batch, JobStatus
from comfytui.sim.server import SimServer
from tests.service.submission.resuming import resumed, shows, statuses
from tests.service.test_service import MODEL, QUICK, ids
from tests.sim.gate import Gate
from tests.waiting import eventually
from tests.watcher import Watcher, watching

STEPS = 8


async def test_a_restart_shows_the_running_image_live_and_those_that_ended_meanwhile(tmp_path: Path) -> None:
    gate = Gate()
    async with SimServer(QUICK, clock=gate) as sim:
        server = Server.from_url(sim.url)
        async with watching(server, folder=tmp_path) as watcher:
            await watcher.live()
            batch = await watcher.submit(4, previews=True, model=MODEL, steps=STEPS)
            await watcher.until(batch, JobStatus.QUEUED)
            await gate.let_steps(STEPS + 3)
            await eventually(lambda: watcher.line(batch) == "Image 2 of 4 - Step 3/8 (37%)", "the third step")
            mine, seeds = watcher.state.client_ids, [job.parameters.seed for job in watcher.jobs(batch)]
        await gate.let_steps(STEPS)
        async with watching(server, folder=tmp_path) as watcher:
            await resumed(watcher, batch)
            assert watcher.state.client_ids == mine
            assert watcher.state.batches[batch.id] == batch
            assert [job.parameters.seed for job in watcher.jobs(batch)] == seeds
            assert all(isinstance(seed, int) for seed in seeds)
            await eventually(lambda: watcher.line(batch).startswith("Image 3 of 4"), "the third image")
            await gate.let_steps(1)
            await eventually(lambda: watcher.line(batch) == "Image 3 of 4 - Step 4/8 (50%)", "the next step, live")
            await eventually(lambda: previewed(watcher) == [batch.prompt_ids[2]], "a preview")
            await eventually(lambda: all(job.outputs for job in watcher.jobs(batch)[:2]), "the first images")
            assert statuses(watcher, batch)[:2] == [JobStatus.SUCCEEDED] * 2
            await gate.let_all()
            jobs = await watcher.until(batch)
            assert [job.status for job in jobs] == [JobStatus.SUCCEEDED] * 4
            assert len({output for job in jobs for output in job.outputs}) == 4
        assert ids(sim) == list(batch.prompt_ids)


def succeeded(watcher: Watcher, batch: Batch) -> bool:
    return statuses(watcher, batch) == [JobStatus.SUCCEEDED] * batch.total and all(
        job.outputs for job in watcher.jobs(batch)
    )


def previewed(watcher: Watcher) -> list[str]:
    """Return the prompts of which a preview arrived."""
    return list(dict.fromkeys(note.prompt_id for note in watcher.notifications if isinstance(note, PreviewReceived)))


async def test_a_fresh_start_shows_nothing_and_leaves_earlier_batches_alone(tmp_path: Path) -> None:
    gate = Gate()
    async with SimServer(QUICK, clock=gate) as sim:
        server = Server.from_url(sim.url)
        async with watching(server, folder=tmp_path) as watcher:
            await watcher.live()
            old = await watcher.submit(2, model=MODEL)
            await watcher.until(old, JobStatus.QUEUED)
            before = watcher.state.client_ids
        async with watching(server, folder=tmp_path, fresh=True) as watcher:
            await watcher.live()
            await eventually(lambda: len(watcher.state.jobs) == 2, "the jobs of before, as another's")
            assert not watcher.state.batches
            assert not any(job.mine for job in watcher.state.jobs.values())
            assert not before & watcher.state.client_ids
            new = await watcher.submit(1, model=MODEL)
            await watcher.until(new, JobStatus.QUEUED)
        await gate.let_all()
        async with watching(server, folder=tmp_path) as watcher:
            await resumed(watcher, old)
            assert watcher.state.client_ids > before
            assert all(job.outputs for job in [*await watcher.until(old), *await watcher.until(new)])
        assert ids(sim) == [*old.prompt_ids, *new.prompt_ids]


async def test_two_processes_at_once_have_client_ids_of_their_own(tmp_path: Path) -> None:
    gate = Gate()
    async with SimServer(QUICK, clock=gate) as sim:
        server = Server.from_url(sim.url)
        async with watching(server, folder=tmp_path) as one, watching(server, folder=tmp_path) as other:
            batches: list[Batch] = []
            held = []
            for watcher in (one, other):
                await watcher.live()
                held.append(watcher.state.client_ids - watcher.state.held_elsewhere)
            assert not held[0] & held[1]
            for watcher, beside in ((one, other), (other, one)):
                batches.append(await watcher.submit(2, model=MODEL))
                await resumed(beside, batches[-1])
            for watcher, batch in zip((one, other), batches, strict=True):
                await watcher.until(batch, JobStatus.QUEUED)
                watcher.service.reconnect()
                await watcher.live()
            await gate.let_all()
            for watcher in (one, other):
                assert list(watcher.state.batches) == [batch.id for batch in batches]
                for batch in batches:
                    await eventually(partial(succeeded, watcher, batch), "the whole batch")
                    assert all(job.mine and job.outputs for job in watcher.jobs(batch))
        assert sorted(ids(sim)) == sorted(prompt for batch in batches for prompt in batch.prompt_ids)


async def test_every_free_client_id_is_claimed_and_gets_a_socket(tmp_path: Path) -> None:
    gate = Gate()
    async with SimServer(QUICK, clock=gate) as sim:
        server = Server.from_url(sim.url)
        batches: list[Batch] = []
        before: set[str] = set()
        async with AsyncExitStack() as stack:
            for _ in range(3):
                watcher = await stack.enter_async_context(watching(server, folder=tmp_path, fresh=True))
                await watcher.live()
                batches.append(await watcher.submit(2, previews=True, model=MODEL, steps=STEPS))
                await watcher.until(batches[-1], JobStatus.QUEUED)
                before |= watcher.state.client_ids
        async with watching(server, folder=tmp_path) as watcher:
            await eventually(lambda: watcher.state.client_ids == before, "all ids")
            await eventually(lambda: set(sim.sockets.clients) == before, "a socket for each")
            assert list(watcher.state.batches) == [batch.id for batch in batches]
            for batch, steps in zip(batches, (2, 2 * STEPS, 2 * STEPS), strict=True):
                await gate.let_steps(steps)
                await eventually(partial(shows, watcher, batch, "Image 1 of 2 - Step 2/8 (25%)"), "a step")
            await gate.let_all()
            for batch in batches:
                assert all(job.outputs for job in await watcher.until(batch))
            new = await watcher.submit(1, model=MODEL)
            await watcher.until(new)
            assert set(previewed(watcher)) <= {prompt for batch in batches for prompt in batch.prompt_ids}
        assert ids(sim) == [prompt for batch in (*batches, new) for prompt in batch.prompt_ids]


async def test_ended_and_rejected_jobs_are_shown_again_after_a_restart(tmp_path: Path) -> None:
    async with SimServer(QUICK) as sim:
        server = Server.from_url(sim.url)
        async with watching(server, folder=tmp_path) as watcher:
            await watcher.live()
            good, bad = await watcher.submit(2, model=MODEL), await watcher.submit(2, model="none.safetensors")
            before = [*await watcher.until(good), *await watcher.until(bad)]
            assert statuses(watcher, bad) == [JobStatus.REJECTED] * 2
        # The server need not know them any more.
        await sim.restart()
        async with watching(server, folder=tmp_path) as watcher:
            await resumed(watcher, good)
            await watcher.until(await watcher.submit(1, model=MODEL), JobStatus.SUCCEEDED)
            after = [*watcher.jobs(good), *watcher.jobs(bad)]
        assert list(watcher.state.batches)[:2] == [good.id, bad.id]
        for old, new in zip(before, after, strict=True):
            assert (new.status, new.outputs, new.parameters) == (old.status, old.outputs, old.parameters)
            assert (new.failure and new.failure.message) == (old.failure and old.failure.message)
        assert len(sim.submitted) == 3


async def test_a_job_that_was_wrongly_marked_lost_comes_back(tmp_path: Path) -> None:
    gate = Gate()
    async with SimServer(QUICK, clock=gate) as sim:
        server = Server.from_url(sim.url)
        async with watching(server, folder=tmp_path) as watcher:
            await watcher.live()
            batch = await watcher.submit(2, model=MODEL)
            await watcher.until(batch, JobStatus.QUEUED)
            hidden, sim.queue.pending = sim.queue.pending, []
            sim.queue.changed()
            await watcher.until(batch, JobStatus.LOST)
            before = watcher.state.client_ids
        sim.queue.pending = hidden
        async with watching(server, folder=tmp_path) as watcher:
            await resumed(watcher, batch)
            await watcher.until(batch, JobStatus.QUEUED)
        async with watching(server, folder=tmp_path) as watcher:
            await resumed(watcher, batch)
            assert watcher.state.client_ids == before
            await gate.let_all()
            assert all(job.outputs for job in await watcher.until(batch))
        assert ids(sim) == list(batch.prompt_ids)


async def test_a_lost_job_is_lost_after_a_restart_and_can_be_resent(tmp_path: Path) -> None:
    async with SimServer(QUICK, clock=Gate()) as sim:
        server = Server.from_url(sim.url)
        async with watching(server, folder=tmp_path) as watcher:
            await watcher.live()
            batch = await watcher.submit(2, model=MODEL)
            await watcher.until(batch, JobStatus.QUEUED)
        await sim.restart()
        async with watching(server, folder=tmp_path) as watcher:
            await resumed(watcher, batch)
            await watcher.until(batch, JobStatus.LOST)
        async with watching(server, folder=tmp_path) as watcher:
            await resumed(watcher, batch)
            assert statuses(watcher, batch) == [JobStatus.LOST] * 2
            watcher.service.resend(batch.prompt_ids)
            await watcher.until(batch, JobStatus.QUEUED)
        first, again = sim.submitted[:2], sim.submitted[2:]
        assert [body["prompt"] for body in again] == [body["prompt"] for body in first]
