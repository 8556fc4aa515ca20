"""Prompts that were being sent when the service ended: the next start sends what is unsent, and nothing twice."""

import asyncio
import sqlite3
from collections.abc import Callable
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from comfytui.comfy.server import Server
from comfytui.service.results import Cancelled, CancelOutcome
from comfytui.session.model import Batch, JobStatus
from comfytui.sim.config import SimConfig
from comfytui.sim.server import SimServer
from tests.service.submission.resuming import resumed, shows, statuses
from tests.service.test_service import MODEL, QUICK, ids
from tests.sim.gate import Gate
from tests.timings import timings
from tests.waiting import TIMEOUT, eventually
from tests.watcher import watching

Take = Callable[[dict[str, Any]], tuple[int, dict[str, Any]]]


SHORT_PAUSES = timings(submission={"retry_pause": 0.05})
"""Searches for unconfirmed prompts at short intervals."""
IMPATIENT = timings(SHORT_PAUSES, submission={"arrival": 0.1})
"""And not for long."""


def after(monkeypatch: pytest.MonkeyPatch, sim: SimServer, count: int, then: Callable[[], object]) -> None:
    """Call `then` as soon as the server has accepted `count` prompts."""
    take: Take = sim.submissions.submit

    def counted(body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        answer = take(body)
        if sim.queue.remaining == count:
            then()
        return answer

    monkeypatch.setattr(type(sim.submissions), "submit", lambda _, body: counted(body))


async def unanswered(sim: SimServer, folder: Path, images: int) -> Batch:
    """Return a batch whose first POST failed before the process ended."""
    with sim.faults.fail(502, "/prompt", method="POST") as lost:
        async with watching(Server.from_url(sim.url), folder=folder, timings=SHORT_PAUSES) as watcher:
            await watcher.live()
            batch = await watcher.submit(images, model=MODEL)
            await eventually(lambda: lost.hits, "the POST")
    return batch


async def test_the_next_start_sends_what_is_unsent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with SimServer(QUICK, clock=Gate()) as sim:
        server = Server.from_url(sim.url)
        after(monkeypatch, sim, 3, lambda: sim.faults.fail(503, "/prompt", method="POST"))
        async with watching(server, folder=tmp_path, timings=IMPATIENT) as watcher:
            await watcher.live()
            batch = await watcher.submit(8, model=MODEL)
            await eventually(lambda: watcher.line(batch) == "3 of 8 sent", "three")
        async with watching(server, folder=tmp_path, timings=IMPATIENT) as watcher:
            await resumed(watcher, batch)
            await eventually(lambda: watcher.line(batch) == "3 of 8 sent", "three again")
            sim.faults.clear()
            await watcher.until(batch, JobStatus.QUEUED)
        assert ids(sim) == list(batch.prompt_ids)


@pytest.mark.parametrize("processed", [True, False], ids=["arrived", "arrives-later"])
async def test_the_next_start_searches_for_an_unconfirmed_prompt(tmp_path: Path, processed: bool) -> None:
    async with SimServer(QUICK) as sim:
        server = Server.from_url(sim.url)
        held = sim.faults.hold_responses("/prompt", method="POST", times=1, processed=processed)
        async with watching(server, folder=tmp_path, timings=SHORT_PAUSES) as watcher:
            await watcher.live()
            batch = await watcher.submit(2, model=MODEL)
            await eventually(lambda: held.hits and len(sim.submitted) == processed, "the POST")
        async with watching(server, folder=tmp_path, timings=SHORT_PAUSES) as watcher:
            await resumed(watcher, batch)
            held.end()
            jobs = await watcher.until(batch)
        assert ids(sim) == list(batch.prompt_ids)
        assert all(job.outputs for job in jobs)


async def test_an_answer_that_comes_while_the_service_stops_is_recorded(tmp_path: Path) -> None:
    patient = timings(submission={"last_answer": TIMEOUT, "retry_pause": 1e6}, program={"stop": 2 * TIMEOUT})
    async with SimServer(QUICK, clock=Gate()) as sim:
        server = Server.from_url(sim.url)
        held = sim.faults.hold_responses("/prompt", method="POST", times=1, processed=True)
        async with watching(server, folder=tmp_path, timings=patient) as watcher:
            await watcher.live()
            batch = await watcher.submit(2, model=MODEL)
            await eventually(lambda: held.hits and sim.submitted, "the POST")
            stopping = asyncio.create_task(asyncio.to_thread(watcher.service.stop))
            await eventually(lambda: not sim.sockets.clients, "the close of the websocket")
            held.end()
            assert await stopping
        assert ids(sim) == [batch.prompt_ids[0]], "nothing is sent once it stops"
        async with watching(server, folder=tmp_path, timings=patient) as watcher:
            await resumed(watcher, batch)
            await watcher.until(batch, JobStatus.QUEUED)
        assert ids(sim) == list(batch.prompt_ids)


async def test_a_search_for_a_prompt_that_should_have_arrived_long_ago_is_short(tmp_path: Path) -> None:
    long_pauses = timings(submission={"retry_pause": 3600.0, "second_look": 0.05})
    async with SimServer(QUICK) as sim:
        server = Server.from_url(sim.url)
        batch = await unanswered(sim, tmp_path, 2)
        with closing(sqlite3.connect(tmp_path / "journal.sqlite3")) as db, db:
            assert db.execute("UPDATE prompts SET sending = sending - 86400 WHERE sending > 0").rowcount == 1
        async with watching(server, folder=tmp_path, timings=long_pauses) as watcher:
            await resumed(watcher, batch)
            await watcher.until(batch)
        assert ids(sim) == list(batch.prompt_ids)


async def test_a_prompt_that_never_arrived_is_sent_by_the_next_start(tmp_path: Path) -> None:
    async with SimServer(QUICK) as sim:
        server = Server.from_url(sim.url)
        batch = await unanswered(sim, tmp_path, 2)
        async with watching(server, folder=tmp_path, timings=IMPATIENT) as watcher:
            await resumed(watcher, batch)
            await watcher.until(batch)
        assert ids(sim) == list(batch.prompt_ids)


async def test_a_prompt_that_a_poll_found_under_an_id_of_the_server_is_not_sent_twice(tmp_path: Path) -> None:
    gate = Gate()
    async with SimServer(SimConfig(load_seconds=0, like="0.3.40"), clock=gate) as sim:
        server = Server.from_url(sim.url)
        held = sim.faults.hold_responses("/prompt", method="POST", times=1, processed=True)
        async with watching(server, folder=tmp_path, timings=SHORT_PAUSES) as watcher:
            await watcher.live()
            batch = await watcher.submit(2, model=MODEL)
            await eventually(lambda: held.hits and sim.submitted, "the POST")
            watcher.service.reconnect()
            await eventually(lambda: statuses(watcher, batch)[:1] == [JobStatus.QUEUED], "its adoption")
        held.end()
        await gate.let_all()
        async with watching(server, folder=tmp_path, timings=SHORT_PAUSES) as watcher:
            await eventually(lambda: len(statuses(watcher, batch)) == 2, "the batch of before")
            await watcher.until(batch)
        async with watching(server, folder=tmp_path, timings=SHORT_PAUSES) as watcher:
            await eventually(lambda: batch.id in watcher.state.batches, "the batch of before")
            assert statuses(watcher, batch) == [JobStatus.SUCCEEDED] * 2
            assert all(job.outputs for job in watcher.jobs(batch))
        assert len(sim.submitted) == 2


async def test_a_lost_job_with_an_id_of_the_server_is_resent_by_the_next_start(tmp_path: Path) -> None:
    searching = timings(SHORT_PAUSES, submission={"arrival": 0.5})
    async with SimServer(SimConfig(load_seconds=0, like="0.3.40"), clock=Gate()) as sim:
        server = Server.from_url(sim.url)
        async with watching(server, folder=tmp_path, timings=searching) as watcher:
            await watcher.live()
            batch = await watcher.submit(2, model=MODEL)
            await watcher.until(batch, JobStatus.QUEUED)
            await sim.restart()
            await watcher.until(batch, JobStatus.LOST)
            refused = sim.faults.fail(502, "/prompt", method="POST")
            watcher.service.resend(watcher.state.batches[batch.id].prompt_ids)
            await eventually(lambda: refused.hits, "the POST")
        refused.end()
        async with watching(server, folder=tmp_path, timings=searching) as watcher:
            await eventually(lambda: statuses(watcher, batch) == [JobStatus.SUBMITTING] * 2, "the batch of before")
            await watcher.until(batch, JobStatus.QUEUED)
        assert [body["prompt"] for body in sim.submitted[2:]] == [body["prompt"] for body in sim.submitted[:2]]


async def test_jobs_that_one_start_resent_are_live_in_the_next(tmp_path: Path) -> None:
    gate = Gate()
    async with SimServer(QUICK, clock=gate) as sim:
        server = Server.from_url(sim.url)
        async with watching(server, folder=tmp_path) as watcher:
            await watcher.live()
            batch = await watcher.submit(2, model=MODEL, steps=8)
            await watcher.until(batch, JobStatus.QUEUED)
            await sim.restart()
            await watcher.until(batch, JobStatus.LOST)
        async with watching(server, folder=tmp_path) as watcher:
            await resumed(watcher, batch)
            watcher.service.resend(batch.prompt_ids)
            await watcher.until(batch, JobStatus.QUEUED)
        async with watching(server, folder=tmp_path) as watcher:
            await resumed(watcher, batch)
            assert {body["client_id"] for body in sim.submitted[2:]} <= watcher.state.client_ids
            await gate.let_steps(2)
            await eventually(partial(shows, watcher, batch, "Image 1 of 2 - Step 2/8 (25%)"), "its steps")
        assert ids(sim) == [*batch.prompt_ids, *batch.prompt_ids]


async def test_a_clock_that_was_set_back_does_not_prolong_the_search(tmp_path: Path) -> None:
    async with SimServer(QUICK) as sim:
        server = Server.from_url(sim.url)
        batch = await unanswered(sim, tmp_path, 1)
        with closing(sqlite3.connect(tmp_path / "journal.sqlite3")) as db, db:
            assert db.execute("UPDATE prompts SET sending = sending + 86400 WHERE sending > 0").rowcount == 1
        async with watching(server, folder=tmp_path, timings=IMPATIENT) as watcher:
            await resumed(watcher, batch)
            await watcher.until(batch)
        assert ids(sim) == list(batch.prompt_ids)


async def test_a_requested_cancel_is_carried_out_by_the_next_start(tmp_path: Path) -> None:
    async with SimServer(QUICK, clock=Gate()) as sim:
        server = Server.from_url(sim.url)
        held = sim.faults.hold_responses("/prompt", method="POST", times=1, processed=True)
        async with watching(server, folder=tmp_path, timings=SHORT_PAUSES) as watcher:
            await watcher.live()
            batch = await watcher.submit(1, model=MODEL)
            await eventually(lambda: held.hits, "the POST")
            assert await watcher.cancel(*batch.prompt_ids) == Cancelled(CancelOutcome.ON_ARRIVAL)
        held.end()
        async with watching(server, folder=tmp_path, timings=SHORT_PAUSES) as watcher:
            await resumed(watcher, batch)
            await watcher.until(batch, JobStatus.CANCELLED, JobStatus.INTERRUPTED)
            await eventually(lambda: not sim.queue.remaining, "an empty queue")
        assert ids(sim) == list(batch.prompt_ids)


async def test_a_prompt_with_a_damaged_graph_is_rejected_and_the_others_are_sent(tmp_path: Path) -> None:
    async with SimServer(QUICK) as sim:
        server = Server.from_url(sim.url)
        batch = await unanswered(sim, tmp_path, 3)
        with closing(sqlite3.connect(tmp_path / "journal.sqlite3")) as db, db:
            db.execute("UPDATE prompts SET graph = x'00' WHERE prompt_id = ?", (batch.prompt_ids[1],))
        async with watching(server, folder=tmp_path, timings=IMPATIENT) as watcher:
            await resumed(watcher, batch)
            jobs = await watcher.until(batch)
        assert [job.status for job in jobs] == [JobStatus.SUCCEEDED, JobStatus.REJECTED, JobStatus.SUCCEEDED]
        assert jobs[1].failure is not None
        assert "damaged" in jobs[1].failure.message
        assert ids(sim) == [batch.prompt_ids[0], batch.prompt_ids[2]]
