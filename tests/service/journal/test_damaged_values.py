"""Invalid values in any column: their entries are left out and reported once, and all others are restored."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from itertools import product
from math import isfinite
from pathlib import Path

import pytest

from comfytui.comfy.protocol.events import Output
from comfytui.presentation.batch_text import progress_line
from comfytui.service.journal.async_journal import AsyncJournal
from comfytui.service.journal.database import open_in_memory
from comfytui.service.journal.journal import Journal
from comfytui.service.journal.records import SavedBatch
from comfytui.session.events import BatchPlanned
from comfytui.session.model import Failure, JobStatus, Stamp
from comfytui.session.progress import progress_of
from comfytui.session.reducer import reduce
from comfytui.session.state import SessionState
from tests.service.journal.batches import FILE, ME, SERVER, recorded_batch

COLUMNS = {
    "batches": ("batch", "server", "client_id", "title", "total", "created", "base"),
    "prompts": (
        *("prompt_id", "accepted_id", "batch", "position", "submission", "preview_method", "graph", "seed"),
        *("status", "number", "sending", "witnesses", "outputs", "failure", "seconds", "ended"),
    ),
}
VALUES = ("not what it should be", "9" * 5000, b"\x00\xff", float("inf"), float("-inf"), 1e300, -(2**63), 2**63 - 1, -1)


def write(journal: Journal) -> None:
    ended, running, _ = (recorded_batch(journal, [1, 2], title=title) for title in ("ended", "running", "waiting"))
    for prompt_id in ended.prompt_ids:
        journal.record_end(
            prompt_id, JobStatus.FAILED, outputs=[Output("a.png")], failure=Failure("why"), seconds=2.0, wall=9.0
        )
    for prompt_id in running.prompt_ids:
        journal.record_sending(prompt_id, 3.0)
        journal.record_accepted(prompt_id, prompt_id, 1)


def numbers(saved: SavedBatch) -> Iterator[object]:
    yield from (saved.batch.total, saved.batch.created)
    for prompt in saved.prompts:
        yield from (prompt.number, prompt.sending_since, prompt.seconds, prompt.ended, prompt.batch_tag.index)


def check(saved: SavedBatch) -> None:
    """Check that a session can work with a restored batch."""
    assert all(number is None or (isinstance(number, int | float) and isfinite(number)) for number in numbers(saved))
    assert all(1 <= prompt.batch_tag.index <= saved.batch.total for prompt in saved.prompts)
    planned = BatchPlanned(saved.batch, tuple(prompt.job(Stamp(0.0, 0.0)) for prompt in saved.prompts))
    state = reduce(SessionState(), planned, Stamp(1.0, 1.0))
    assert progress_line(progress_of(state, saved.batch, 1.0))
    assert all(prompt.submission() or prompt.status.ended or prompt.graph is None for prompt in saved.prompts)


@pytest.mark.parametrize("table", COLUMNS)
def test_an_invalid_value_costs_only_its_row(table: str) -> None:
    left_out = set()
    with Journal(open_in_memory()) as whole:
        write(whole)
        before = whole.restore(SERVER, [ME])
        for column, value in product(COLUMNS[table], VALUES):
            with Journal(open_in_memory()) as journal:
                whole._db.backup(journal._db)
                journal._db.execute("PRAGMA foreign_keys = OFF")
                journal._db.execute(f"UPDATE {table} SET {column} = ? WHERE seq = 1", (value,))
                after = journal.restore(SERVER, [ME, "another"])
                assert after[-2:] == before[1:]
                for saved in after:
                    check(saved)
                assert journal.damaged <= 1
                left_out |= {column} if journal.damaged else set()
                assert (journal.restore(SERVER, [ME, "another"]), journal.damaged) == (after, journal.damaged)
    expected = {"batches": {"total", "created", "title", "base"}, "prompts": {"status", "seconds", "position", "seed"}}
    assert expected[table] <= left_out


async def test_damaged_entries_are_reported_once(tmp_path: Path) -> None:
    with Journal.open(tmp_path) as journal:
        write(journal)
    for column, value in (("seconds", "long"), ("status", "unheard of")):
        with closing(sqlite3.connect(tmp_path / FILE)) as db, db:
            db.execute(f"UPDATE prompts SET {column} = ? WHERE position = 1", (value,))
    messages: list[str] = []
    for _ in range(2):
        async_journal = AsyncJournal(messages.append, tmp_path)
        await async_journal.open()
        assert [len(saved.prompts) for saved in await async_journal.restore(SERVER, [ME])] == [1, 1, 1]
        assert async_journal.is_durable
        await async_journal.close()
    assert messages == ["3 entries of the journal cannot be read and are left out: all others are there."]
