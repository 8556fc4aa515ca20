"""The scribe keeps the order of writes, waits only where asked to, and tells of a failure once."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from pathlib import Path
from threading import Event
from threading import enumerate as threads

import pytest

from comfytui.comfy.protocol.events import Output
from comfytui.service.journal import async_journal
from comfytui.service.journal.async_journal import AsyncJournal
from comfytui.service.journal.journal import Journal
from comfytui.session.model import JobStatus
from tests.service.journal.batches import ME, SERVER, graph, order, planned
from tests.waiting import eventually


@asynccontextmanager
async def scribe(folder: Path, told: list[str]) -> AsyncIterator[AsyncJournal]:
    scribe = AsyncJournal(told.append, folder)
    await scribe.open()
    try:
        yield scribe
    finally:
        assert await scribe.close()
        assert not [thread for thread in threads() if thread.name == "comfytui journal"]


async def test_a_batchs_life_goes_through_it(tmp_path: Path) -> None:
    told: list[str] = []
    batch, submissions = order([1, 2, 3])
    first, second, third = batch.prompts
    async with scribe(tmp_path, told) as pen:
        (claim,) = await pen.claim_ids(SERVER)
        pen.remember_fingerprint(SERVER.name, "box")
        assert await pen.plan(SERVER, claim.client_id, batch, submissions)
        assert await pen.sending(first, 1.0, claim.client_id)
        pen.sent(first, "theirs", 1)
        pen.sent("theirs", "theirs after all", 1)
        pen.ended("theirs after all", JobStatus.SUCCEEDED, outputs=[Output("fox.png")], seconds=2.0, wall=3.0)
        assert await pen.sending(second, 4.0, claim.client_id)
        pen.unsent(second)
        pen.ended(third, JobStatus.LOST)
        pen.reopened(third)
    async with scribe(tmp_path, told) as pen:
        assert await pen.fingerprint(SERVER.name) == "box"
        assert [again.client_id for again in await pen.claim_ids(SERVER)] == [claim.client_id]
        (saved,) = await pen.restore(SERVER, [claim.client_id])
        assert await pen.graph_of(second) == graph(2)
    assert [(prompt.status, prompt.key) for prompt in saved.prompts] == [
        (JobStatus.SUCCEEDED, "theirs after all"),
        (JobStatus.SUBMITTING, second),
        (JobStatus.QUEUED, third),
    ]
    assert told == []


async def test_what_is_awaited_is_on_the_disk_for_others(tmp_path: Path) -> None:
    batch, submissions = order()
    async with scribe(tmp_path, []) as pen:
        await pen.plan(SERVER, ME, batch, submissions)
        await pen.sending(batch.prompts[0], 5.0, ME)
        with Journal.open(tmp_path) as other:
            assert other.restore(SERVER, [ME])[0].prompts[0].sending_since == 5.0


async def test_the_loop_goes_on_while_the_disk_hangs_and_no_order_is_lost(tmp_path: Path) -> None:
    batch, submissions = order()
    async with scribe(tmp_path, []) as pen:
        with closing(sqlite3.connect(tmp_path / "journal.sqlite3", isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            writing = pen.plan(SERVER, ME, batch, submissions)
            pen.ended(batch.prompts[0], JobStatus.FAILED)
            pen.ended(batch.prompts[0], JobStatus.SUCCEEDED)
            await asyncio.sleep(0)
            assert not writing.done()
            # Whoever waits may leave: what was ordered is written.
            writing.cancel()
            with pytest.raises(asyncio.CancelledError):
                await writing
            other.execute("COMMIT")
        (saved,) = await pen.restore(SERVER, [ME])
    assert saved.prompts[0].status is JobStatus.SUCCEEDED


async def test_a_failure_is_told_once_and_stops_nothing(tmp_path: Path) -> None:
    told: list[str] = []
    batch, submissions = order()
    async with scribe(tmp_path, told) as pen:
        with closing(sqlite3.connect(tmp_path / "journal.sqlite3")) as db:
            db.execute("DROP TABLE prompts")
        assert not await pen.plan(SERVER, ME, batch, submissions)
        assert not await pen.sending(batch.prompts[0], 1.0, ME)
        pen.unsent(batch.prompts[0])
        pen.ended(batch.prompts[0], JobStatus.SUCCEEDED)
        assert await pen.restore(SERVER, [ME]) == []
        assert await pen.graph_of("x") is None
        (claim,) = await pen.claim_ids(SERVER)
        assert claim.client_id
        pen.remember_fingerprint(SERVER.name, "still written")
        assert await pen.fingerprint(SERVER.name) == "still written"
        await eventually(lambda: told)
    assert len(told) == 1
    assert "no such table" in told[0]


async def test_the_journals_notice_is_told(tmp_path: Path) -> None:
    told: list[str] = []
    tmp_path.joinpath("journal.sqlite3").write_text("no database")
    async with scribe(tmp_path, told) as pen:
        await pen.open()
    assert len(told) == 1
    assert "is kept as" in told[0]


async def test_before_it_opens_and_after_it_closed_it_does_nothing(tmp_path: Path) -> None:
    batch, submissions = order()
    pen = AsyncJournal(pytest.fail, tmp_path)
    assert await pen.close()
    async with scribe(tmp_path, []) as pen:
        pass
    assert not await pen.plan(SERVER, ME, batch, submissions)
    pen.unsent(batch.prompts[0])
    assert await pen.restore(SERVER, [ME]) == []
    assert len(await pen.claim_ids(SERVER)) == 1
    assert await pen.close()


async def test_closing_waits_for_what_was_ordered_and_frees_its_ids(tmp_path: Path) -> None:
    async with scribe(tmp_path, []) as pen:
        (claim,) = await pen.claim_ids(SERVER)
        batch, submissions = order(range(50))
        await pen.plan(SERVER, claim.client_id, batch, submissions)
        for prompt_id in batch.prompts:
            pen.sent(prompt_id, prompt_id, 1)
    with Journal.open(tmp_path) as journal:
        assert [again.client_id for again in journal.claim_ids(SERVER)] == [claim.client_id]
        (saved,) = journal.restore(SERVER, [claim.client_id])
    assert {prompt.status for prompt in saved.prompts} == {JobStatus.QUEUED}


async def test_a_disk_that_hangs_keeps_nobody_from_leaving(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(async_journal, "CLOSE_SECONDS", 0.05)
    pen = AsyncJournal(pytest.fail, tmp_path)
    await pen.open()
    hangs, thread = Event(), pen._worker
    assert thread
    thread.call(hangs.wait)
    pen.unsent("anything")
    assert not await pen.close()
    hangs.set()
    assert thread.join(30)


async def test_many_open_and_close_without_leaving_files_open(tmp_path: Path) -> None:
    def open_files() -> int:
        return sum(1 for _ in Path("/proc/self/fd").iterdir())

    with Journal.open(tmp_path) as journal:
        planned(journal)
    before = open_files()
    for _ in range(20):
        async with scribe(tmp_path, []) as pen:
            await pen.claim_ids(SERVER)
    assert open_files() == before
