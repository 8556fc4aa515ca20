"""Effects of single events: ends, late frames, other clients' prompts, polls, and the link."""

from dataclasses import replace

import pytest

from comfytui.comfy.protocol.events import (
    Executed,
    Executing,
    ExecutionCached,
    ExecutionError,
    ExecutionInterrupted,
    ExecutionStart,
    ExecutionSuccess,
    FeatureFlags,
    Logs,
    NodeText,
    Output,
    PreviewImage,
    Progress,
    Status,
    Unknown,
)
from comfytui.comfy.protocol.models import SystemStats
from comfytui.session.connection.link_events import (
    Connected,
    Disconnected,
    HttpFailed,
    Lagging,
    LinkEvent,
    SocketRecovered,
    SocketSilent,
)
from comfytui.session.events import (
    FinishedPrompt,
    HistorySnapshot,
    JobCancelled,
    PromptAccepted,
    PromptDelayed,
    PromptLost,
    PromptRejected,
    QueueSnapshot,
    SessionEvent,
    StatsRead,
)
from comfytui.session.model import Failure, JobStatus, LinkKind
from comfytui.session.selectors import awaiting_history
from tests.session.builders import (
    CLASSES,
    ME,
    SAVER,
    Session,
    planned_batch,
    queued_prompt,
    run_frames,
    start_frames,
    step_frames,
)
from tests.shown_run import running_id

S = JobStatus


def sampling_session(tick: float = 1.0) -> Session:
    """A batch of one whose sampler is at its second step."""
    session = Session(tick)
    session.plan("a", 1)
    session.do(*start_frames("a1"), *step_frames("a1", 1), *step_frames("a1", 2))
    return session


ENDS: dict[JobStatus, SessionEvent] = {
    S.SUCCEEDED: ExecutionSuccess("a1"),
    S.FAILED: ExecutionError("a1", "3", "KSampler", "RuntimeError", "out of memory"),
    S.INTERRUPTED: ExecutionInterrupted("a1", "3", "KSampler"),
    S.CANCELLED: JobCancelled("a1"),
    S.REJECTED: PromptRejected("a1", Failure("no")),
}
LATE: tuple[SessionEvent, ...] = (
    *run_frames("a1"),
    *ENDS.values(),
    Executed("a1", SAVER, SAVER, (Output("late.png"),)),
    PromptDelayed("a1", "later"),
    QueueSnapshot((queued_prompt("a1"),), (), requested_at=1e9),
    QueueSnapshot((), (queued_prompt("a1"),), requested_at=1e9),
    QueueSnapshot((), (), requested_at=1e9),
    HistorySnapshot((), ("a1",)),
)


@pytest.mark.parametrize("status", ENDS)
def test_an_end_is_final(status: JobStatus) -> None:
    session = sampling_session()
    session.do(Executed("a1", SAVER, SAVER, (Output("image.png"),)), ENDS[status])
    job = session.state.jobs["a1"]
    assert job.status is status
    assert not session.state.runs
    for late in LATE:
        session.do(late)
        assert session.state.jobs["a1"] is job, late
        assert not session.state.runs


def test_a_lost_job_that_is_cancelled_was_dismissed() -> None:
    session = Session()
    session.do(planned_batch("b", 2), PromptLost("b1"), JobCancelled("b1"), JobCancelled("b2"))
    assert [(job.status, job.dismissed, job.note) for job in session.state.jobs.values()] == [
        (S.CANCELLED, True, ""),
        (S.CANCELLED, False, ""),
    ]


def test_events_without_effect_return_the_same_state() -> None:
    session = sampling_session()
    before = session.state
    without_effect: tuple[SessionEvent, ...] = (
        Unknown("crystools.monitor"),
        Logs(("\x1b[31mred",)),
        FeatureFlags(frozenset({"x"})),
        PreviewImage("png", b"x", "a1"),
        NodeText("3", "hello"),
        Executing("1"),
        Executing(None),
        *step_frames("a1", 2),
        ExecutionStart("a1", 10_000),
        Executing("3", "3", "a1"),
    )
    for event in without_effect:
        assert session.do(event) is before, event


def test_frames_of_unknown_and_other_clients_prompts_change_nothing() -> None:
    session = sampling_session()
    session.do(
        QueueSnapshot((queued_prompt("a1"),), (queued_prompt("theirs", 5, "they"),), requested_at=session.now + 1)
    )
    before = session.state
    for prompt_id in ("theirs", "nobody's"):
        assert session.do(*run_frames(prompt_id)) is before
        assert session.do(ExecutionError(prompt_id), ExecutionInterrupted(prompt_id)) is before


def test_a_progress_frame_shares_the_job_map() -> None:
    session = sampling_session()
    before = session.state
    after = session.do(*step_frames("a1", 3))
    assert after is not before
    assert (after.jobs, after.batches, after.run_times) == (before.jobs, before.batches, before.run_times)
    assert after.jobs is before.jobs
    assert after.batches is before.batches


def test_frames_may_come_before_the_answer_to_the_post() -> None:
    session = Session()
    session.do(planned_batch("a", 1), *start_frames("a1"), *step_frames("a1", 1))
    assert session.status("a1") is S.RUNNING
    session.do(PromptAccepted("a1", "a1", 7))
    assert session.status("a1") is S.RUNNING
    assert session.state.jobs["a1"].number == 7


def test_jobs_get_the_ids_that_the_server_assigns() -> None:
    session = Session()
    session.do(
        planned_batch("a", 2),
        *start_frames("x1"),
        PromptAccepted("a1", "x1", 1),
        *step_frames("x1", 1),
        PromptAccepted("a2", "x2", 2),
    )
    assert list(session.state.jobs) == ["x1", "x2"]
    assert session.state.batches["a"].prompt_ids == ("x1", "x2")
    assert session.status("x1") is S.RUNNING
    assert session.line() == "Image 1 of 2 - Step 1/4 (25%)"


def test_a_server_assigned_id_may_be_queued_before_the_answer() -> None:
    session = Session()
    session.do(planned_batch("a", 2), PromptAccepted("a1", "x1", 1))
    batch_tag = session.state.jobs["a2"].batch_tag
    session.do(
        QueueSnapshot(
            (queued_prompt("x1", 1),), (queued_prompt("x2", 2, batch_tag=batch_tag),), requested_at=session.now + 1
        )
    )
    assert session.state.batches["a"].prompt_ids == ("x1", "x2")
    assert session.status("x2") is S.QUEUED
    session.do(PromptAccepted("a2", "x2", 2))
    assert list(session.state.jobs) == ["x1", "x2"]


def test_duplicate_ids_from_the_server_are_rejected() -> None:
    session = Session()
    session.do(planned_batch("a", 3), *(PromptAccepted(f"a{n}", "same", n) for n in (1, 2, 3)), *run_frames("same"))
    assert session.status("same") is S.SUCCEEDED
    assert session.line() == "1 of 3 done, 2 rejected"


def test_an_unstated_end_is_left_to_the_history() -> None:
    """Servers before 2024-07 send only `executing null`."""
    session = sampling_session()
    session.do(Executing(None, None, "a1"))
    assert session.status("a1") is S.RUNNING
    assert awaiting_history(session.state) == ("a1",)
    session.do(
        HistorySnapshot((FinishedPrompt(queued_prompt("a1"), "success", (Output("a.png"),), seconds=4.0),), ("a1",))
    )
    assert session.status("a1") is S.SUCCEEDED
    assert not session.state.runs
    assert session.state.jobs["a1"].outputs == (Output("a.png"),)


@pytest.mark.parametrize(
    "gap",
    [
        (Disconnected("reset", 1.0), Connected("me")),
        (SocketSilent(orphaned=True, reason="orphaned"), Connected("me")),
        (SocketSilent(orphaned=True, reason="orphaned"), SocketRecovered()),
        (Connected("me"),),
    ],
    ids=["a reset", "an orphaned socket", "a socket that was orphaned for a while", "a socket that was renewed"],
)
def test_results_missed_in_a_gap_are_read_from_the_history(gap: tuple[LinkEvent, ...]) -> None:
    session = Session()
    session.plan("a", 1)
    session.do(Connected("me"), *start_frames("a1"), *gap, Executed("a1", "9", None, (Output("b.png"),)))
    session.do(ExecutionSuccess("a1"))
    assert session.status("a1") is S.SUCCEEDED
    assert awaiting_history(session.state) == ("a1",)
    session.do(HistorySnapshot((), ("a1",)))
    assert awaiting_history(session.state) == ("a1",)
    session.do(
        HistorySnapshot((FinishedPrompt(queued_prompt("a1"), "success", (Output("a.png"), Output("b.png"))),), ("a1",))
    )
    assert session.state.jobs["a1"].outputs == (Output("a.png"), Output("b.png"))
    assert awaiting_history(session.state) == ()


def test_a_history_without_the_ended_job_is_not_polled_for_ever() -> None:
    session = Session()
    session.plan("a", 1)
    session.do(*start_frames("a1"), Disconnected("reset", 1.0), ExecutionSuccess("a1"))
    for _ in range(5):
        session.do(HistorySnapshot((), ("a1",)))
    assert awaiting_history(session.state) == ()
    assert session.status("a1") is S.SUCCEEDED


def test_the_next_run_shows_that_the_one_before_it_ended() -> None:
    session = Session()
    session.plan("a", 2)
    session.do(*start_frames("a1"), *step_frames("a1", 4), *start_frames("a2"))
    assert awaiting_history(session.state) == ("a1",)
    assert running_id(session.state) == "a2"
    assert session.line() == "Image 2 of 2 - loading model"
    session.do(*step_frames("a1", 4), ExecutionSuccess("a1"))
    assert session.status("a1") is S.SUCCEEDED
    assert running_id(session.state) == "a2"


def test_a_run_of_cached_nodes_only_is_cached() -> None:
    session = Session()
    session.plan("a", 1)
    session.do(
        ExecutionStart("a1", 1_000),
        ExecutionCached("a1", tuple(CLASSES)),
        Executed("a1", SAVER, SAVER, (Output("a.png"),)),
        ExecutionSuccess("a1", 1_002),
    )
    assert session.status("a1") is S.CACHED
    assert session.line() == "1 of 1 done, 1 cached"
    assert not session.state.run_times


@pytest.mark.parametrize(("cached", "status"), [(tuple(CLASSES), S.CACHED), ((), S.SUCCEEDED)])
def test_a_run_polled_before_its_first_frame_counts_as_seen_from_start(
    cached: tuple[str, ...], status: JobStatus
) -> None:
    session = Session()
    session.plan("a", 1)
    session.do(QueueSnapshot((queued_prompt("a1"),), (), session.now))
    session.do(ExecutionStart("a1", 10_000), ExecutionCached("a1", cached), ExecutionSuccess("a1", 12_000))
    assert session.status("a1") is status
    assert session.state.jobs["a1"].seconds == 2.0
    assert bool(session.state.run_times) is (status is S.SUCCEEDED)


def test_an_answer_about_another_clients_prompt_changes_nothing() -> None:
    session = Session()
    session.plan("a", 1)
    before = session.do(
        QueueSnapshot((), (queued_prompt("a1"), queued_prompt("theirs", 9, "they")), requested_at=session.now + 0.5)
    )
    assert session.do(PromptAccepted("theirs", "a1", 1)) is before


def test_a_run_whose_frames_were_lost_is_not_taken_for_a_cached_one() -> None:
    session = Session()
    session.plan("a", 1)
    session.do(ExecutionStart("a1"), ExecutionCached("a1", ("4", "6")), ExecutionSuccess("a1"))
    assert session.status("a1") is S.SUCCEEDED


@pytest.mark.parametrize("whole", [True, False])
def test_a_partly_cached_run_is_no_cached_one(whole: bool) -> None:
    session = Session()
    session.plan("a", 1)
    cached = ("4", "6") if whole else ()
    session.do(ExecutionStart("a1"), ExecutionCached("a1", cached), Executing("3", "3", "a1"), ExecutionSuccess("a1"))
    assert session.status("a1") is S.SUCCEEDED


@pytest.mark.parametrize(
    ("past", "status"),
    [
        (FinishedPrompt(queued_prompt("a1"), "success"), S.SUCCEEDED),
        (FinishedPrompt(queued_prompt("a1"), "success", all_cached=True), S.CACHED),
        (FinishedPrompt(queued_prompt("a1"), "error", failure=Failure("boom")), S.FAILED),
        (FinishedPrompt(queued_prompt("a1"), "interrupted"), S.INTERRUPTED),
        (FinishedPrompt(queued_prompt("a1"), None, (Output("a.png"),)), S.SUCCEEDED),
        (FinishedPrompt(queued_prompt("a1"), None), S.FAILED),
    ],
)
def test_the_history_states_how_a_job_ended(past: FinishedPrompt, status: JobStatus) -> None:
    session = Session()
    session.plan("a", 1)
    session.do(HistorySnapshot((past,)))
    assert session.status("a1") is status
    assert (session.state.jobs["a1"].failure is not None) is (status is S.FAILED)


def poll_queue(session: Session, *running: str) -> None:
    session.do(QueueSnapshot(tuple(map(queued_prompt, running)), (), requested_at=session.now + 0.5))


def test_lost_after_two_missed_polls_of_queue_and_history_and_found_again() -> None:
    session = Session()
    session.plan("a", 1)
    for _ in range(2):
        assert session.status("a1") is S.QUEUED
        poll_queue(session)
        assert awaiting_history(session.state) == ("a1",)
        session.do(HistorySnapshot((), ("a1",)))
        assert awaiting_history(session.state) == ()
    assert session.status("a1") is S.LOST
    assert session.line() == "0 of 1 done, 1 lost"
    session.do(HistorySnapshot((FinishedPrompt(queued_prompt("a1"), "success"),)))
    assert session.status("a1") is S.SUCCEEDED


def test_a_lost_job_that_shows_up_again_runs_on() -> None:
    for evidence in (QueueSnapshot((queued_prompt("a1"),), (), requested_at=1e9), Progress(3, 4, "a1", "3")):
        session = sampling_session()
        for _ in range(2):
            poll_queue(session)
            session.do(HistorySnapshot((), ("a1",)))
        assert (session.status("a1"), dict(session.state.runs)) == (S.LOST, {})
        session.do(evidence)
        assert session.status("a1") is S.RUNNING
        assert set(session.state.runs) == {"a1"}
        assert session.state.jobs["a1"].ended is None


def test_one_missed_poll_is_no_loss() -> None:
    session = Session()
    session.plan("a", 1)
    for _ in range(5):
        poll_queue(session)
        session.do(HistorySnapshot((), ("a1",)))
        poll_queue(session, "a1")
    assert session.status("a1") is S.RUNNING


def test_a_poll_requested_before_a_prompt_was_queued_does_not_miss_it() -> None:
    session = Session()
    session.do(planned_batch("a", 2))
    asked = session.now
    session.do(PromptAccepted("a1", "a1", 1), ExecutionStart("a2"))
    session.do(QueueSnapshot((), (), asked))
    assert awaiting_history(session.state) == ()
    session.do(QueueSnapshot((), (), session.now))
    assert awaiting_history(session.state) == ("a1", "a2")


def test_an_unsent_prompt_is_never_missed() -> None:
    session = Session()
    session.do(planned_batch("a", 1))
    poll_queue(session)
    assert (session.status("a1"), awaiting_history(session.state)) == (S.SUBMITTING, ())


def test_a_late_poll_does_not_put_a_run_back_into_the_queue() -> None:
    session = sampling_session()
    session.do(QueueSnapshot((), (queued_prompt("a1"),), requested_at=0.0))
    assert session.status("a1") is S.RUNNING
    assert session.line() == "Image 1 of 1 - Step 2/4 (50%)"


def test_other_clients_jobs_come_and_go_with_the_queue() -> None:
    session = Session()
    session.do(QueueSnapshot((queued_prompt("t1", 1, "they"),), (queued_prompt("t2", 2, "they"),), requested_at=1.0))
    assert {key: job.status for key, job in session.state.jobs.items()} == {"t1": S.RUNNING, "t2": S.QUEUED}
    assert session.state.queue_remaining == 2
    session.do(HistorySnapshot((FinishedPrompt(queued_prompt("t1", 1, "they"), "success"),)))
    session.do(QueueSnapshot((queued_prompt("t2", 2, "they"),), (), requested_at=2.0))
    assert {key: job.status for key, job in session.state.jobs.items()} == {"t1": S.SUCCEEDED, "t2": S.RUNNING}
    session.do(QueueSnapshot((), (queued_prompt("t3", 3, "they"),), requested_at=3.0))
    assert awaiting_history(session.state) == ("t2",)
    session.do(HistorySnapshot((FinishedPrompt(queued_prompt("t2", 2, "they"), "error"),), ("t2",)))
    assert session.status("t2") is S.FAILED
    session.do(
        QueueSnapshot((queued_prompt("t3", 3, "they"),), (), requested_at=4.0), QueueSnapshot((), (), requested_at=5.0)
    )
    session.do(HistorySnapshot((), ("t3",)))
    assert set(session.state.jobs) == {"t1", "t2", "t3"}
    session.do(QueueSnapshot((), (), requested_at=6.0), HistorySnapshot((), ("t3",)))
    assert set(session.state.jobs) == {"t1", "t2"}
    assert not any(job.mine for job in session.state.jobs.values())
    assert not session.state.batches


def test_another_clients_job_that_left_the_queue_may_have_ended() -> None:
    session = Session()
    session.do(QueueSnapshot((), (queued_prompt("t1", 1, "they"), queued_prompt("t2", 2, "they")), requested_at=1.0))
    session.do(QueueSnapshot((), (), requested_at=2.0))
    assert awaiting_history(session.state) == ("t1", "t2")
    session.do(HistorySnapshot((FinishedPrompt(queued_prompt("t1", 1, "they"), "success"),), ("t1", "t2")))
    assert session.status("t1") is S.SUCCEEDED
    session.do(QueueSnapshot((), (), requested_at=3.0), HistorySnapshot((), ("t2",)))
    assert set(session.state.jobs) == {"t1"}


def test_other_clients_ended_jobs_are_limited_and_mine_are_not() -> None:
    session = Session()
    ends = [
        FinishedPrompt(queued_prompt(f"{who}{n}", n, who), "success", ended=1_000.0 + n)
        for who in ("they", ME)
        for n in range(300)
    ]
    session.do(HistorySnapshot(tuple(ends)))
    theirs = [job.prompt_id for job in session.state.jobs.values() if not job.mine]
    assert theirs == [f"they{n}" for n in range(100, 300)]
    assert sum(job.mine for job in session.state.jobs.values()) == 300
    before = session.state
    assert session.do(HistorySnapshot(tuple(ends))) is before


def test_status_frames_set_the_length_of_the_queue() -> None:
    session = Session()
    assert session.do(Status(7)).queue_remaining == 7
    before = session.state
    assert session.do(Status(7)) is before
    assert session.do(Status(-3)).queue_remaining == 0
    after = session.state
    assert session.do(Status(-1)) is after


def test_a_late_status_frame_does_not_undo_a_poll_of_the_queue() -> None:
    session = Session()
    session.do(Connected(ME), Lagging(5.0), QueueSnapshot((), (queued_prompt("a1"),), requested_at=5.0))
    assert session.do(Status(4)).queue_remaining == 1
    session.do(Lagging(0.1))
    assert session.do(Status(4)).queue_remaining == 4


def test_a_delayed_prompt_has_a_note_until_it_is_queued() -> None:
    session = Session()
    session.do(planned_batch("a", 1), PromptDelayed("a1", "the server is down"))
    before = session.state
    assert before.jobs["a1"].note == "the server is down"
    assert session.do(PromptDelayed("a1", "the server is down")) is before
    assert session.do(PromptAccepted("a1", "a1", 1)).jobs["a1"].note == ""


def test_the_link_follows_connects_and_disconnects() -> None:
    session = Session()
    assert session.state.link.kind is LinkKind.CONNECTING
    session.do(Connected(ME))
    run = session.state
    assert (run.link.kind, run.link.since) == (LinkKind.LIVE, 1.0)
    assert session.do(Connected(ME)) is run
    session.do(Disconnected("gone", 2.0))
    session.do(Disconnected("still gone", 4.0))
    link = session.state.link
    assert (link.kind, link.since, link.retry_at, link.reason) == (LinkKind.OFFLINE, 3.0, 8.0, "still gone")
    assert session.do(Connected("another")).client_ids == {ME, "another"}
    session.do(Disconnected("who are you?", kind=LinkKind.UNAUTHORISED))
    refused = session.state
    assert refused.link.retry_at is None
    assert session.do(Disconnected("who are you?", kind=LinkKind.UNAUTHORISED)) is refused


def test_server_stats_replace_the_earlier_ones() -> None:
    session = Session()
    stats = SystemStats("0.33.0", 10, 5)
    state = session.do(StatsRead(stats))
    assert state.stats is stats
    assert session.do(StatsRead(replace(stats))) is state


def lost_after(session: Session, away: float) -> list[str]:
    """The notes of three jobs that were lost while the server was away for so many seconds."""
    session.do(QueueSnapshot((), (), requested_at=session.now))
    session.plan("b", 3)
    session.do(Connected("me"), *start_frames("b1"), Disconnected("gone", 1.0))
    session.now += away
    session.do(Connected("me"))
    for second in (0.5, 1.0):
        session.do(QueueSnapshot((), (), requested_at=session.now + second))
        session.do(HistorySnapshot((), ("b1", "b2", "b3")))
    assert {session.status(key) for key in ("b1", "b2", "b3")} == {S.LOST}
    return [session.state.jobs[key].note for key in ("b1", "b2", "b3")]


def test_only_a_lost_job_whose_turn_may_have_come_may_have_finished() -> None:
    maybe = "may have finished"
    measured = Session()
    measured.plan("a", 1)
    measured.do(Connected("me"), *run_frames("a1"))  # measures how long an image takes
    assert lost_after(measured, 1.0) == [maybe, "", ""]
    long_away = Session()
    long_away.plan("a", 1)
    long_away.do(Connected("me"), *run_frames("a1"))
    assert lost_after(long_away, 1_000.0) == [maybe] * 3
    assert lost_after(Session(), 1.0) == [maybe] * 3


def test_the_unobserved_time_goes_on_while_the_link_changes_state() -> None:
    session = Session()
    session.plan("a", 1)
    session.do(Connected("me"), *run_frames("a1"), QueueSnapshot((), (), requested_at=session.now))
    session.plan("b", 3)
    session.do(Connected("me"), *start_frames("b1"))
    for _ in range(60):
        session.do(Disconnected("gone", 1.0))
        session.now += 10
        session.do(HttpFailed("no answer", LinkKind.BUSY))
        session.now += 10
    session.do(Connected("me"), Disconnected("gone", 1.0), Connected("me"))
    for second in (0.5, 1.0):
        session.do(QueueSnapshot((), (), requested_at=session.now + second), HistorySnapshot((), ("b1", "b2", "b3")))
    assert {session.state.jobs[key].note for key in ("b1", "b2", "b3")} == {"may have finished"}


def test_results_of_a_job_are_limited_in_number() -> None:
    session = sampling_session()
    for first in (0, 6_000, 12_000):
        files = tuple(Output(f"{number}.png") for number in range(first, first + 6_000))
        session.do(Executed("a1", SAVER, SAVER, files, tuple(f"{first} {line}" for line in range(70))))
    job = session.state.jobs["a1"]
    assert len(job.outputs) == 10_000
    assert len(job.text) == 100
