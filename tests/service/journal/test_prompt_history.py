"""The prompts that were used are listed with how often, how recently and how well."""

import asyncio
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from comfytui.comfy.server import Server
from comfytui.service.journal.database import FILE
from comfytui.service.journal.journal import Journal
from comfytui.service.journal.prompt_history import BEST_FIRST, UsedPrompt, used_negatives, used_prompts
from comfytui.service.journal.records import Endpoint
from comfytui.service.submission.batch import batch_request, plan
from comfytui.session.model import Batch, JobStatus
from comfytui.sim.server import SimServer
from comfytui.workflow.builtin import txt2img
from comfytui.workflow.fields import Field
from comfytui.workflow.graph import Graph, apply_values
from tests.service.journal.batches import ME, SERVER, at, graph
from tests.service.test_service import QUICK
from tests.watcher import watching

S = JobStatus
HOSTILE = "\x1b]0;x\x07\ud800\\ud800'; DROP TABLE prompts; --\u202e\U0001f98a 狐"


def record(journal: Journal, prompt: str, *seeds: int, created: float = 1000.0, server: Endpoint = SERVER) -> Batch:
    """Record a batch as the form does: its title is the prompt."""
    graphs = tuple(graph(seed, prompt) for seed in seeds or (1,))
    batch, _, submissions = plan(batch_request(prompt, graphs), ME, created)
    journal.record_batch(server, ME, batch, submissions)
    return batch


def end(journal: Journal, batch: Batch, *statuses: JobStatus) -> None:
    for prompt_id, status in zip(batch.prompt_ids, statuses, strict=True):
        journal.record_end(prompt_id, status)


def test_the_newest_comes_first_with_all_that_was_made_with_it(tmp_path: Path) -> None:
    with Journal.open(tmp_path) as journal:
        end(journal, record(journal, "a fox", 1, 2, created=1000), JobStatus.SUCCEEDED, JobStatus.FAILED)
        end(journal, record(journal, "a bear", 3, created=2000), JobStatus.FAILED)
        end(journal, record(journal, "a fox", 8, 9, created=3000, server=at("other")), *(2 * [JobStatus.INTERRUPTED]))
        record(journal, "a wolf", created=2500)
    with Journal.open(tmp_path) as journal:
        assert journal.used_prompts() == [
            UsedPrompt("a wolf", 1, 2500.0, 1, JobStatus.SUBMITTING),
            UsedPrompt("a fox", 4, 3000.0, 9, JobStatus.SUCCEEDED),
            UsedPrompt("a bear", 1, 2000.0, 3, JobStatus.FAILED),
        ]


def test_every_status_has_its_place() -> None:
    assert sorted(BEST_FIRST) == sorted(JobStatus)


def test_any_text_comes_back_as_it_was(tmp_path: Path) -> None:
    with Journal.open(tmp_path) as journal:
        record(journal, HOSTILE)
        assert [each.text for each in journal.used_prompts()] == [HOSTILE]


def test_the_name_of_a_workflow_is_no_prompt(tmp_path: Path) -> None:
    with Journal.open(tmp_path) as journal:
        batch, _, submissions = plan(batch_request("My upscaler", (txt2img().graph,)), ME, 1000.0)
        journal.record_batch(SERVER, ME, batch, submissions)
        assert journal.used_prompts() == []


def test_a_limited_number_is_returned(tmp_path: Path) -> None:
    with Journal.open(tmp_path) as journal:
        for number in range(5):
            record(journal, f"fox {number}")
    with closing(sqlite3.connect(tmp_path / FILE)) as db:
        assert [each.text for each in used_prompts(db, 2)] == ["fox 4", "fox 3"]


@pytest.mark.parametrize(
    "damage",
    [
        "UPDATE prompts SET seed = 'nonsense' WHERE batch IN (SELECT batch FROM batches WHERE title = 'bad')",
        "UPDATE prompts SET status = 'damaged' WHERE batch IN (SELECT batch FROM batches WHERE title = 'bad')",
        "UPDATE batches SET created = 'x' WHERE title = 'bad'",
        "UPDATE batches SET title = x'00ff' WHERE title = 'bad'",
        "UPDATE prompts SET status = x'00' WHERE batch IN (SELECT batch FROM batches WHERE title = 'bad')",
    ],
)
def test_a_damaged_row_is_left_out(tmp_path: Path, damage: str) -> None:
    with Journal.open(tmp_path) as journal:
        record(journal, "good")
        record(journal, "bad")
    with closing(sqlite3.connect(tmp_path / FILE)) as db, db:
        db.execute(damage)
    with Journal.open(tmp_path) as journal:
        assert [each.text for each in journal.used_prompts()] == ["good"]


async def test_a_service_lists_what_it_and_earlier_ones_were_given(tmp_path: Path) -> None:
    async with SimServer(QUICK) as sim:
        async with watching(Server.from_url(sim.url), folder=tmp_path) as it:
            await it.live()
            await it.until(await it.submit(2, model=QUICK.checkpoints[0]), JobStatus.SUCCEEDED)
        async with watching(Server.from_url(sim.url), folder=tmp_path) as it:
            (used,) = await asyncio.wrap_future(it.service.used_prompts())
            assert (used.images, used.best) == (2, JobStatus.SUCCEEDED)


def with_negative(text: str, seed: int = 1) -> Graph:
    return apply_values(txt2img(), {Field.NEGATIVE: text, Field.SEED: seed})


def test_negative_prompts_are_in_the_graphs(tmp_path: Path) -> None:
    with Journal.open(tmp_path) as journal:
        used = (
            ("dark", (S.FAILED, S.SUCCEEDED)),
            ("", (S.SUCCEEDED,)),
            ("text", (S.FAILED,)),
            ("dark", (S.CANCELLED,)),
        )
        for created, (text, statuses) in enumerate(used):
            graphs = tuple(with_negative(text, created * 10 + index) for index, _ in enumerate(statuses))
            batch, _, submissions = plan(batch_request("a fox", graphs), ME, created)
            journal.record_batch(SERVER, ME, batch, submissions)
            end(journal, batch, *statuses)
    with Journal.open(tmp_path) as journal:
        rows = [(None, 1, 1.0, "failed", None), (b"damaged", 1, 1.0, "failed", None), *journal.batches_with_graphs()]
        assert used_negatives(rows) == [
            UsedPrompt("dark", 3, 3.0, 30, S.SUCCEEDED),
            UsedPrompt("text", 1, 2.0, 20, S.FAILED),
        ]
