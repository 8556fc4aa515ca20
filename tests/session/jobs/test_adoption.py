"""Jobs of mine that the session did not plan are adopted from the queue and the history."""

from dataclasses import replace

import pytest

from comfytui.comfy.protocol.events import ExecutionStart, Output
from comfytui.comfy.protocol.models import HistoryEntry, QueueItem
from comfytui.session.connection.link_events import Connected
from comfytui.session.events import BatchPlanned, FinishedPrompt, HistorySnapshot, QueueSnapshot
from comfytui.session.jobs.summarise import MAX_TAG_TOTAL, batch_tag_of, finished_prompt_of
from comfytui.session.jobs.transitions import upsert
from comfytui.session.model import BatchTag, JobStatus
from tests.session.builders import CLASSES, ME, Session, queued_prompt, start_frames, step_frames, submitting_job

S = JobStatus


def batch_tag(index: int, total: int = 4, batch: str = "b") -> BatchTag:
    return BatchTag(batch, index, total, "once")


def test_tags_restore_a_batch_and_its_counter() -> None:
    session = Session()
    session.do(
        QueueSnapshot(
            (queued_prompt("p3", 3, batch_tag=batch_tag(3)),),
            (queued_prompt("p4", 4, batch_tag=batch_tag(4)),),
            requested_at=1.0,
        ),
        *step_frames("p3", 2),
    )
    assert session.line() == "Image 3 of 4 - Step 2/4 (50%)"
    session.do(
        HistorySnapshot(
            (
                FinishedPrompt(queued_prompt("p2", 2, batch_tag=batch_tag(2)), "error"),
                FinishedPrompt(queued_prompt("p1", 1, batch_tag=batch_tag(1)), "success"),
            )
        )
    )
    batch = session.state.batches["b"]
    assert (batch.prompt_ids, batch.total, batch.title) == (("p1", "p2", "p3", "p4"), 4, "a red fox")
    assert session.state.jobs["p3"].mine
    session.do(
        HistorySnapshot(
            (FinishedPrompt(queued_prompt("p3", 3), "success"), FinishedPrompt(queued_prompt("p4", 4), "success"))
        )
    )
    assert session.line() == "3 of 4 done, 1 failed"


def test_images_never_seen_are_not_waited_for() -> None:
    session = Session()
    session.do(HistorySnapshot((FinishedPrompt(queued_prompt("p4", 4, batch_tag=batch_tag(4)), "success"),)))
    assert session.line() == "1 of 4 done"


def test_a_job_without_a_tag_is_a_batch_of_one() -> None:
    session = Session()
    session.do(
        QueueSnapshot((), (queued_prompt("solo", 1),), requested_at=1.0), *start_frames("solo"), *step_frames("solo", 1)
    )
    assert session.line("solo") == "Image 1 of 1 - Step 1/4 (25%)"


def test_an_image_that_is_there_twice_is_counted_once() -> None:
    """A retried POST can leave two prompts with one tag."""
    session = Session()
    session.do(
        QueueSnapshot(
            (),
            (queued_prompt("p1", 1, batch_tag=batch_tag(1, 1)), queued_prompt("again", 2, batch_tag=batch_tag(1, 1))),
            requested_at=1.0,
        )
    )
    assert session.state.batches["b"].prompt_ids == ("p1",)
    assert session.state.batches["again"].prompt_ids == ("again",)


def test_a_tag_beyond_its_batch_is_ignored() -> None:
    session = Session()
    session.plan("a", 2)
    session.do(
        QueueSnapshot(
            (),
            (queued_prompt("a1"), queued_prompt("a2"), queued_prompt("x", 9, batch_tag=batch_tag(3, 9, "a"))),
            requested_at=9.0,
        )
    )
    assert session.state.batches["a"].prompt_ids == ("a1", "a2")
    assert "x" in session.state.batches


def test_another_clients_job_becomes_mine_with_its_client_id() -> None:
    session = Session(client_ids=())
    session.do(QueueSnapshot((), (queued_prompt("p1", 1, "old", batch_tag(1)),), requested_at=1.0))
    assert not session.state.batches
    session.do(Connected("old"), QueueSnapshot((), (queued_prompt("p1", 1, "old", batch_tag(1)),), requested_at=3.0))
    assert session.state.jobs["p1"].mine
    assert session.line() == "Image 1 of 4 - queued, next"


def test_another_clients_tag_claims_nothing() -> None:
    session = Session()
    session.plan("a", 1)
    session.do(
        QueueSnapshot(
            (), (queued_prompt("a1"), queued_prompt("evil", -1, "they", batch_tag(1, 4, "a"))), requested_at=9.0
        )
    )
    assert not session.state.jobs["evil"].mine
    assert session.line() == "Image 1 of 1 - queued, 1 ahead"


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"batch": "b", "index": 2, "total": 4, "submission": "s"}, BatchTag("b", 2, 4, "s")),
        ({"batch": "b", "index": 2, "total": 4}, BatchTag("b", 2, 4, "")),
        ({"batch": "b", "index": 2, "total": 4, "submission": ["s"]}, BatchTag("b", 2, 4, "")),
        ({"batch": "b", "index": 2, "total": 10**18}, BatchTag("b", 2, MAX_TAG_TOTAL, "")),
        ({"batch": "b", "index": 5, "total": 4}, None),
        ({"batch": "b", "index": 0, "total": 4}, None),
        ({"batch": "b", "index": True, "total": 4}, None),
        ({"batch": "b", "index": 1, "total": True}, None),
        ({"batch": "b", "index": 10**18, "total": 10**19}, None),
        ({"batch": "b", "index": 1.0, "total": 4}, None),
        ({"batch": "b", "index": "1", "total": 4}, None),
        ({"batch": 7, "index": 1, "total": 4}, None),
        ({"batch": "", "index": 1, "total": 4}, None),
        ({"batch": "b" * 10_000, "index": 1, "total": 4}, None),
        ({"batch": "\U0001f98a" * 17, "index": 1, "total": 4}, None),
        ({"index": 1, "total": 4}, None),
        ({}, None),
    ],
)
def test_invalid_tags_are_ignored(fields: dict[str, object], expected: BatchTag | None) -> None:
    assert batch_tag_of(fields) == expected


GRAPH = {node: {"class_type": class_type, "inputs": {}} for node, class_type in CLASSES.items()}


@pytest.mark.parametrize(
    ("cached", "outputs", "all_cached"),
    [
        (tuple(GRAPH), (), True),
        (("9",), (Output("a.png", node="9"),), True),
        (("4", "6"), (Output("a.png", node="9"),), False),
        ((), (Output("a.png", node="9"),), False),
        (("4",), (), False),
    ],
)
def test_the_history_shows_a_cached_run(cached: tuple[str, ...], outputs: tuple[Output, ...], all_cached: bool) -> None:
    entry = HistoryEntry(QueueItem("p", 1, GRAPH, ME), "success", outputs, cached, started=1_000, ended=3_500)
    summary = finished_prompt_of(entry)
    assert summary.all_cached is all_cached
    assert (summary.seconds, summary.ended) == (2.5, 3.5)
    assert summary.prompt.classes == CLASSES


def test_an_end_seen_by_another_process_replaces_only_a_loss() -> None:
    session = Session()
    first, second = session.plan("batch", 2)
    session.do(ExecutionStart(second, 10_000))
    session.state = upsert(session.state, [replace(session.state.jobs[first], status=JobStatus.LOST)])
    batch = session.state.batches["batch"]
    jobs = tuple(replace(submitting_job(prompt), status=JobStatus.SUCCEEDED) for prompt in (first, second))
    session.do(BatchPlanned(batch, jobs))
    assert [session.status(prompt) for prompt in (first, second)] == [JobStatus.SUCCEEDED, JobStatus.RUNNING]
