"""The texts about a batch."""

from dataclasses import replace

import pytest

from comfytui.comfy.protocol.events import ExecutionError
from comfytui.presentation.batch_text import (
    batch_failure,
    batch_figures,
    batch_title,
    idle_text,
    image_caption,
    phase_text,
)
from comfytui.session.model import Job, JobStatus, Phase
from comfytui.session.progress import BatchProgress, Stage
from comfytui.session.state import SessionState
from tests.session.builders import Session, start_frames


@pytest.mark.parametrize(
    ("elapsed", "shown"),
    [(5.0, "0:05 elapsed  starts in 0:12-0:18"), (6_000.0, "starts in 0:12-0:18"), (0.0, "starts in 0:12-0:18")],
)
def test_the_time_to_come_is_never_cut_and_the_elapsed_time_is_shown_where_both_fit(elapsed: float, shown: str) -> None:
    progress = BatchProgress(Stage.QUEUED, 1, 2, batch_elapsed=elapsed, starts_in=(12.0, 18.0), waits_for_others=True)
    assert batch_figures(progress, 33) == shown


def test_the_phase_is_named_beside_the_node_once_steps_are_counted() -> None:
    before = BatchProgress(Stage.RUNNING, 1, 1, phase=Phase.SAMPLING, node_class="KSampler")
    assert phase_text(before) == "KSampler"
    second = BatchProgress(
        Stage.RUNNING, 1, 1, phase=Phase.SAMPLING, node_class="KSampler", current_step=3, total_steps=4, passes=2
    )
    assert phase_text(second) == f"KSampler · {Phase.SAMPLING} · pass 2"


def test_the_title_is_numbered_among_several_batches() -> None:
    session = Session()
    session.plan("a", 1)
    batch, job = session.state.batches["a"], session.state.jobs["a1"]
    assert batch_title(session.state, batch, job) == "a red fox"
    session.plan("b", 1)
    assert batch_title(session.state, batch, job) == "Batch 1: a red fox"
    assert batch_title(session.state, session.state.batches["b"], None) == "Batch 2: a red fox"


def test_the_title_is_what_the_prompt_of_the_image_became() -> None:
    session = Session()
    session.plan("a", 1)
    batch = replace(session.state.batches["a"], title="a {red|blue} fox")
    assert batch_title(session.state, batch, session.state.jobs["a1"]) == "a red fox"
    assert batch_title(session.state, batch, None) == "a {red|blue} fox"


def test_the_failure_names_the_image_of_a_batch_of_several() -> None:
    session = Session()
    session.plan("a", 2)
    session.do(*start_frames("a1"))
    assert batch_failure(session.state, session.state.batches["a"]) == ""
    session.do(ExecutionError("a1", "3", "KSampler", "OOM", "out of memory"))
    assert batch_failure(session.state, session.state.batches["a"]) == "Image 1 failed in KSampler: out of memory"


def test_jobs_of_other_clients_are_counted_while_none_is_mine() -> None:
    assert idle_text(SessionState()) == "Nothing is running"
    state = SessionState(queue_remaining=3)
    assert idle_text(state) == "None of your jobs is running; 3 of other clients in the queue"


def test_the_caption_of_an_image_without_a_batch_says_that_it_is_another() -> None:
    assert image_caption(Job("a", JobStatus.SUCCEEDED)) == "Shown: another image"
