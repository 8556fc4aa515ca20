"""The async journal keeps the order of calls, blocks nobody, and reports a failure once."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from pathlib import Path
from threading import Event
from threading import enumerate as threads

import pytest

from comfytui.comfy.protocol.events import Output
from comfytui.service.journal.async_journal import AsyncJournal
from comfytui.service.journal.journal import Journal
from comfytui.session.model import JobStatus
from comfytui.timings import JournalTimings
from tests.service.journal.batches import ME, SERVER, graph, new_batch, recorded_batch
from tests.waiting import eventually


@asynccontextmanager
async def opened_journal(folder: Path, messages: list[str]) -> AsyncIterator[AsyncJournal]:
    opened_journal = AsyncJournal(messages.append, folder)
    await opened_journal.open()
    try:
        yield opened_journal
    finally:
        assert await opened_journal.close()
        assert not [thread for thread in threads() if thread.name == "comfytui journal"]


async def test_every_step_of_a_batch_is_recorded(tmp_path: Path) -> None:
    messages: list[str] = []
    batch, submissions = new_batch([1, 2, 3])
    first, second, third = batch.prompt_ids
    async with opened_journal(tmp_path, messages) as async_journal:
        (claim,) = await async_journal.claim_ids(SERVER)
        async_journal.record_fingerprint(SERVER.name, "f00d")
        assert await async_journal.record_batch(SERVER, claim.client_id, batch, submissions)
        assert await async_journal.record_sending(first, 1.0, claim.client_id)
        async_journal.record_accepted(first, "theirs", 1)
        async_journal.record_accepted("theirs", "theirs after all", 1)
        async_journal.record_end(
            "theirs after all", JobStatus.SUCCEEDED, outputs=[Output("fox.png")], seconds=2.0, wall=3.0
        )
        assert await async_journal.record_sending(second, 4.0, claim.client_id)
        async_journal.record_not_accepted(second)
        async_journal.record_end(third, JobStatus.LOST)
        async_journal.record_reopened(third)
    async with opened_journal(tmp_path, messages) as async_journal:
        assert await async_journal.fingerprint(SERVER.name) == "f00d"
        assert [again.client_id for again in await async_journal.claim_ids(SERVER)] == [claim.client_id]
        (saved,) = await async_journal.restore(SERVER, [claim.client_id])
        assert await async_journal.graph_of(second) == graph(2)
    assert [(prompt.status, prompt.key) for prompt in saved.prompts] == [
        (JobStatus.SUCCEEDED, "theirs after all"),
        (JobStatus.SUBMITTING, second),
        (JobStatus.QUEUED, third),
    ]
    assert messages == []


async def test_an_awaited_write_is_visible_to_other_processes(tmp_path: Path) -> None:
    batch, submissions = new_batch()
    async with opened_journal(tmp_path, []) as async_journal:
        await async_journal.record_batch(SERVER, ME, batch, submissions)
        await async_journal.record_sending(batch.prompt_ids[0], 5.0, ME)
        with Journal.open(tmp_path) as other:
            assert other.restore(SERVER, [ME])[0].prompts[0].sending_since == 5.0


async def test_a_disk_that_hangs_blocks_no_loop_and_loses_no_call(tmp_path: Path) -> None:
    batch, submissions = new_batch()
    async with opened_journal(tmp_path, []) as async_journal:
        with closing(sqlite3.connect(tmp_path / "journal.sqlite3", isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            writing = async_journal.record_batch(SERVER, ME, batch, submissions)
            async_journal.record_end(batch.prompt_ids[0], JobStatus.FAILED)
            async_journal.record_end(batch.prompt_ids[0], JobStatus.SUCCEEDED)
            await asyncio.sleep(0)
            assert not writing.done()
            # The write is carried out even if its caller is cancelled.
            writing.cancel()
            with pytest.raises(asyncio.CancelledError):
                await writing
            other.execute("COMMIT")
        (saved,) = await async_journal.restore(SERVER, [ME])
    assert saved.prompts[0].status is JobStatus.SUCCEEDED


async def commits(async_journal: AsyncJournal) -> list[str]:
    """Return a list that gets each transaction that is written from now on."""
    transactions: list[str] = []

    def note(statement: str) -> None:
        transactions.extend([statement] if statement == "COMMIT" else [])

    await async_journal._thread.read(lambda journal: journal._db.set_trace_callback(note), None)
    return transactions


async def test_writes_that_come_together_share_a_transaction(tmp_path: Path) -> None:
    batch, submissions = new_batch([1, 2])
    first, second = batch.prompt_ids
    async with opened_journal(tmp_path, []) as async_journal:
        transactions = await commits(async_journal)
        async_journal.record_batch(SERVER, ME, batch, submissions)
        async_journal.record_sending(first, 1.0, ME)
        assert await async_journal.may_send(first)
        assert len(transactions) == 1
        async_journal.record_accepted(first, first, 1)
        async_journal.record_sending(second, 2.0, ME)
        assert await async_journal.record_cancel_request(second)
        assert len(transactions) == 2
        (saved,) = await async_journal.restore(SERVER, [ME])
    assert [(prompt.status, prompt.cancel_requested) for prompt in saved.prompts] == [
        (JobStatus.QUEUED, False),
        (JobStatus.SUBMITTING, True),
    ]


async def test_a_write_that_fails_takes_no_other_with_it(tmp_path: Path) -> None:
    batch, submissions = new_batch([1])
    async with opened_journal(tmp_path, []) as async_journal:
        with closing(sqlite3.connect(tmp_path / "journal.sqlite3")) as db:
            db.execute("DROP TABLE servers")
        recorded = async_journal.record_batch(SERVER, ME, batch, submissions)
        failed = async_journal.record_fingerprint(SERVER.name, "f00d")
        sent = async_journal.record_sending(batch.prompt_ids[0], 1.0, ME)
        assert [await recorded, await failed, await sent] == [True, False, True]
        (saved,) = await async_journal.restore(SERVER, [ME])
    assert saved.prompts[0].sending_since == 1.0


async def test_a_failure_is_reported_once_and_stops_nothing(tmp_path: Path) -> None:
    messages: list[str] = []
    batch, submissions = new_batch()
    async with opened_journal(tmp_path, messages) as async_journal:
        with closing(sqlite3.connect(tmp_path / "journal.sqlite3")) as db:
            db.execute("DROP TABLE prompts")
        assert not await async_journal.record_batch(SERVER, ME, batch, submissions)
        assert not await async_journal.record_sending(batch.prompt_ids[0], 1.0, ME)
        async_journal.record_not_accepted(batch.prompt_ids[0])
        async_journal.record_end(batch.prompt_ids[0], JobStatus.SUCCEEDED)
        assert await async_journal.restore(SERVER, [ME]) == []
        assert await async_journal.graph_of("x") is None
        (claim,) = await async_journal.claim_ids(SERVER)
        assert claim.client_id
        async_journal.record_fingerprint(SERVER.name, "still written")
        assert await async_journal.fingerprint(SERVER.name) == "still written"
        await eventually(lambda: messages)
    assert len(messages) == 1
    assert "no such table" in messages[0]


async def test_the_warning_of_the_journal_is_passed_on(tmp_path: Path) -> None:
    messages: list[str] = []
    tmp_path.joinpath("journal.sqlite3").write_text("no database")
    async with opened_journal(tmp_path, messages) as async_journal:
        await async_journal.open()
    assert len(messages) == 1
    assert "is kept as" in messages[0]


async def test_a_journal_that_is_not_open_does_nothing(tmp_path: Path) -> None:
    batch, submissions = new_batch()
    async_journal = AsyncJournal(pytest.fail, tmp_path)
    assert await async_journal.close()
    async with opened_journal(tmp_path, []) as async_journal:
        pass
    assert not await async_journal.record_batch(SERVER, ME, batch, submissions)
    async_journal.record_not_accepted(batch.prompt_ids[0])
    assert await async_journal.restore(SERVER, [ME]) == []
    assert len(await async_journal.claim_ids(SERVER)) == 1
    assert await async_journal.close()


async def test_closing_finishes_the_queued_calls_and_releases_the_claims(tmp_path: Path) -> None:
    async with opened_journal(tmp_path, []) as async_journal:
        (claim,) = await async_journal.claim_ids(SERVER)
        batch, submissions = new_batch(range(50))
        await async_journal.record_batch(SERVER, claim.client_id, batch, submissions)
        for prompt_id in batch.prompt_ids:
            async_journal.record_accepted(prompt_id, prompt_id, 1)
    with Journal.open(tmp_path) as journal:
        assert [again.client_id for again in journal.claim_ids(SERVER)] == [claim.client_id]
        (saved,) = journal.restore(SERVER, [claim.client_id])
    assert {prompt.status for prompt in saved.prompts} == {JobStatus.QUEUED}


async def test_a_disk_that_hangs_does_not_block_closing(tmp_path: Path) -> None:
    async_journal = AsyncJournal(pytest.fail, tmp_path, JournalTimings(close=0.05))
    await async_journal.open()
    hangs, thread = Event(), async_journal._thread._worker
    assert thread
    thread.call(hangs.wait)
    async_journal.record_not_accepted("anything")
    assert not await async_journal.close()
    hangs.set()
    assert thread.join(30)


async def test_opening_and_closing_leaks_no_files(tmp_path: Path) -> None:
    def open_files() -> int:
        return sum(1 for _ in Path("/proc/self/fd").iterdir())

    with Journal.open(tmp_path) as journal:
        recorded_batch(journal)
    before = open_files()
    for _ in range(20):
        async with opened_journal(tmp_path, []) as async_journal:
            await async_journal.claim_ids(SERVER)
    assert open_files() == before
