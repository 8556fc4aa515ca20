"""What is recorded in a journal is there when it is opened again."""

import sqlite3
from contextlib import closing
from dataclasses import asdict, replace
from itertools import chain
from pathlib import Path

import pytest

from comfytui.comfy.protocol.events import Output
from comfytui.service.journal.database import FILE
from comfytui.service.journal.journal import Journal
from comfytui.service.journal.paths import state_folder
from comfytui.service.journal.records import SavedBatch, SavedPrompt
from comfytui.session.delivery import Evidence
from comfytui.session.model import BatchTag, Failure, JobStatus, Stamp
from comfytui.workflow.seeds import MAX_SEED
from tests.service.journal.batches import FINGERPRINT, ME, SERVER, at, graph, modes, new_batch, recorded_batch

HOSTILE = "\x1b]0;x\x07\ud800\\ud800\\\x00'; DROP TABLE prompts; --\u202e\U0001f98a"


def one(batches: list[SavedBatch]) -> SavedBatch:
    (batch,) = batches
    return batch


def first(folder: Path, *ids: str) -> SavedPrompt:
    """Return the first prompt of the only batch, as another process reads it."""
    with Journal.open(folder) as journal:
        return one(journal.restore(SERVER, ids or [ME])).prompts[0]


def test_a_batch_comes_back_as_it_was_planned(tmp_path: Path) -> None:
    batch, submissions = new_batch([7, 8, 9])
    with Journal.open(tmp_path) as journal:
        assert journal.warning is None
        journal.record_batch(SERVER, ME, batch, submissions)
    with Journal.open(tmp_path) as journal:
        saved = one(journal.restore(SERVER, [ME]))
    assert (saved.batch, saved.client_id) == (batch, ME)
    assert [prompt.submission() for prompt in saved.prompts] == submissions
    assert [prompt.parameters.seed for prompt in saved.prompts] == [7, 8, 9]
    assert {prompt.status for prompt in saved.prompts} == {JobStatus.SUBMITTING}


def test_a_restored_prompt_becomes_a_job(tmp_path: Path) -> None:
    with Journal.open(tmp_path) as journal:
        batch = recorded_batch(journal, [5])
        journal.record_accepted(batch.prompt_ids[0], "theirs", 3)
    job = first(tmp_path).job(Stamp(0.0, 0.0))
    assert (job.prompt_id, job.mine, job.owner, job.number, job.parameters.seed) == ("theirs", True, ME, 3, 5)
    assert job.batch_tag == BatchTag(batch.id, 1, 1, job.batch_tag.submission if job.batch_tag else "")
    assert "KSampler" in job.classes.values()


def test_an_unconfirmed_prompt_keeps_its_time_and_evidence(tmp_path: Path) -> None:
    with Journal.open(tmp_path) as journal:
        prompt_id = recorded_batch(journal).prompt_ids[0]
        evidence = Evidence(("p1", "log line of p2"), ("12:00",))
        journal.record_sending(prompt_id, 1234.5, evidence=evidence)
        assert first(tmp_path).sending_since == 1234.5
        assert first(tmp_path).evidence == evidence
        journal.record_not_accepted(prompt_id)
        assert first(tmp_path).sending_since is None
        journal.record_sending(prompt_id, 1240.0)
        journal.record_accepted(prompt_id, prompt_id, 17)
        sent = first(tmp_path)
    assert (sent.status, sent.sending_since, sent.number, sent.accepted_id) == (JobStatus.QUEUED, None, 17, prompt_id)


def test_a_request_to_cancel_ends_a_prompt_that_arrives_no_sooner_than_the_server(tmp_path: Path) -> None:
    with Journal.open(tmp_path) as journal:
        prompt_id = recorded_batch(journal).prompt_ids[0]
        journal.record_sending(prompt_id, 1234.5)
        journal.record_cancel_request(prompt_id)
        assert first(tmp_path).cancel_requested
        journal.record_accepted(prompt_id, prompt_id, 17)
        assert journal.cancelled_among([prompt_id]) == []
        assert first(tmp_path).status is JobStatus.QUEUED
        journal.record_end(prompt_id, JobStatus.CANCELLED, wall=2.0)
        journal.record_accepted(prompt_id, prompt_id, 17)
        assert first(tmp_path).status is JobStatus.CANCELLED


def test_a_resent_prompt_is_no_evidence_of_the_earlier_process(tmp_path: Path) -> None:
    with Journal.open(tmp_path) as journal:
        journal.record_sending(
            recorded_batch(journal).prompt_ids[0], 1234.5, evidence=Evidence(("p1", "p2", "p3"), ("p1",))
        )
        journal.record_resent({"p1", "p3", "p4"})
        assert first(tmp_path).evidence == Evidence(("p2",), ("p1",))


def test_evidence_that_an_older_version_wrote_as_a_list_is_read_and_kept_up(tmp_path: Path) -> None:
    with Journal.open(tmp_path) as journal:
        journal.record_sending(recorded_batch(journal).prompt_ids[0], 1234.5)
    with closing(sqlite3.connect(tmp_path / FILE, isolation_level=None)) as db:
        db.execute("UPDATE prompts SET witnesses = ?", ('["p1", "log line of 12:00", 3, "p2"]',))
    with Journal.open(tmp_path) as journal:
        assert first(tmp_path).evidence == Evidence(("p1", "p2"), ("12:00",))
        journal.record_resent({"p1"})
        assert first(tmp_path).evidence == Evidence(("p2",), ("12:00",))


def test_an_end_keeps_its_outputs_and_failure(tmp_path: Path) -> None:
    outputs = (Output("fox_1.png", "foxes", "output", "9"), Output("fox_2.mp4", kind="gifs"))
    failure = Failure("CUDA out of memory", "3", "KSampler", "OutOfMemoryError", ("a long traceback",))
    with Journal.open(tmp_path) as journal:
        prompt_id = recorded_batch(journal).prompt_ids[0]
        journal.record_end(prompt_id, JobStatus.FAILED, outputs=outputs, failure=failure, seconds=3.25, wall=2000.0)
    saved = first(tmp_path)
    assert (saved.status, saved.outputs, saved.seconds, saved.ended) == (JobStatus.FAILED, outputs, 3.25, 2000.0)
    assert saved.failure == replace(failure, traceback=())


def test_an_end_that_is_recorded_before_the_answer_stands(tmp_path: Path) -> None:
    with Journal.open(tmp_path) as journal:
        prompt_id = recorded_batch(journal).prompt_ids[0]
        journal.record_sending(prompt_id, 1.0)
        journal.record_end(prompt_id, JobStatus.CACHED)
        journal.record_accepted(prompt_id, "late", 1)
        journal.record_sending(prompt_id, 2.0)
    saved = first(tmp_path)
    assert (saved.status, saved.accepted_id, saved.sending_since) == (JobStatus.CACHED, "late", None)


def test_a_lost_prompt_can_be_reopened(tmp_path: Path) -> None:
    with Journal.open(tmp_path) as journal:
        batch = recorded_batch(journal, [1])
        journal.record_end(batch.prompt_ids[0], JobStatus.LOST, wall=3.0)
        assert journal.claim_ids(SERVER)[0].client_id != ME
        journal.record_reopened(batch.prompt_ids[0])
        assert (first(tmp_path).status, first(tmp_path).ended) == (JobStatus.QUEUED, None)
        journal.record_end(batch.prompt_ids[0], JobStatus.SUCCEEDED, wall=4.0)
    assert (first(tmp_path).status, first(tmp_path).ended) == (JobStatus.SUCCEEDED, 4.0)


def test_another_process_can_cancel_accepted_and_lost_prompts_only(tmp_path: Path) -> None:
    with Journal.open(tmp_path) as journal, Journal.open(tmp_path) as other:
        queued, lost, done, unsent = recorded_batch(journal, [1, 2, 3, 4]).prompt_ids
        for prompt_id in (queued, lost, done):
            journal.record_accepted(prompt_id, prompt_id, 1)
        journal.record_end(done, JobStatus.SUCCEEDED)
        other.record_cancelled_for_owner(queued, 2.0, lost=True)
        assert journal.cancelled_among([queued]) == []  # Its owner re-sent it.
        journal.record_end(lost, JobStatus.LOST)
        other.record_cancelled_for_owner(lost, 2.0, lost=True)
        for prompt_id in (queued, done, unsent):
            other.record_cancelled_for_owner(prompt_id, 2.0, lost=False)
        assert journal.cancelled_among([queued, lost, done, unsent, "unknown"]) == [queued, lost]
        journal.record_end(queued, JobStatus.LOST)
        assert journal.cancelled_among([queued]) == [queued]


def test_a_prompt_is_found_by_its_own_id_and_by_the_servers(tmp_path: Path) -> None:
    with Journal.open(tmp_path) as journal:
        batch = recorded_batch(journal, [1, 2])
        mine, other = batch.prompt_ids
        journal.record_accepted(mine, "server-made", 1)
        journal.record_end("server-made", JobStatus.SUCCEEDED)
        # A server that assigns the id of another prompt does not hide that prompt.
        journal.record_accepted(mine, other, 1)
        journal.record_end(other, JobStatus.FAILED)
        journal.record_accepted(mine, "server-made", 1)
        assert journal.graph_of("server-made") == journal.graph_of(mine) == graph(1)
        assert journal.submission_of("server-made") == journal.submission_of(mine) is not None
        assert journal.submission_of("unknown") is None
        saved = one(journal.restore(SERVER, [ME]))
    assert [prompt.status for prompt in saved.prompts] == [JobStatus.SUCCEEDED, JobStatus.FAILED]
    assert saved.batch.prompt_ids == ("server-made", other)
    assert [prompt.prompt_id for prompt in saved.prompts] == [mine, other]


@pytest.mark.parametrize("seed", [0, 2**53 + 1, 2**63, MAX_SEED])
def test_seeds_are_exact(tmp_path: Path, seed: int) -> None:
    with Journal.open(tmp_path) as journal:
        recorded_batch(journal, [seed])
    saved = first(tmp_path)
    assert (saved.parameters.seed, saved.graph) == (seed, graph(seed))
    with closing(sqlite3.connect(tmp_path / "journal.sqlite3")) as db:
        assert db.execute("SELECT seed, typeof(seed) FROM prompts").fetchone() == (str(seed), "text")


def test_any_text_and_number_comes_back(tmp_path: Path) -> None:
    batch, (submission,) = new_batch([1], HOSTILE)
    with Journal.open(tmp_path) as journal:
        journal.record_batch(at(HOSTILE, HOSTILE), ME, batch, [replace(submission, graph=graph(1, HOSTILE))])
        journal.record_fingerprint(HOSTILE, HOSTILE)
        journal.record_accepted(submission.prompt_id, HOSTILE, 10**400)
        journal.record_end(
            HOSTILE, JobStatus.FAILED, outputs=[Output(HOSTILE)], failure=Failure(HOSTILE), seconds=float("nan")
        )
    with Journal.open(tmp_path) as journal:
        saved = one(journal.restore(at(HOSTILE, HOSTILE), [ME]))
        assert journal.fingerprint(HOSTILE) == HOSTILE
        assert journal.graph_of(HOSTILE) == graph(1, HOSTILE)
    prompt = saved.prompts[0]
    assert (saved.batch.title, prompt.accepted_id, prompt.number, prompt.seconds) == (HOSTILE, HOSTILE, None, None)
    assert (prompt.outputs, prompt.failure) == ((Output(HOSTILE),), Failure(HOSTILE))


def test_fingerprints_are_by_server(tmp_path: Path) -> None:
    with Journal.open(tmp_path) as journal:
        journal.record_fingerprint("a", "1")
        journal.record_fingerprint("b", "2")
        journal.record_fingerprint("a", "3")
        assert [journal.fingerprint(server) for server in "abc"] == ["3", "2", None]


def test_restore_gives_the_unfinished_of_these_ids_and_the_last_ended_ones(tmp_path: Path) -> None:
    with Journal.open(tmp_path) as journal:
        ended = [recorded_batch(journal, [1], title=f"ended {number}") for number in range(5)]
        for batch in ended:
            journal.record_end(batch.prompt_ids[0], JobStatus.SUCCEEDED)
        half = recorded_batch(journal, [1, 2], title="half")
        journal.record_end(half.prompt_ids[0], JobStatus.SUCCEEDED)
        recorded_batch(journal, client_id="other", title="unfinished of another id")
        recorded_batch(journal, server=at("elsewhere"))
        titles = [[saved.batch.title for saved in journal.restore(SERVER, [ME], recent)] for recent in (0, 2, 20)]
    assert titles == [["half"], ["ended 3", "ended 4", "half"], [*(f"ended {number}" for number in range(5)), "half"]]


def test_a_batch_that_is_planned_again_keeps_what_is_known_of_it(tmp_path: Path) -> None:
    batch, submissions = new_batch([1, 2, 3])
    with Journal.open(tmp_path) as journal:
        journal.record_batch(SERVER, ME, batch, submissions[:2])
        journal.record_end(submissions[0].prompt_id, JobStatus.SUCCEEDED)
        journal.record_batch(SERVER, ME, batch, submissions)
        saved = one(journal.restore(SERVER, [ME]))
        assert journal.graph_of(submissions[0].prompt_id) == graph(1)
    assert [prompt.graph for prompt in saved.prompts] == [None, graph(2), graph(3)]
    assert [prompt.status.ended for prompt in saved.prompts] == [True, False, False]


def test_everything_is_for_the_user_alone(tmp_path: Path) -> None:
    folder = tmp_path / "state" / "comfytui"
    with Journal.open(folder) as journal:
        recorded_batch(journal)
        journal.claim_ids(SERVER)
        found = modes(folder)
        assert {"journal.sqlite3", "journal.sqlite3-wal", "journal.sqlite3-shm"} < set(found)
        assert set(found.values()) == {0o600}
        assert folder.stat().st_mode & 0o777 == 0o700
    folder.joinpath("journal.sqlite3").chmod(0o644)
    with Journal.open(folder):
        assert set(modes(folder).values()) == {0o600}


def test_the_users_own_state_folder_is_for_the_user_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    tmp_path.joinpath("comfytui").mkdir(mode=0o755)
    with Journal.open(state_folder()) as journal:
        assert journal.folder == tmp_path / "comfytui"
    assert tmp_path.joinpath("comfytui").stat().st_mode & 0o777 == 0o700


def test_a_folder_that_the_user_chose_keeps_its_mode(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    with Journal.open(tmp_path):
        assert tmp_path.stat().st_mode & 0o777 == 0o755


def test_only_the_request_and_its_results_are_stored(tmp_path: Path) -> None:
    batch, submissions = new_batch()
    with Journal.open(tmp_path) as journal:
        journal.record_batch(SERVER, ME, batch, submissions)
    with closing(sqlite3.connect(tmp_path / "journal.sqlite3")) as db:
        rows = db.execute("SELECT batch, server, client_id, title, total, created FROM batches").fetchall()
        columns = {name for (name,) in db.execute("SELECT name FROM pragma_table_info('prompts')")}
    assert rows == [(batch.id, FINGERPRINT, ME, "a red fox", 2, 1000.0)]
    assert set(chain(asdict(submissions[0]), ["seed"])) - {"tag"} <= columns


def test_the_client_id_that_resends_a_prompt_owns_its_batch(tmp_path: Path) -> None:
    batch, submissions = new_batch()
    with Journal.open(tmp_path) as journal:
        journal.record_batch(SERVER, ME, batch, submissions)
        journal.record_end(batch.prompt_ids[0], JobStatus.LOST)
        journal.record_reopened(batch.prompt_ids[0], JobStatus.SUBMITTING)
        journal.record_sending(batch.prompt_ids[0], 1.0, "another")
        assert journal.restore(SERVER, ["another"])[0].client_id == "another"
        assert journal.restore(SERVER, [ME], recent=0) == []
