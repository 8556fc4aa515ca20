"""For any events in any order: ends stay, bars stay within bounds, other clients' jobs stay theirs."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from comfytui.comfy.protocol.events import (
    Executed,
    Executing,
    ExecutionCached,
    ExecutionError,
    ExecutionInterrupted,
    ExecutionStart,
    ExecutionSuccess,
    NodeProgress,
    Output,
    Progress,
    ProgressState,
    Status,
)
from comfytui.presentation.batch_text import progress_line
from comfytui.session.connection.link_events import Connected, Disconnected
from comfytui.session.events import (
    FinishedPrompt,
    HistorySnapshot,
    JobCancelled,
    PromptAccepted,
    PromptDelayed,
    PromptRejected,
    QueuedPrompt,
    QueueSnapshot,
    SessionEvent,
)
from comfytui.session.jobs.index import Jobs
from comfytui.session.jobs.transitions import start_job
from comfytui.session.model import BatchTag, Failure, JobStatus, Stamp
from comfytui.session.progress import progress_of
from comfytui.session.selectors import ahead_of, awaiting_history, current_batch
from comfytui.session.state import SessionState
from tests.session.builders import CLASSES, ME, Session, queued_prompt, run_frames

MINE = ("a1", "a2")
IDS = st.sampled_from([*MINE, "theirs", "unknown"])
NODES = st.sampled_from([*CLASSES, "3:1", "99"])
NUMBERS = st.one_of(st.integers(-5, 50), st.floats(), st.just(0), st.just(10**30))
STAMPS = st.one_of(st.none(), st.integers(-(10**15), 10**15))

PROGRESS = st.builds(Progress, NUMBERS, NUMBERS, st.one_of(IDS, st.none()), st.one_of(NODES, st.none()))
OVERVIEWS = st.builds(
    ProgressState,
    IDS,
    st.lists(
        st.builds(NodeProgress, NODES, NUMBERS, NUMBERS, st.sampled_from(["running", "finished", "error"])), max_size=4
    ).map(tuple),
)
FRAMES: st.SearchStrategy[SessionEvent] = st.one_of(
    PROGRESS,
    OVERVIEWS,
    st.builds(ExecutionStart, IDS, STAMPS),
    st.builds(ExecutionCached, IDS, st.lists(NODES, max_size=6).map(tuple)),
    st.builds(Executing, st.one_of(st.none(), NODES), st.one_of(st.none(), NODES), st.one_of(st.none(), IDS)),
    st.builds(Executed, IDS, NODES, st.none(), st.lists(st.builds(Output, st.text(max_size=2)), max_size=2).map(tuple)),
    st.builds(Status, st.integers(-3, 9)),
)
ENDINGS: st.SearchStrategy[SessionEvent] = st.one_of(
    st.builds(ExecutionSuccess, IDS, STAMPS),
    st.builds(ExecutionError, IDS),
    st.builds(ExecutionInterrupted, IDS),
)
TAGS = st.one_of(
    st.none(), st.builds(BatchTag, st.sampled_from("abc"), st.integers(1, 4), st.integers(4, 9), st.just(""))
)
QUEUED_PROMPTS = st.builds(
    lambda key, owner, batch_tag: QueuedPrompt(key, 1.0, owner, batch_tag, classes=CLASSES),
    IDS,
    st.sampled_from([ME, "they"]),
    TAGS,
)
FINISHED_PROMPTS = st.builds(FinishedPrompt, QUEUED_PROMPTS, st.sampled_from(["success", "error", "interrupted", None]))
POLLS: st.SearchStrategy[SessionEvent] = st.one_of(
    st.builds(
        QueueSnapshot,
        st.lists(QUEUED_PROMPTS, max_size=3).map(tuple),
        st.lists(QUEUED_PROMPTS, max_size=3).map(tuple),
        st.floats(0, 50),
    ),
    st.builds(HistorySnapshot, st.lists(FINISHED_PROMPTS, max_size=2).map(tuple), st.lists(IDS, max_size=2).map(tuple)),
)
OTHER_EVENTS: st.SearchStrategy[SessionEvent] = st.one_of(
    st.builds(lambda key: PromptAccepted(key, key, 1.0), IDS),
    st.builds(PromptRejected, IDS, st.just(Failure("no"))),
    st.builds(PromptDelayed, IDS, st.text(max_size=3)),
    st.builds(JobCancelled, IDS),
    st.builds(Connected, st.just(ME)),
    st.builds(Disconnected, st.just("gone")),
)
REKEYINGS: st.SearchStrategy[SessionEvent] = st.builds(PromptAccepted, IDS, IDS, st.just(1.0))
EVERYTHING = st.lists(st.one_of(FRAMES, ENDINGS, POLLS, OTHER_EVENTS, REKEYINGS), max_size=30)


def two_images() -> Session:
    session = Session()
    session.plan("a", 2)
    session.do(
        QueueSnapshot(
            (),
            (queued_prompt("a1"), queued_prompt("a2"), queued_prompt("theirs", 9, "they")),
            requested_at=session.now + 0.5,
        )
    )
    return session


@given(
    st.sampled_from([ExecutionSuccess("a1"), ExecutionError("a1"), ExecutionInterrupted("a1"), JobCancelled("a1")]),
    st.lists(st.one_of(FRAMES, ENDINGS, POLLS, OTHER_EVENTS), max_size=30),
)
def test_after_its_end_a_job_stays_ended(end: SessionEvent, events: list[SessionEvent]) -> None:
    session = two_images()
    session.do(*list(run_frames("a1"))[:9], end)
    status = session.status("a1")
    for event in events:
        session.do(event)
        assert session.status("a1") is status
        assert "a1" not in session.state.runs


@given(EVERYTHING)
def test_numbers_stay_within_bounds_and_the_bar_never_goes_back(events: list[SessionEvent]) -> None:
    session = two_images()
    bars: dict[tuple[str, float], float] = {}
    for event in events:
        session.do(event)
        for run in session.state.runs.values():
            assert 0 <= run.step <= run.steps
            assert bars.get((run.prompt_id, run.first_seen), 0.0) <= run.fraction <= 1
        bars = {(run.prompt_id, run.first_seen): run.fraction for run in session.state.runs.values()}
        for batch in session.state.batches.values():
            progress = progress_of(session.state, batch, session.now)
            assert 0 <= progress.percentage <= 100
            assert 1 <= progress.image_index <= progress.total_images
            assert 0 <= progress.batch_fraction <= 1
            assert progress.batch_left is None or 0 <= progress.batch_left[0] <= progress.batch_left[1]
            assert progress_line(progress)


@given(EVERYTHING)
def test_a_job_that_runs_is_not_started_anew(events: list[SessionEvent]) -> None:
    session = two_images()
    for event in events:
        session.do(event)
        state, at = session.state, Stamp(session.now, session.now)
        for run in state.runs.values():
            job = state.jobs[run.prompt_id]
            if job.status is JobStatus.RUNNING and not job.left_queue:
                after, same_run = start_job(state, job, at, started_ms=None, seen_from_start=False)
                assert after is state
                assert same_run is run


@given(EVERYTHING)
def test_the_state_stays_consistent(events: list[SessionEvent]) -> None:
    session = two_images()
    for event in events:
        before = session.state
        after = session.do(event)
        assert after is not before or after == before
        _check(after)
        if isinstance(event, Progress | ProgressState) and after.runs.keys() == before.runs.keys():
            revived = any(before.jobs[key].left_queue and not after.jobs[key].left_queue for key in after.runs)
            assert revived or after.jobs is before.jobs


def _check(state: SessionState) -> None:
    for key, run in state.runs.items():
        assert run.prompt_id == key
        assert state.jobs[key].mine
        assert state.jobs[key].status is JobStatus.RUNNING
    for key, job in state.jobs.items():
        assert key == job.prompt_id
        assert job.mine or job.status is not JobStatus.SUBMITTING
        assert ahead_of(state, job) >= 0
        assert (job.ended is not None) is job.status.ended
    assert not any(
        state.jobs[key].status.ended and not state.jobs[key].results_incomplete for key in awaiting_history(state)
    )
    assert (current_batch(state) is None) is (not state.batches)
    rebuilt = replace(state, jobs=Jobs(state.jobs.values()))
    assert rebuilt == state
    assert current_batch(rebuilt) == current_batch(state)


@given(st.lists(st.one_of(FRAMES, ENDINGS), max_size=30))
def test_frames_never_change_other_clients_jobs(events: list[SessionEvent]) -> None:
    session = two_images()
    theirs = session.state.jobs["theirs"]
    session.do(*events)
    assert session.state.jobs["theirs"] is theirs
    assert set(session.state.jobs) == {*MINE, "theirs"}


@given(
    st.lists(st.sampled_from(list(run_frames("a1"))[:-5]), max_size=40), st.permutations(list(run_frames("a1"))[-5:])
)
def test_frames_in_any_order_lead_to_the_same_end(jumbled: list[SessionEvent], end: list[SessionEvent]) -> None:
    session = two_images()
    session.do(*jumbled, *end)
    assert session.status("a1") is JobStatus.SUCCEEDED
    assert not session.state.runs
    assert session.line() == "Image 2 of 2 - queued, next"
