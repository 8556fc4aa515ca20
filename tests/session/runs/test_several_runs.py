"""Several of my prompts run at once: each has its own steps, bar, times and end, and one of them is shown."""

from collections import Counter
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from comfytui.comfy.protocol.events import ExecutionStart, ExecutionSuccess, Progress
from comfytui.session.connection.link_events import Connected, Disconnected
from comfytui.session.events import FinishedPrompt, HistorySnapshot, QueueSnapshot, SessionEvent
from comfytui.session.model import JobStatus, Presence
from comfytui.session.progress import BatchProgress, progress_of
from comfytui.session.runs.stall import current_stall
from comfytui.session.selectors import awaiting_history, just_ended, next_job
from comfytui.session.state import MAX_RUNS, only_run, shown_run
from comfytui.timings import DEFAULT
from tests.session.builders import SAMPLER, Session, end_frames, queued_prompt, run_frames, start_frames, step_frames
from tests.session.test_progress import timed_run
from tests.shown_run import running_id

TOTALS = {"a1": 3, "a2": 5, "a3": 7}
"""Steps of each image; no two have as many."""


def frames_of(prompt_id: str) -> Iterator[SessionEvent]:
    yield from start_frames(prompt_id)
    for value in range(1, TOTALS[prompt_id] + 1):
        yield from step_frames(prompt_id, value, TOTALS[prompt_id])
    yield from end_frames(prompt_id)


def queue(session: Session, running: tuple[str, ...], pending: tuple[str, ...] = ()) -> QueueSnapshot:
    """A poll that the server answers just now."""
    number = {key: job.number or 0 for key, job in session.state.jobs.items()}
    return QueueSnapshot(
        tuple(queued_prompt(key, number.get(key, 0)) for key in running),
        tuple(queued_prompt(key, number.get(key, 0)) for key in pending),
        requested_at=session.now + session.tick / 2,
    )


def three_running(tick: float = 1.0) -> Session:
    """A batch of four on a server with three workers; its first three images have begun."""
    session = Session(tick)
    session.plan("a", 4)
    session.do(ExecutionStart("a1", 10_000), ExecutionStart("a2", 10_000), ExecutionStart("a3", 10_000))
    session.do(queue(session, ("a1", "a2", "a3"), ("a4",)))
    return session


def progress(session: Session, batch: str = "a") -> BatchProgress:
    return progress_of(session.state, session.state.batches[batch], session.now)


INTERLEAVED = st.lists(st.sampled_from([*TOTALS]), max_size=80)
"""Of which prompt the next frame is; what is left follows prompt by prompt."""


def interleave(order: list[str]) -> Iterator[SessionEvent]:
    frames = {prompt_id: frames_of(prompt_id) for prompt_id in TOTALS}
    for prompt_id in [*order, *(key for key in TOTALS for _ in range(40))]:
        if (frame := next(frames[prompt_id], None)) is not None:
            yield frame


@given(INTERLEAVED, st.sets(st.integers(0, 60)))
def test_each_run_goes_its_own_way_to_its_one_end(order: list[str], polls: set[int]) -> None:
    session = Session()
    session.plan("a", 3)
    bars = dict.fromkeys(TOTALS, 0.0)
    ends: Counter[str] = Counter()
    batch = 0.0
    for place, frame in enumerate(interleave(order)):
        before = session.state
        session.do(frame)
        if place in polls:
            open_jobs = [key for key, job in session.state.jobs.items() if not job.status.ended]
            running = tuple(key for key in open_jobs if session.status(key) is JobStatus.RUNNING)
            session.do(queue(session, running, tuple(key for key in open_jobs if key not in running)))
        ends.update(job.prompt_id for job in just_ended(before, session.state))
        for key, run in session.state.runs.items():
            assert run.steps in {0, TOTALS[key]}
            assert bars[key] <= run.fraction <= 1
            bars[key] = run.fraction
        assert batch <= progress(session).batch_fraction <= 1
        batch = progress(session).batch_fraction
    assert dict(ends) == dict.fromkeys(TOTALS, 1)
    assert {job.status for job in session.state.jobs.values()} == {JobStatus.SUCCEEDED}
    assert (dict(session.state.runs), awaiting_history(session.state), batch) == ({}, (), 1.0)


@given(INTERLEAVED, st.integers(0, 60))
def test_polls_end_the_runs_whose_last_frames_were_lost_and_no_other(order: list[str], seen: int) -> None:
    session = Session()
    session.plan("a", 3)
    for place, frame in enumerate(interleave(order)):
        if place < seen:
            session.do(frame)
    still = tuple(key for key in TOTALS if not session.status(key).ended)[:1]
    session.do(Disconnected("gone", 1.0), Connected("me"), queue(session, still))
    asked = awaiting_history(session.state)
    session.do(HistorySnapshot(tuple(FinishedPrompt(queued_prompt(key), "success") for key in asked), asked))
    assert tuple(session.state.runs) == still
    assert all(session.status(key) is JobStatus.SUCCEEDED for key in TOTALS if key not in still)
    for key in still:
        session.do(*end_frames(key))
        assert session.status(key) is JobStatus.SUCCEEDED
    assert not session.state.runs


def test_the_one_that_started_first_is_shown_until_it_ends() -> None:
    session = three_running()
    session.do(*step_frames("a2", 2), *step_frames("a1", 1), *step_frames("a3", 3))
    assert session.line() == "Image 1 of 4 - Step 1/4 (25%)  +2 running"
    session.do(*end_frames("a2"))
    assert session.line() == "Image 1 of 4 - Step 1/4 (25%)  +1 running"
    session.do(ExecutionStart("a4", 10_000), *end_frames("a1"))
    assert session.line() == "Image 3 of 4 - Step 3/4 (75%)  +1 running"
    session.do(*end_frames("a3"))
    assert session.line() == "Image 4 of 4 - starting"


def test_a_job_put_to_the_front_does_not_replace_the_one_that_is_shown() -> None:
    session = three_running()
    session.plan("b", 1)
    session.do(*end_frames("a3"))
    running, pending = tuple(queued_prompt(key, 5) for key in ("a1", "a2")), (queued_prompt("a4", 9),)
    session.do(QueueSnapshot((*running, queued_prompt("b1", -3)), pending, requested_at=session.now + 0.5))
    session.do(*step_frames("b1", 2), *step_frames("a1", 1))
    assert session.line() == "Image 1 of 4 - Step 1/4 (25%)  +2 running"
    assert session.line("b") == "Image 1 of 1 - Step 2/4 (50%)  +2 running"


def test_a_run_that_seemed_to_be_over_goes_on_where_it_was() -> None:
    """Until the queue shows several running, the start of one means the end of the other."""
    session = Session()
    session.plan("a", 2)
    session.do(*start_frames("a1"), *step_frames("a1", 3), *start_frames("a2"))
    assert running_id(session.state) == "a2"
    assert session.line() == "Image 2 of 2 - loading model"
    assert awaiting_history(session.state) == ("a1",)
    session.do(queue(session, ("a1", "a2")))
    assert session.line() == "Image 1 of 2 - Step 3/4 (75%)  +1 running"
    assert awaiting_history(session.state) == ()
    session.plan("b", 1)
    session.do(*start_frames("b1"))
    assert session.line() == "Image 1 of 2 - Step 3/4 (75%)  +2 running"


def test_a_new_connection_may_be_to_a_server_with_one_worker() -> None:
    session = three_running()
    assert session.state.workers == 3
    session.do(Disconnected("gone", 1.0))
    assert session.state.workers == 3
    session.do(Connected("me"))
    assert session.state.workers == 1
    assert len(session.state.runs) == 3
    session.do(queue(session, ("a1", "a2", "a3"), ("a4",)))
    assert session.state.workers == 3


def test_a_frame_without_a_prompt_id_is_about_the_only_run_or_none() -> None:
    session = three_running()
    before = session.state
    assert only_run(before) is None
    assert session.do(Progress(2, 9, None, SAMPLER)) is before
    session.do(*end_frames("a1"), *end_frames("a2"), Progress(2, 9, None, SAMPLER))
    assert session.state.runs["a3"].steps == 9


def test_a_late_frame_of_a_job_that_left_the_queue_starts_no_run_beside_others() -> None:
    session = three_running()
    session.do(queue(session, ("a1", "a2", "a3")))
    assert session.state.jobs["a4"].presence is Presence.LEFT_QUEUE
    session.do(*step_frames("a4", 1))
    assert "a4" not in session.state.runs


def test_a_poll_older_than_a_start_starts_nothing() -> None:
    session = Session()
    session.plan("a", 2)
    old = queue(session, ("a1",), ("a2",))
    session.do(ExecutionStart("a2", 10_000), old)
    assert tuple(session.state.runs) == ("a2",)


def test_a_server_that_claims_to_run_everything_is_followed_within_limits() -> None:
    session = Session()
    ids = session.plan("a", 200)
    session.do(queue(session, ids))
    assert len(session.state.runs) == session.state.workers == MAX_RUNS
    session.do(*(ExecutionStart(key, 10_000) for key in ids))
    assert len(session.state.runs) == MAX_RUNS


def test_an_image_waits_for_the_worker_that_is_free_first() -> None:
    session = Session()
    session.plan("m", 2)
    for prompt_id in ("m1", "m2"):
        timed_run(session, prompt_id, load=1, step_seconds=1, end=2)  # 6 seconds each
    session.plan("a", 3)
    session.plan("b", 2)
    session.tick = 0.0
    session.do(*start_frames("a1"))
    session.now += 2
    session.do(*start_frames("a2"), *start_frames("a3"))
    session.do(queue(session, ("a1", "a2", "a3"), ("b1", "b2")))
    # a1 is free after 4 seconds of its 6 (one of them is over: it waits for its first step), a2 and a3 after 6.
    first = progress(session, "b").starts_in
    assert first is not None
    assert first == pytest.approx((5.0, 5.0))
    assert progress(session, "b").batch_left == pytest.approx((6.0, 6.0))
    assert progress(session, "a").batch_left == pytest.approx((6.0, 6.0))


def test_the_rest_of_a_batch_is_divided_among_the_workers() -> None:
    session = Session()
    session.plan("m", 2)
    for prompt_id in ("m1", "m2"):
        timed_run(session, prompt_id, load=1, step_seconds=1, end=2)
    session.plan("a", 10)
    session.tick = 0.0
    session.do(*(frame for key in ("a1", "a2", "a3") for frame in start_frames(key)))
    session.do(queue(session, ("a1", "a2", "a3"), tuple(f"a{n}" for n in range(4, 11))))
    assert progress(session).batch_left == pytest.approx((24.0, 24.0))  # 3, 3, 3 and 1
    assert not progress(session).waits_for_others


def test_time_in_which_several_ran_counts_once() -> None:
    session = three_running(tick=0.0)
    session.now += 5  # what the end's timestamp says, too
    session.do(*end_frames("a2"))
    assert progress(session).batch_elapsed == pytest.approx(5.0)
    session.now += 2
    session.do(ExecutionStart("a4", 10_000), *end_frames("a1"), *end_frames("a3"))
    session.now += 3
    assert progress(session).batch_elapsed == pytest.approx(10.0)
    session.do(*end_frames("a4"))
    assert progress(session).batch_elapsed == pytest.approx(10.0)


def test_one_run_may_stall_beside_others_that_go_on() -> None:
    session = three_running(tick=0.0)
    for key in ("a1", "a2"):
        session.do(*list(start_frames(key))[1:])
    session.now += DEFAULT.session.load_stall + 1
    session.do(*step_frames("a2", 1))
    runs = session.state.runs
    assert current_stall(session.state, runs["a1"], session.now) is not None
    assert current_stall(session.state, runs["a2"], session.now) is None


def test_each_run_is_measured() -> None:
    session = three_running()
    for key, seconds in (("a1", 2), ("a2", 3)):
        session.now += seconds
        session.do(*step_frames(key, 1), *step_frames(key, 4), ExecutionSuccess(key, 15_000))
    (times,) = session.state.run_times.values()
    assert times.runs == 2


def test_a_step_shares_all_but_the_runs() -> None:
    session = three_running()
    before = session.state
    after = session.do(*step_frames("a2", 1))
    assert (after.jobs, after.batches, after.run_times) == (before.jobs, before.batches, before.run_times)
    assert after.jobs is before.jobs
    assert after.runs["a1"] is before.runs["a1"]
    assert shown_run(after) is before.runs["a1"]
    batch = after.batches["a"]
    assert next_job(after, batch) is after.jobs["a1"]


def test_a_whole_run_beside_another_leaves_that_as_it_was() -> None:
    session = three_running()
    session.do(*step_frames("a1", 2))
    before = session.state.runs["a1"]
    session.do(*run_frames("a2"))
    assert session.state.runs["a1"] is before
