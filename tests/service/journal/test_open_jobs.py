"""The ids of unfinished jobs, read beside a running comfytui without leaving a trace."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from comfytui.service.journal.journal import Journal
from comfytui.service.journal.open_jobs import MAX_IDS, open_job_ids
from comfytui.session.model import JobStatus
from tests.service.journal.batches import FILE, recorded_batch
from tests.service.journal.child_processes import children


def content(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_ids_are_those_of_unfinished_jobs_newest_first(tmp_path: Path) -> None:
    with Journal.open(tmp_path) as journal:
        ids = [*recorded_batch(journal).prompt_ids, *recorded_batch(journal).prompt_ids]
        journal.record_end(ids[1], JobStatus.SUCCEEDED)
        assert open_job_ids(tmp_path) == [ids[3], ids[2], ids[0]]
    assert open_job_ids(tmp_path) == [ids[3], ids[2], ids[0]]


def test_only_the_newest_are_returned(tmp_path: Path) -> None:
    with Journal.open(tmp_path) as journal:
        batch = recorded_batch(journal, range(MAX_IDS + 10))
    assert open_job_ids(tmp_path) == list(batch.prompt_ids[:9:-1])


def test_nothing_is_created_or_changed(tmp_path: Path) -> None:
    assert open_job_ids(tmp_path / "missing") == []
    with Journal.open(tmp_path) as journal:
        recorded_batch(journal)
        before = content(tmp_path)
        assert len(open_job_ids(tmp_path)) == 2
        assert content(tmp_path).keys() == before.keys()
    before = content(tmp_path)
    assert len(open_job_ids(tmp_path)) == 2
    assert content(tmp_path) == before


def test_a_folder_that_cannot_be_written_is_read(tmp_path: Path) -> None:
    with Journal.open(tmp_path) as journal:
        recorded_batch(journal)
    tmp_path.chmod(0o500)
    try:
        assert len(open_job_ids(tmp_path)) == 2
    finally:
        tmp_path.chmod(0o700)


def test_the_log_of_a_killed_process_is_read(tmp_path: Path) -> None:
    with children(tmp_path, "write", 1) as (child,):
        for _ in range(30):
            child.read_line()
        child.process.kill()
        child.process.wait()
    before = content(tmp_path)
    assert f"{FILE}-wal" in before
    found = open_job_ids(tmp_path)
    assert content(tmp_path).keys() == before.keys()
    with Journal.open(tmp_path):
        assert open_job_ids(tmp_path) == found


@pytest.mark.parametrize("damage", [b"", b"no database", b"SQLite format 3\0" + b"x" * 5000])
def test_a_file_that_is_no_journal_has_no_jobs(tmp_path: Path, damage: bytes) -> None:
    (tmp_path / FILE).write_bytes(damage)
    assert open_job_ids(tmp_path) == []
    assert content(tmp_path) == {FILE: damage}


def test_a_journal_that_another_process_locks_is_given_up(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / FILE, isolation_level=None)) as db:
        db.execute("PRAGMA journal_mode = DELETE")
        db.execute("CREATE TABLE prompts (seq INTEGER PRIMARY KEY, prompt_id TEXT, status TEXT)")
        db.execute("BEGIN EXCLUSIVE")
        db.execute("INSERT INTO prompts VALUES (1, 'id', 'queued')")
        assert open_job_ids(tmp_path) == []
