"""A client id belongs to one process at a time, whenever processes start, stop or are killed."""

import fcntl
import os
import shutil
from contextlib import ExitStack
from pathlib import Path
from uuid import uuid4

from comfytui.service.journal import locks
from comfytui.service.journal.journal import Journal
from comfytui.service.journal.records import Endpoint
from comfytui.session.model import JobStatus
from comfytui.timings import JournalTimings
from tests.service.journal.batches import SERVER, at, modes, recorded_batch
from tests.service.journal.child_processes import children


def ids(journal: Journal, server: Endpoint = SERVER, *, fresh: bool = False) -> list[str]:
    return [claim.client_id for claim in journal.claim_ids(server, fresh=fresh)]


def lock_files(folder: Path) -> list[Path]:
    return sorted(folder.glob("client-*.lock"))


def test_a_first_start_claims_a_random_id(tmp_path: Path) -> None:
    with Journal.open(tmp_path) as journal:
        (claim,) = journal.claim_ids(SERVER)
        assert len(claim.client_id) == 32
        assert locks.is_held(tmp_path, claim.client_id)
        assert [path.name for path in lock_files(tmp_path)] == [f"client-{claim.client_id}.lock"]
        assert set(modes(tmp_path).values()) == {0o600}
        claim.release()
        claim.release()
        assert not claim.held
    assert lock_files(tmp_path) == []


def test_a_start_claims_each_free_id_that_owns_unfinished_prompts(tmp_path: Path) -> None:
    with Journal.open(tmp_path) as journal:
        for client_id in ("one", "two"):
            recorded_batch(journal, client_id=client_id)
        done = recorded_batch(journal, [1], client_id="done")
        journal.record_end(done.prompt_ids[0], JobStatus.SUCCEEDED)
        recorded_batch(journal, client_id="elsewhere", server=at("elsewhere"))
        assert ids(journal) == ["one", "two"]
        with Journal.open(tmp_path) as second:
            (own,) = ids(second)
            assert own not in {"one", "two", "done", "elsewhere"}
            assert ids(second, at("elsewhere")) == ["elsewhere"]
    with Journal.open(tmp_path) as third:
        assert ids(third) == ["one", "two"]


def test_a_fresh_start_claims_no_earlier_id(tmp_path: Path) -> None:
    with Journal.open(tmp_path) as journal:
        recorded_batch(journal, client_id="one")
        assert ids(journal, fresh=True) != ["one"]
        assert ids(journal) == ["one"]


def test_ended_batches_of_a_running_process_are_not_restored_elsewhere(tmp_path: Path) -> None:
    with Journal.open(tmp_path) as running, Journal.open(tmp_path) as starting:
        (claim,) = running.claim_ids(SERVER)
        batch = recorded_batch(running, [1], client_id=claim.client_id)
        running.record_end(batch.prompt_ids[0], JobStatus.SUCCEEDED)
        assert starting.restore(SERVER, ids(starting)) == []
        assert [saved.batch for saved in running.restore(SERVER, [claim.client_id])] == [batch]
        claim.release()
        assert [saved.batch for saved in starting.restore(SERVER, ids(starting))] == [batch]


def test_an_id_is_claimed_at_another_address_where_its_jobs_were_seen(tmp_path: Path) -> None:
    other = at("other")
    with Journal.open(tmp_path) as journal:
        recorded_batch(journal, client_id="one")
        recorded_batch(journal, client_id="two")
        recorded_batch(journal, client_id="alike", server=at("gpu-box", "beef"))
        ids(journal, other)
        assert journal.recognise(other, []) == ([], [], [])
        assert journal.recognise(other, ["alike", "unknown", "../../escape"]) == ([], [], [])
        mine, elsewhere, claims = journal.recognise(other, ["one", "unknown"])
        assert (mine, elsewhere, [claim.client_id for claim in claims]) == (["one"], [], ["one"])
        assert [saved.client_id for saved in journal.restore(other, ["one"])] == ["one"]
    with Journal.open(tmp_path) as journal:
        # From now on the batch is known to be reached at both addresses.
        assert ids(journal, other) == ["one"]
        with Journal.open(tmp_path) as second:
            assert ids(second) == ["two"]
            assert second.recognise(SERVER, ["one", "two"]) == (["one", "two"], ["one"], [])


def test_an_id_that_the_journal_itself_holds_is_not_elsewhere(tmp_path: Path) -> None:
    with Journal.open(tmp_path) as journal, Journal.open(tmp_path) as left:
        (claim,) = left.claim_ids(SERVER)
        recorded_batch(left, client_id=claim.client_id)
        assert journal.recognise(SERVER, [claim.client_id]) == ([claim.client_id], [claim.client_id], [])
        claim.release()
        mine, elsewhere, claims = journal.recognise(SERVER, [claim.client_id])
        assert (mine, elsewhere, [each.client_id for each in claims]) == ([claim.client_id], [], [claim.client_id])
        assert journal.recognise(SERVER, [claim.client_id]) == ([claim.client_id], [], [])


def test_stale_lock_files_are_removed(tmp_path: Path) -> None:
    with Journal.open(tmp_path) as journal:
        recorded_batch(journal, client_id="owner")
        for client_id in ("stale", "owner", "held"):
            locks.lock_path(tmp_path, client_id).touch(0o600)
        with ExitStack() as stack:
            held = stack.enter_context(locks.lock_path(tmp_path, "held").open())
            fcntl.flock(held, fcntl.LOCK_EX)
            assert [locks.is_held(tmp_path, name) for name in ("stale", "held", "none")] == [False, True, False]
            (own,) = ids(journal, fresh=True)
            assert {path.name for path in lock_files(tmp_path)} == {
                f"client-{client_id}.lock" for client_id in ("owner", "held", own)
            }


def test_a_lock_on_a_removed_file_is_no_claim(tmp_path: Path) -> None:
    first = locks.try_claim(tmp_path, "id")
    assert first
    # Another process has the file open while the holder releases it.
    descriptor = os.open(locks.lock_path(tmp_path, "id"), os.O_RDWR)
    first.release()
    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    second = locks.try_claim(tmp_path, "id")
    assert second
    assert not locks._is_same_file(locks.lock_path(tmp_path, "id"), descriptor)
    assert locks.is_held(tmp_path, "id")
    os.close(descriptor)
    second.release()
    assert not locks.is_held(tmp_path, "id")


def test_an_id_that_is_no_file_name_gets_no_lock_file(tmp_path: Path) -> None:
    folder = tmp_path / "state"
    with Journal.open(folder) as journal:
        recorded_batch(journal, client_id="../../escape")
        batch = recorded_batch(journal, [1], client_id="\x00")
        journal.record_end(batch.prompt_ids[0], JobStatus.SUCCEEDED)
        (own,) = ids(journal)
        assert own.isalnum()
        assert [saved.batch for saved in journal.restore(SERVER, [own])] == [batch]
    assert list(tmp_path.iterdir()) == [folder]


def test_a_start_that_hangs_does_not_block_another_for_long(tmp_path: Path) -> None:
    with (
        locks.folder_lock(tmp_path / "journal.lock"),
        Journal.open(tmp_path, timings=JournalTimings(lock=0.05)) as journal,
    ):
        recorded_batch(journal, client_id="one")
        assert ids(journal) == ["one"]


def test_a_start_survives_the_removal_of_the_folder(tmp_path: Path) -> None:
    with Journal.open(tmp_path / "state") as journal:
        recorded_batch(journal, client_id="one")
        shutil.rmtree(tmp_path / "state")
        (claim,) = journal.claim_ids(SERVER)
        assert claim.client_id != "one"
        assert not claim.held
        assert journal.restore(SERVER, [claim.client_id]) == []


def test_processes_that_start_at_once_never_share_an_id(tmp_path: Path) -> None:
    owning = [uuid4().hex for _ in range(5)]
    with Journal.open(tmp_path) as journal:
        for client_id in owning:
            recorded_batch(journal, client_id=client_id)
    with children(tmp_path, "claim", 4) as crowd:
        assert [child.read_line() for child in crowd] == ["ready"] * 4
        for round_number in range(25):
            for stale in range(round_number % 3):
                locks.lock_path(tmp_path, f"stale{stale}").touch(0o600)
            for child in crowd:
                child.write_line("start")
            held = [client_id for child in crowd for client_id in child.read_line().split()]
            assert len(set(held)) == len(held)
            assert set(owning) < set(held)
            # Processes of the next round start while those of this round stop.
            for child in crowd:
                child.write_line("stop")
            for child in crowd:
                assert child.read_line() == "closed"
        for child in crowd:
            child.write_line("start")
            child.read_line()
        for child in crowd:
            child.process.kill()
            child.process.wait()
    with Journal.open(tmp_path) as journal:
        assert ids(journal) == owning
        assert len(lock_files(tmp_path)) == len(owning)
