"""Three batches in one session: 4 images, 1 queued while they run, and 3 more after one of them failed."""

from comfytui.comfy.protocol.events import ExecutionError
from comfytui.session.events import PromptAccepted
from comfytui.session.jobs.index import BatchCounts
from comfytui.session.model import JobStatus
from comfytui.session.progress import BatchProgress, progress_of
from comfytui.session.selectors import ahead_of, batch_number, counts_of, current_batch, open_jobs, unsent_jobs
from tests.session.builders import Session, end_frames, planned_batch, run_frames, start_frames, step_frames

S = JobStatus


def now_shown(session: Session) -> str:
    """What *Now* shows: the number of the batch, and its progress line."""
    batch = current_batch(session.state)
    assert batch is not None
    return f"{batch_number(session.state, batch)}: {session.line()}"


def batch_progress(session: Session, batch: str) -> BatchProgress:
    return progress_of(session.state, session.state.batches[batch], session.now)


def test_the_running_batch_is_shown_and_then_the_next_one() -> None:
    session = Session()
    session.plan("a", 4, seed=100)
    session.do(*run_frames("a1"))
    assert now_shown(session) == "1: Image 2 of 4 - queued, next"

    session.do(*start_frames("a2"), *step_frames("a2", 1), *step_frames("a2", 2), *step_frames("a2", 3))
    assert now_shown(session) == "1: Image 2 of 4 - Step 3/4 (75%)"

    # The second batch is asked for while the first one runs.
    session.do(planned_batch("b", 1, seed=7))
    assert now_shown(session) == "1: Image 2 of 4 - Step 3/4 (75%)"
    assert session.line("b") == "0 of 1 sent"
    assert unsent_jobs(session.state) == 1
    session.do(PromptAccepted("b1", "b1", 4))
    assert session.line("b") == "Image 1 of 1 - queued, 3 ahead"
    assert ahead_of(session.state, session.state.jobs["b1"]) == 3
    assert now_shown(session) == "1: Image 2 of 4 - Step 3/4 (75%)"
    assert open_jobs(session.state) == 4

    bars = batch_progress(session, "a")
    assert (bars.image_index, bars.current_step, bars.total_steps, bars.percentage) == (2, 3, 4, 75)
    assert bars.batch_fraction == (1 + bars.image_fraction) / 4
    assert batch_progress(session, "b").batch_fraction == 0.0

    # Image 3 fails; then three more are asked for.
    session.do(
        *end_frames("a2"),
        *start_frames("a3"),
        *step_frames("a3", 1),
        ExecutionError("a3", "3", "KSampler", "OOM", "out of memory"),
    )
    assert now_shown(session) == "1: Image 4 of 4 - queued, next"
    session.plan("c", 3, seed=500)
    assert session.line("c") == "Image 1 of 3 - queued, 2 ahead"
    assert batch_progress(session, "a").batch_fraction == 3 / 4

    session.do(*run_frames("a4"))
    assert session.line("a") == "3 of 4 done, 1 failed"
    assert batch_progress(session, "a").batch_fraction == 1.0
    assert now_shown(session) == "2: Image 1 of 1 - queued, next"

    session.do(*start_frames("b1"), *step_frames("b1", 2))
    assert now_shown(session) == "2: Image 1 of 1 - Step 2/4 (50%)"
    session.do(*end_frames("b1"))
    assert session.line("b") == "1 of 1 done"
    assert now_shown(session) == "3: Image 1 of 3 - queued, next"

    for image in (1, 2, 3):
        session.do(*start_frames(f"c{image}"), *step_frames(f"c{image}", 1))
        assert now_shown(session) == f"3: Image {image} of 3 - Step 1/4 (25%)"
        session.do(*end_frames(f"c{image}"))
    assert now_shown(session) == "3: 3 of 3 done"
    assert open_jobs(session.state) == 0

    jobs = session.state.jobs
    assert [job.parameters.seed for job in jobs.values()] == [100, 101, 102, 103, 7, 500, 501, 502]
    assert [key for key, job in jobs.items() if job.status is S.FAILED] == ["a3"]
    assert {
        key: [output.filename for output in job.outputs] for key, job in jobs.items() if job.status is not S.FAILED
    } == {key: [f"{key}.png"] for key in ("a1", "a2", "a4", "b1", "c1", "c2", "c3")}
    assert counts_of(session.state, session.state.batches["a"]) == BatchCounts(
        {S.SUCCEEDED: 3, S.FAILED: 1},
        None,
        sum(job.seconds or 0 for key, job in jobs.items() if key[0] == "a"),
        jobs["a4"].ended,
    )


def test_bars_of_all_batches_only_grow() -> None:
    session = Session()
    for batch, total in (("a", 4), ("b", 1), ("c", 3)):
        session.plan(batch, total)
    grown = dict.fromkeys("abc", 0.0)
    for prompt_id in session.state.jobs:
        image = 0.0
        for event in run_frames(prompt_id):
            session.do(event)
            if run := session.state.runs.get(prompt_id):
                assert image <= run.fraction <= 1
                image = run.fraction
            for batch, before in grown.items():
                grown[batch] = batch_progress(session, batch).batch_fraction
                assert grown[batch] >= before
    assert set(grown.values()) == {1.0}
