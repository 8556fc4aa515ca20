"""The journal's file stays small however long it is used."""

import json
import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path

from comfytui.comfy.protocol.events import Output
from comfytui.service.journal import codec, writing
from comfytui.service.journal.journal import Journal
from comfytui.session.model import JobStatus, Stamp
from tests.resources import MB
from tests.service.journal.batches import ME, SERVER, graph, new_batch, recorded_batch


def counts(folder: Path) -> tuple[int, int, int]:
    """Count the prompts, those with a graph, and the batches with a base."""
    with closing(sqlite3.connect(folder / "journal.sqlite3")) as db:
        return (
            db.execute("SELECT count(*) FROM prompts").fetchone()[0],
            db.execute("SELECT count(graph) FROM prompts").fetchone()[0],
            db.execute("SELECT count(base) FROM batches").fetchone()[0],
        )


class SmallJournal(Journal):
    """A journal that keeps little of what ended."""

    graphs_kept, prompts_kept = 10, 30


def test_the_file_stays_bounded(tmp_path: Path) -> None:
    with SmallJournal.open(tmp_path) as journal:
        unfinished = recorded_batch(journal, [1, 2])
        sizes = []
        for _ in range(30):
            batch = recorded_batch(journal, range(5))
            for prompt_id in batch.prompt_ids:
                journal.record_end(prompt_id, JobStatus.SUCCEEDED)
            sizes.append(counts(tmp_path))
        recorded_batch(journal, [1])
        assert max(sizes) <= (2 + 30 + 5 * 2, 2 + 10 + 5 * 2, 1 + 2 + 2)
        assert counts(tmp_path) == (2 + 30 + 1, 2 + 10 + 1, 1 + 2 + 1)
        assert [journal.graph_of(prompt_id) for prompt_id in unfinished.prompt_ids] == [graph(1), graph(2)]
        pruned = journal.restore(SERVER, [ME])[1].prompts[0]
    assert (pruned.graph, pruned.submission(), pruned.job(Stamp(0.0, 0.0)).parameters.seed) == (None, None, 0)


def test_the_actual_limits_hold(tmp_path: Path) -> None:
    with Journal.open(tmp_path) as journal:
        batch, submissions = new_batch(range(1000))
        for number in range(3):
            again = [replace(submission, prompt_id=f"{number}-{submission.prompt_id}") for submission in submissions]
            journal.record_batch(SERVER, ME, replace(batch, id=f"{batch.id}-{number}"), again)
            with closing(sqlite3.connect(tmp_path / "journal.sqlite3")) as db, db:
                db.execute("UPDATE prompts SET status = 'succeeded'")
        recorded_batch(journal, [1])
        assert counts(tmp_path) == (3001, writing.GRAPHS_KEPT + 1, 3)
        assert journal.graph_of(f"2-{batch.prompt_ids[0]}") == graph(0)


def test_graphs_of_one_batch_are_compressed_against_the_first(tmp_path: Path) -> None:
    big = {"1": {"class_type": "Note", "inputs": {"text": "".join(chr(33 + n * n % 89) for n in range(8000))}}}
    batch, submissions = new_batch(range(200))
    submissions = [replace(submission, graph={**big, **submission.graph}) for submission in submissions]
    with Journal.open(tmp_path) as journal:
        journal.record_batch(SERVER, ME, batch, submissions)
        assert [prompt.submission() for prompt in journal.restore(SERVER, [ME])[0].prompts] == submissions
    assert (tmp_path / "journal.sqlite3").stat().st_size < 200 * 1000


def test_a_graph_beyond_the_size_limit_is_not_decompressed() -> None:
    assert codec.decompress(codec.compress(bytes(10_000)), max_size=10_000) == bytes(10_000)
    assert codec.decompress(codec.compress(bytes(10_001)), max_size=10_000) is None


def test_outputs_are_stored_up_to_the_size_limit(tmp_path: Path) -> None:
    endless = tuple(Output(f"{number}.png", "\U0001f98a" * 1_000) for number in range(1_000))
    with Journal.open(tmp_path) as journal:
        few, many = recorded_batch(journal, [1, 2]).prompt_ids
        journal.record_end(few, JobStatus.SUCCEEDED, outputs=endless[:10])
        journal.record_end(many, JobStatus.SUCCEEDED, outputs=endless)
        prompts = journal.restore(SERVER, [ME])[0].prompts
    assert prompts[0].outputs == endless[:10]
    assert prompts[1].outputs == endless[: len(prompts[1].outputs)]
    assert 0 < len(prompts[1].outputs) < 100
    assert (tmp_path / "journal.sqlite3").stat().st_size < 3 * MB


def test_outputs_beyond_the_size_limit_are_not_read() -> None:
    assert codec.decode_outputs(json.dumps([["a.png", "x" * 5 * MB, "output", "9", "images"]])) == ()
