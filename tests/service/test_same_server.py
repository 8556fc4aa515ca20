"""One server under several addresses, identical servers, and several processes of one user."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from comfytui.comfy.client import ComfyClient
from comfytui.comfy.server import Server
from comfytui.service.notifications import JobEnded
from comfytui.service.results import BatchCancelled, Cancelled, CancelOutcome
from comfytui.session.model import Batch, Job, JobStatus, LinkKind
from comfytui.sim.routes import system_stats
from comfytui.sim.server import SimServer
from tests.faults.proxy import proxy_to
from tests.service.submission.resuming import resumed, shows, statuses
from tests.service.test_other_clients_jobs import of_another_client
from tests.service.test_other_server import journal_rows
from tests.service.test_service import MODEL, QUICK, ids
from tests.sim.gate import Gate
from tests.timings import timings
from tests.waiting import eventually
from tests.watcher import Watcher, watching

STEPS = 8
IMPATIENT = timings(submission={"retry_pause": 0.05, "arrival": 0.1})
"""Searches fast for prompts whose answer was lost."""
FINGERPRINTED_ALIKE = ["main.py", "--listen"]
"""Arguments without a port, as two machines that are set up alike are started with."""


async def mine(watcher: Watcher, batch: Batch, *expected: JobStatus) -> list[Job]:
    """Wait until the batch is shown as mine, its jobs in these states; return the jobs."""

    def there() -> bool:
        known = watcher.state.batches.get(batch.id)
        return known is not None and known.total == batch.total and statuses(watcher, batch) == list(expected)

    await eventually(there, f"{expected} as mine")
    return watcher.jobs(batch)


def held(watcher: Watcher) -> frozenset[str]:
    """Return the client ids that a process has sockets of."""
    return watcher.state.client_ids - watcher.state.held_elsewhere


def counted(folder: Path, status: JobStatus) -> int:
    """Count the prompts with a status in the journal."""
    return [row[2] for row in journal_rows(folder)].count(status)


@pytest.mark.parametrize("started_first", [True, False])
async def test_jobs_of_another_process_can_be_seen_and_cancelled_but_not_sent(
    tmp_path: Path, started_first: bool
) -> None:
    gate = Gate()
    async with SimServer(QUICK, clock=gate) as sim:
        server = Server.from_url(sim.url)
        first, second = watching(server, folder=tmp_path), watching(server, folder=tmp_path)
        async with first if started_first else second as one, second if started_first else first as other:
            await one.live()
            await other.live()
            batch = await one.submit(3, model=MODEL, steps=STEPS)
            await gate.let_steps(3)
            await eventually(lambda: one.line(batch) == "Image 1 of 3 - Step 3/8 (37%)", "the third step")
            jobs = await mine(other, batch, JobStatus.RUNNING, JobStatus.QUEUED, JobStatus.QUEUED)
            assert [job.batch_tag and job.batch_tag.index for job in jobs] == [1, 2, 3]
            assert other.line(batch) == "Image 1 of 3 - step unknown"
            assert await other.cancel(batch.prompt_ids[1]) == Cancelled(CancelOutcome.REMOVED)
            assert await other.cancel(batch.prompt_ids[0]) == Cancelled(CancelOutcome.INTERRUPT_SENT)
            await gate.let_steps(2)
            await mine(other, batch, JobStatus.INTERRUPTED, JobStatus.CANCELLED, JobStatus.RUNNING)
            # The frames still go to the process that submitted it.
            await eventually(lambda: shows(one, batch, "Image 3 of 3 - Step 1/8 (12%)"), "the first step of the third")
            assert set(sim.sockets.clients) == {*held(one), *held(other)}
            await gate.let_all()
            await mine(other, batch, JobStatus.INTERRUPTED, JobStatus.CANCELLED, JobStatus.SUCCEEDED)
        assert ids(sim) == list(batch.prompt_ids)


async def test_lost_jobs_of_another_process_are_resent_by_their_owner_only(tmp_path: Path) -> None:
    async with SimServer(QUICK, clock=Gate()) as sim:
        server = Server.from_url(sim.url)
        async with watching(server, folder=tmp_path) as one:
            await one.live()
            batch = await one.submit(2, model=MODEL)
            await one.until(batch, JobStatus.QUEUED)
            async with watching(server, folder=tmp_path) as other:
                await mine(other, batch, JobStatus.QUEUED, JobStatus.QUEUED)
                await sim.restart()
                await mine(other, batch, JobStatus.LOST, JobStatus.LOST)
                await one.until(batch, JobStatus.LOST)
                # Only the process that can re-send it notifies its user of the loss.
                assert not any(isinstance(n, JobEnded) for n in other.notifications)
                await eventually(lambda: any(isinstance(n, JobEnded) for n in one.notifications), "the loss")
                other.service.resend(batch.prompt_ids)
                one.service.resend(batch.prompt_ids)
                await mine(other, batch, JobStatus.QUEUED, JobStatus.QUEUED)
        assert ids(sim) == [*batch.prompt_ids, *batch.prompt_ids]


async def claimed_by(sim: SimServer, watcher: Watcher) -> None:
    """Submit another client's job, which makes a process look up free client ids, and wait for its claim."""
    async with ComfyClient(Server.from_url(sim.url)) as other:
        await of_another_client(other, 1)
    await eventually(lambda: not watcher.state.held_elsewhere, "the client id of the process that ended")


async def test_jobs_of_a_process_that_ended_are_live_and_recorded_in_the_one_that_resumes_them(
    tmp_path: Path,
) -> None:
    gate = Gate()
    gate.let_start()
    async with SimServer(QUICK, clock=gate) as sim:
        server = Server.from_url(sim.url)
        async with watching(server, folder=tmp_path) as other:
            await other.live()
            async with watching(server, folder=tmp_path) as one:
                await one.live()
                batch = await one.submit(3, model=MODEL, steps=STEPS)
                await mine(other, batch, JobStatus.RUNNING, JobStatus.QUEUED, JobStatus.QUEUED)
            await gate.let_steps(STEPS)
            await mine(other, batch, JobStatus.SUCCEEDED, JobStatus.RUNNING, JobStatus.QUEUED)
            # No process recorded the end of the first: its owner had ended, and the other did not hold its id.
            assert [row[2] for row in journal_rows(tmp_path)] == ["queued"] * 3
            await claimed_by(sim, other)
            await eventually(lambda: set(sim.sockets.clients) == other.state.client_ids, "a socket for each")
            await gate.let_steps(2)
            await eventually(lambda: shows(other, batch, "Image 2 of 3 - Step 2/8 (25%)"), "the next step, live")
            await gate.let_all()
            await mine(other, batch, *[JobStatus.SUCCEEDED] * 3)
        await sim.restart()
        async with watching(server, folder=tmp_path) as watcher:
            await watcher.live()
            await watcher.until(await watcher.submit(1, model=MODEL), JobStatus.SUCCEEDED)
            assert [row[2] for row in journal_rows(tmp_path)][:3] == ["succeeded"] * 3
        assert ids(sim)[:3] == list(batch.prompt_ids)


@pytest.mark.parametrize("version", ["0.33.0", "0.3.40"])
async def test_unsent_images_of_a_process_that_ended_are_sent_once_by_the_one_that_resumes_them(
    tmp_path: Path, version: str
) -> None:
    gate = Gate()
    gate.let_start()
    async with SimServer(replace(QUICK, like=version), clock=gate) as sim:
        server = Server.from_url(sim.url)
        async with watching(server, folder=tmp_path, timings=IMPATIENT) as other:
            await other.live()
            async with watching(server, folder=tmp_path, timings=IMPATIENT) as one:
                await one.live()
                # The server has the first one, but its answer is held, and the second one waits for that.
                answer = sim.faults.hold_responses("/prompt", method="POST", processed=True)
                batch = await one.submit(2, model=MODEL)
                await eventually(lambda: statuses(other, batch) == [JobStatus.RUNNING], "the first image")
            answer.end()
            await claimed_by(sim, other)
            await mine(other, batch, JobStatus.RUNNING, JobStatus.QUEUED)
            known = [("queued", None)] * 2
            await eventually(lambda: [row[2:4] for row in journal_rows(tmp_path)] == known, "what is written")
            await gate.let_all()
            await mine(other, batch, *[JobStatus.SUCCEEDED] * 2)
            # Both as images of one batch, and the other client's job.
            assert (len(sim.submitted), len(other.state.batches)) == (3, 1)
            assert other.state.batches[batch.id].total == len(other.jobs(batch)) == 2


@pytest.mark.parametrize("by_owner", [False, True])
async def test_a_job_that_one_process_cancels_is_cancelled_in_the_other_too(tmp_path: Path, by_owner: bool) -> None:
    gate = Gate()
    async with SimServer(QUICK, clock=gate) as sim:
        elsewhere = Server.from_url(sim.url.replace("127.0.0.1", "localhost"))
        async with watching(Server.from_url(sim.url), folder=tmp_path) as one:
            await one.live()
            batch = await one.submit(3, model=MODEL)
            await gate.let_steps(1)
            async with watching(elsewhere, folder=tmp_path) as other:
                await mine(other, batch, JobStatus.RUNNING, JobStatus.QUEUED, JobStatus.QUEUED)
                watcher = one if by_owner else other
                watcher.service.cancel(batch.prompt_ids[1])
                expected = JobStatus.RUNNING, JobStatus.CANCELLED, JobStatus.QUEUED
                await mine(one, batch, *expected)
                await mine(other, batch, *expected)
                assert await watcher.cancel_batch(batch) == BatchCancelled(removed=1, interrupted=1)
                await gate.let_all()
                expected = JobStatus.INTERRUPTED, JobStatus.CANCELLED, JobStatus.CANCELLED
                await mine(one, batch, *expected)
                await mine(other, batch, *expected)
        # And in the journal.
        async with watching(elsewhere, folder=tmp_path) as later:
            await mine(later, batch, *expected)


async def test_a_job_that_another_process_dismissed_is_not_resent(tmp_path: Path) -> None:
    async with SimServer(QUICK, clock=Gate()) as sim:
        server = Server.from_url(sim.url)
        async with watching(server, folder=tmp_path) as one, watching(server, folder=tmp_path) as other:
            await one.live()
            await other.live()
            batch = await one.submit(2, model=MODEL)
            await mine(other, batch, JobStatus.QUEUED, JobStatus.QUEUED)
            await sim.restart()
            await mine(one, batch, JobStatus.LOST, JobStatus.LOST)
            await mine(other, batch, JobStatus.LOST, JobStatus.LOST)
            await eventually(lambda: counted(tmp_path, JobStatus.LOST) == 2, "the loss in the journal")
            other.service.cancel(batch.prompt_ids[0])
            await eventually(lambda: counted(tmp_path, JobStatus.CANCELLED) == 1, "the dismissal in the journal")
            one.service.resend(batch.prompt_ids)
            await mine(one, batch, JobStatus.CANCELLED, JobStatus.QUEUED)
            await mine(other, batch, JobStatus.CANCELLED, JobStatus.QUEUED)
        assert ids(sim) == [*batch.prompt_ids, batch.prompt_ids[1]]


@pytest.mark.parametrize("way", ["name", "tunnel", "configured"])
async def test_a_batch_is_resumed_at_another_address_of_its_server(tmp_path: Path, way: str) -> None:
    gate = Gate()
    async with SimServer(QUICK, clock=gate) as sim, proxy_to(sim.url) as proxy:
        addresses = {
            "name": Server.from_url(sim.url.replace("127.0.0.1", "localhost")),
            "tunnel": Server.from_url(proxy.url),
            "configured": Server.from_url(sim.url, name="gpu-box"),
        }
        async with watching(Server.from_url(sim.url), folder=tmp_path) as watcher:
            await watcher.live()
            batch = await watcher.submit(3, model=MODEL, steps=STEPS)
            await watcher.until(batch, JobStatus.QUEUED)
            await gate.let_steps(STEPS + 2)
            await eventually(lambda: shows(watcher, batch, "Image 2 of 3 - Step 2/8 (25%)"), "the second image")
            before = watcher.state.client_ids
        async with watching(addresses[way], folder=tmp_path) as watcher:
            await mine(watcher, batch, JobStatus.SUCCEEDED, JobStatus.RUNNING, JobStatus.QUEUED)
            assert watcher.state.batches[batch.id] == batch
            assert watcher.state.client_ids > before
            await eventually(lambda: before <= set(sim.sockets.clients), "the socket of before")
            await gate.let_steps(1)
            await eventually(lambda: shows(watcher, batch, "Image 2 of 3 - Step 3/8 (37%)"), "the next step, live")
            watcher.service.cancel(batch.prompt_ids[2])
            await mine(watcher, batch, JobStatus.SUCCEEDED, JobStatus.RUNNING, JobStatus.CANCELLED)
        await gate.let_all()
        # From now on the batch is known to be reached there as well, even if the server has forgotten it.
        await sim.restart()
        async with watching(addresses[way], folder=tmp_path) as watcher:
            await resumed(watcher, batch)
            await mine(watcher, batch, JobStatus.SUCCEEDED, JobStatus.LOST, JobStatus.CANCELLED)
        assert ids(sim) == list(batch.prompt_ids)


async def test_unsent_images_are_sent_by_another_address_of_the_same_server(tmp_path: Path) -> None:
    searching = timings(submission={"retry_pause": 0.05})
    async with SimServer(QUICK, clock=Gate()) as sim, proxy_to(sim.url) as proxy:
        async with watching(Server.from_url(sim.url), folder=tmp_path, timings=searching) as watcher:
            await watcher.live()
            sent = await watcher.submit(1, model=MODEL)
            await watcher.until(sent, JobStatus.QUEUED)
            with sim.faults.fail(502, "/prompt", method="POST") as refused:
                waiting = await watcher.submit(2, model=MODEL)
                await eventually(lambda: refused.hits, "the POST")
                await eventually(lambda: statuses(watcher, waiting) == [JobStatus.SUBMITTING] * 2, "the wait")
        async with watching(Server.from_url(proxy.url), folder=tmp_path, timings=IMPATIENT) as watcher:
            await mine(watcher, waiting, JobStatus.QUEUED, JobStatus.QUEUED)
        assert ids(sim) == [*sent.prompt_ids, *waiting.prompt_ids]


async def test_two_identical_machines_are_not_confused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(system_stats, "_argv", lambda *_: FINGERPRINTED_ALIKE)
    async with SimServer(QUICK, clock=Gate()) as sim, SimServer(QUICK, clock=Gate()) as twin:
        async with watching(Server.from_url(sim.url), folder=tmp_path, timings=IMPATIENT) as watcher:
            await watcher.live()
            sent = await watcher.submit(1, model=MODEL)
            await watcher.until(sent, JobStatus.QUEUED)
            with sim.faults.fail(502, "/prompt", method="POST") as refused:
                unsent = await watcher.submit(1, model=MODEL)
                await eventually(lambda: refused.hits, "the POST")
            async with watching(Server.from_url(twin.url), folder=tmp_path, timings=IMPATIENT) as other:
                await other.live()
                there = await other.submit(1, model=MODEL)
                await other.until(there, JobStatus.QUEUED)
                assert list(other.state.batches) == [there.id]
        async with watching(Server.from_url(twin.url), folder=tmp_path, timings=IMPATIENT) as other:
            await resumed(other, there)
            await other.until(await other.submit(1, model=MODEL), JobStatus.QUEUED)
            assert not {sent.id, unsent.id} & set(other.state.batches)
        async with watching(Server.from_url(sim.url), folder=tmp_path, timings=IMPATIENT) as watcher:
            await resumed(watcher, sent)
            await mine(watcher, sent, JobStatus.QUEUED)
            await mine(watcher, unsent, JobStatus.QUEUED)
            assert there.id not in watcher.state.batches
        assert ids(sim) == [*sent.prompt_ids, *unsent.prompt_ids]
        assert not {*sent.prompt_ids, *unsent.prompt_ids} & set(ids(twin))


async def submitted_without_answer(server: Server, folder: Path) -> Batch:
    """Submit a batch at an address where nothing answers, and end the process; return the batch."""
    async with watching(server, folder=folder) as watcher:
        await eventually(lambda: watcher.state.link.kind is LinkKind.OFFLINE, "nothing there")
        batch = await watcher.submit(2, model=MODEL)
        assert watcher.service.is_durable
    return batch


@pytest.mark.parametrize("back_by", ["address", "name"])
async def test_a_batch_for_an_address_without_a_server_goes_to_the_first_that_answers(
    tmp_path: Path, back_by: str
) -> None:
    async with SimServer(QUICK) as sim, SimServer(replace(QUICK, vram_gib=80)) as later, proxy_to(sim.url) as proxy:
        proxy.go_down()
        servers: Mapping[str, Server] = {
            "address": Server.from_url(proxy.url),
            "name": Server.from_url(proxy.url, name="gpu-box"),
        }
        batch = await submitted_without_answer(servers["name"], tmp_path)
        async with watching(servers[back_by], folder=tmp_path) as watcher:
            await mine(watcher, batch, JobStatus.SUBMITTING, JobStatus.SUBMITTING)
        # The server is known by another address, and still the first one that answers at this one.
        async with watching(Server.from_url(sim.url), folder=tmp_path) as watcher:
            await watcher.live()
            assert not watcher.state.batches
        await proxy.come_up()
        async with watching(servers[back_by], folder=tmp_path) as watcher:
            await mine(watcher, batch, JobStatus.SUCCEEDED, JobStatus.SUCCEEDED)
        proxy.forward_to(later.url)
        async with watching(servers[back_by], folder=tmp_path) as watcher:
            await eventually(lambda: watcher.state.link.kind is LinkKind.OTHER_SERVER, "another server")
        assert (ids(sim), later.submitted) == (list(batch.prompt_ids), [])
