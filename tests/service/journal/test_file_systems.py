"""The journal works on file systems that are full, locked, on a network or without shared memory."""

import os
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path

import pytest

from comfytui.service.journal import schema
from comfytui.service.journal.database import set_journal_mode
from comfytui.service.journal.journal import Journal
from comfytui.service.journal.paths import on_network
from comfytui.session.model import Batch
from tests.service.journal.batches import FILE, ME, SERVER, graph, recorded_batch, write_journal
from tests.service.journal.child_processes import children


def check_memory(folder: Path) -> None:
    with Journal.open(folder) as journal:
        assert journal.folder is None
        assert journal.warning
        assert str(folder) in journal.warning
        (claim,) = journal.claim_ids(SERVER)
        batch = recorded_batch(journal, client_id=claim.client_id)
        assert [saved.batch for saved in journal.restore(SERVER, [claim.client_id])] == [batch]


def test_without_a_folder_the_journal_is_in_memory(tmp_path: Path) -> None:
    tmp_path.joinpath("file").touch()
    check_memory(tmp_path / "file" / "comfytui")


def test_with_a_folder_at_its_path_the_journal_is_in_memory(tmp_path: Path) -> None:
    tmp_path.joinpath(FILE).mkdir()
    check_memory(tmp_path)
    assert tmp_path.joinpath(FILE).is_dir()


def test_with_a_pipe_at_its_path_the_journal_is_in_memory(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / FILE)
    check_memory(tmp_path)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """Mount a file system of 300 kB."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=300k", "tmpfs", disk], capture_output=True, check=False)
    if mount.returncode:
        pytest.skip("a disk can be mounted by root only")
    yield disk
    subprocess.run(["umount", disk], check=True)


def test_on_a_full_disk_the_journal_is_in_memory(small_disk: Path) -> None:
    with suppress(OSError):
        small_disk.joinpath("ballast").write_bytes(bytes(10**6))
    check_memory(small_disk / "comfytui")


def test_a_disk_that_fills_up_keeps_what_was_written(small_disk: Path) -> None:
    batches: list[Batch] = []
    ballast = small_disk / "ballast"
    ballast.write_bytes(bytes(32 * 1024))
    with Journal.open(small_disk) as journal:
        with suppress(sqlite3.OperationalError):
            while len(batches) < 1000:
                batches.append(recorded_batch(journal, range(20)))
        assert len(batches) < 1000
        assert [saved.batch for saved in journal.restore(SERVER, [ME])] == batches
        ballast.unlink()
        recorded_batch(journal, range(0))
    with Journal.open(small_disk) as journal:
        assert [saved.batch for saved in journal.restore(SERVER, [ME], 0)] == batches
        assert journal.graph_of(batches[-1].prompt_ids[-1]) == graph(19)


def test_files_that_may_grow_no_more_keep_what_was_written(tmp_path: Path) -> None:
    with children(tmp_path, "fill_up") as (child,):
        *batches, last = child.remaining_lines()
    assert last.startswith("full")
    with Journal.open(tmp_path) as journal:
        assert journal.warning is None
        assert [saved.batch.id for saved in journal.restore(SERVER, [ME])] == batches


@pytest.mark.parametrize("on_network", [False, True])
def test_a_file_system_without_shared_memory_is_supported(tmp_path: Path, on_network: bool) -> None:
    with closing(sqlite3.connect(f"file:{tmp_path / FILE}?vfs=unix-dotfile", uri=True, isolation_level=None)) as db:
        set_journal_mode(db, on_network)
        schema.migrate(db)
        assert db.execute("PRAGMA journal_mode").fetchone() == ("delete",)


def test_a_journal_that_was_moved_to_such_a_file_system_is_read(tmp_path: Path) -> None:
    write_journal(tmp_path)
    with closing(sqlite3.connect(f"file:{tmp_path / FILE}?vfs=unix-dotfile", uri=True, isolation_level=None)) as db:
        set_journal_mode(db, on_network=False)
        assert db.execute("SELECT count(*) FROM batches").fetchone() == (20,)
        assert db.execute("PRAGMA journal_mode").fetchone() == ("delete",)


def test_two_processes_share_a_journal_without_a_write_ahead_log(tmp_path: Path) -> None:
    write_journal(tmp_path)
    with closing(sqlite3.connect(tmp_path / FILE, isolation_level=None)) as db:
        set_journal_mode(db, on_network=True)
        assert db.execute("PRAGMA journal_mode").fetchone() == ("delete",)
    with Journal.open(tmp_path) as journal, closing(sqlite3.connect(tmp_path / FILE, isolation_level=None)) as db:
        # A journal that is open elsewhere keeps its mode.
        set_journal_mode(db, on_network=True)
        assert db.execute("SELECT count(*) FROM batches").fetchone() == (20,)
        recorded_batch(journal)


MOUNTS = """\
22 1 0:1 / / rw - ext4 /dev/sda1 rw
23 22 0:2 / /home rw - nfs4 box:/home rw
24 23 0:3 / /home/me/my\\040disk rw shared:1 - xfs /dev/sdb1 rw
25 23 0:3 / /home/you rw - xfs /dev/sdb1 rw
26 25 0:3 / /home/you rw - cifs //box/you rw
odd
"""


@pytest.mark.parametrize(
    ("folder", "expected"),
    [("/home/me/.local", True), ("/home/me/my disk/x", False), ("/homes", False), ("/home/you/x", True)],
)
def test_network_file_systems_are_recognised_by_their_mounts(tmp_path: Path, folder: str, expected: bool) -> None:
    mounts = tmp_path / "mountinfo"
    mounts.write_text(MOUNTS)
    assert on_network(Path(folder), mounts) is expected
    assert not on_network(Path(folder), tmp_path / "none")
