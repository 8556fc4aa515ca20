"""Prompts that were on their way when the service ended: the next one sends what is unsent, and nothing twice."""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from comfytui.comfy.server import Server
from comfytui.service.submission import outbox
from comfytui.session.model import Batch, JobStatus
from comfytui.sim.config import SimConfig
from comfytui.sim.server import SimServer
from tests.service.resuming import resumed, shows, statuses
from tests.service.test_service import MODEL, QUICK, ids
from tests.sim.gate import Gate
from tests.waiting import eventually
from tests.watcher import watching

Take = Callable[[dict[str, Any]], tuple[int, dict[str, Any]]]


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Looks for lost prompts come fast."""
    monkeypatch.setattr(outbox, "LOOK_PAUSE", 0.05)


def after(monkeypatch: pytest.MonkeyPatch, sim: SimServer, count: int, then: Callable[[], object]) -> None:
    """Let something happen as soon as the server has taken so many prompts."""
    take: Take = sim.submissions.submit

    def counted(body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        answer = take(body)
        if sim.queue.remaining == count:
            then()
        return answer

    monkeypatch.setattr(type(sim.submissions), "submit", lambda _, body: counted(body))


async def unanswered(sim: SimServer, folder: Path, images: int) -> Batch:
    """A batch whose first POST came to nothing, when the program ended."""
    with sim.faults.fail(502, "/prompt", method="POST") as lost:
        async with watching(Server.from_url(sim.url), folder=folder) as watcher:
            await watcher.live()
            batch = await watcher.order(images, model=MODEL)
            await eventually(lambda: lost.hits, "the POST")
    return batch


@pytest.mark.usefixtures("impatient")
async def test_what_is_not_sent_goes_on_being_sent_by_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outbox, "LANDING_TIME", 0.1)
    async with SimServer(QUICK, pace=Gate()) as sim:
        server = Server.from_url(sim.url)
        after(monkeypatch, sim, 3, lambda: sim.faults.fail(503, "/prompt", method="POST"))
        async with watching(server, folder=tmp_path) as watcher:
            await watcher.live()
            batch = await watcher.order(8, model=MODEL)
            await eventually(lambda: watcher.line(batch) == "3 of 8 sent", "three")
        async with watching(server, folder=tmp_path) as watcher:
            await resumed(watcher, batch)
            await eventually(lambda: watcher.line(batch) == "3 of 8 sent", "three again")
            sim.faults.clear()
            await watcher.until(batch, JobStatus.QUEUED)
        assert ids(sim) == list(batch.prompts)


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("lands", [True, False], ids=["landed", "lands-later"])
async def test_a_prompt_whose_answer_was_lost_before_is_looked_for(tmp_path: Path, lands: bool) -> None:
    async with SimServer(QUICK) as sim:
        server = Server.from_url(sim.url)
        held = sim.faults.hold_answers("/prompt", method="POST", times=1, lands=lands)
        async with watching(server, folder=tmp_path) as watcher:
            await watcher.live()
            batch = await watcher.order(2, model=MODEL)
            await eventually(lambda: held.hits and len(sim.submitted) == lands, "the POST")
        async with watching(server, folder=tmp_path) as watcher:
            await resumed(watcher, batch)
            held.end()
            jobs = await watcher.until(batch)
        assert ids(sim) == list(batch.prompts)
        assert all(job.outputs for job in jobs)


@pytest.mark.usefixtures("impatient")
async def test_a_prompt_that_never_landed_is_sent_after_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with SimServer(QUICK) as sim:
        server = Server.from_url(sim.url)
        batch = await unanswered(sim, tmp_path, 2)
        monkeypatch.setattr(outbox, "LANDING_TIME", 0.1)
        async with watching(server, folder=tmp_path) as watcher:
            await resumed(watcher, batch)
            await watcher.until(batch)
        assert ids(sim) == list(batch.prompts)


@pytest.mark.usefixtures("impatient")
async def test_a_server_that_mints_ids_is_not_sent_twice_what_a_look_found(tmp_path: Path) -> None:
    gate = Gate()
    async with SimServer(SimConfig(load_seconds=0, like="0.3.40"), pace=gate) as sim:
        server = Server.from_url(sim.url)
        held = sim.faults.hold_answers("/prompt", method="POST", times=1, lands=True)
        async with watching(server, folder=tmp_path) as watcher:
            await watcher.live()
            batch = await watcher.order(2, model=MODEL)
            await eventually(lambda: held.hits and sim.submitted, "the POST")
            watcher.service.reconnect()
            await eventually(lambda: statuses(watcher, batch)[:1] == [JobStatus.QUEUED], "its adoption")
        held.end()
        await gate.let_all()
        async with watching(server, folder=tmp_path) as watcher:
            await eventually(lambda: len(statuses(watcher, batch)) == 2, "the batch of before")
            await watcher.until(batch)
        async with watching(server, folder=tmp_path) as watcher:
            await eventually(lambda: batch.id in watcher.state.batches, "the batch of before")
            assert statuses(watcher, batch) == [JobStatus.SUCCEEDED] * 2
            assert all(job.outputs for job in watcher.jobs(batch))
        assert len(sim.submitted) == 2


@pytest.mark.usefixtures("impatient")
async def test_what_a_server_knew_under_an_id_of_its_own_is_sent_again_by_the_next_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outbox, "LANDING_TIME", 0.5)
    async with SimServer(SimConfig(load_seconds=0, like="0.3.40"), pace=Gate()) as sim:
        server = Server.from_url(sim.url)
        async with watching(server, folder=tmp_path) as watcher:
            await watcher.live()
            batch = await watcher.order(2, model=MODEL)
            await watcher.until(batch, JobStatus.QUEUED)
            await sim.restart()
            await watcher.until(batch, JobStatus.LOST)
            refused = sim.faults.fail(502, "/prompt", method="POST")
            watcher.service.resend(watcher.state.batches[batch.id].prompts)
            await eventually(lambda: refused.hits, "the POST")
        refused.end()
        async with watching(server, folder=tmp_path) as watcher:
            await eventually(lambda: statuses(watcher, batch) == [JobStatus.SUBMITTING] * 2, "the batch of before")
            await watcher.until(batch, JobStatus.QUEUED)
        assert [body["prompt"] for body in sim.submitted[2:]] == [body["prompt"] for body in sim.submitted[:2]]


async def test_what_one_start_sends_again_the_next_one_hears_live(tmp_path: Path) -> None:
    gate = Gate()
    async with SimServer(QUICK, pace=gate) as sim:
        server = Server.from_url(sim.url)
        async with watching(server, folder=tmp_path) as watcher:
            await watcher.live()
            batch = await watcher.order(2, model=MODEL, steps=8)
            await watcher.until(batch, JobStatus.QUEUED)
            await sim.restart()
            await watcher.until(batch, JobStatus.LOST)
        async with watching(server, folder=tmp_path) as watcher:
            await resumed(watcher, batch)
            watcher.service.resend(batch.prompts)
            await watcher.until(batch, JobStatus.QUEUED)
        async with watching(server, folder=tmp_path) as watcher:
            await resumed(watcher, batch)
            assert {body["client_id"] for body in sim.submitted[2:]} <= watcher.state.client_ids
            await gate.let_steps(2)
            await eventually(partial(shows, watcher, batch, "Image 1 of 2 - Step 2/8 (25%)"), "its steps")
        assert ids(sim) == [*batch.prompts, *batch.prompts]


@pytest.mark.usefixtures("impatient")
async def test_a_clock_that_was_set_back_holds_nothing_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with SimServer(QUICK) as sim:
        server = Server.from_url(sim.url)
        batch = await unanswered(sim, tmp_path, 1)
        with closing(sqlite3.connect(tmp_path / "journal.sqlite3")) as db, db:
            assert db.execute("UPDATE prompts SET sending = sending + 86400 WHERE sending > 0").rowcount == 1
        monkeypatch.setattr(outbox, "LANDING_TIME", 0.1)
        async with watching(server, folder=tmp_path) as watcher:
            await resumed(watcher, batch)
            await watcher.until(batch, patience=20)
        assert ids(sim) == list(batch.prompts)


@pytest.mark.usefixtures("impatient")
async def test_one_that_is_to_be_cancelled_when_it_is_found_is_cancelled_by_the_next_start(tmp_path: Path) -> None:
    async with SimServer(QUICK, pace=Gate()) as sim:
        server = Server.from_url(sim.url)
        held = sim.faults.hold_answers("/prompt", method="POST", times=1, lands=True)
        async with watching(server, folder=tmp_path) as watcher:
            await watcher.live()
            batch = await watcher.order(1, model=MODEL)
            await eventually(lambda: held.hits, "the POST")
            watcher.service.cancel(*batch.prompts)
            await eventually(lambda: watcher.sentences, "the withdrawal")
        held.end()
        async with watching(server, folder=tmp_path) as watcher:
            await resumed(watcher, batch)
            await watcher.until(batch, JobStatus.CANCELLED, JobStatus.INTERRUPTED)
            await eventually(lambda: not sim.queue.remaining, "an empty queue")
        assert ids(sim) == list(batch.prompts)


@pytest.mark.usefixtures("impatient")
async def test_one_whose_graph_was_damaged_on_the_disk_is_told_and_the_others_are_sent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outbox, "LANDING_TIME", 0.1)
    async with SimServer(QUICK) as sim:
        server = Server.from_url(sim.url)
        batch = await unanswered(sim, tmp_path, 3)
        with closing(sqlite3.connect(tmp_path / "journal.sqlite3")) as db, db:
            db.execute("UPDATE prompts SET graph = x'00' WHERE prompt_id = ?", (batch.prompts[1],))
        async with watching(server, folder=tmp_path) as watcher:
            await resumed(watcher, batch)
            jobs = await watcher.until(batch)
        assert [job.status for job in jobs] == [JobStatus.SUCCEEDED, JobStatus.REJECTED, JobStatus.SUCCEEDED]
        assert jobs[1].failure is not None
        assert "damaged" in jobs[1].failure.message
        assert ids(sim) == [batch.prompts[0], batch.prompts[2]]
