"""The way of a prompt to the server: for any events in any order none is sent twice, and no cancellation is lost."""

from collections.abc import Iterable
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from comfytui.comfy.protocol.events import Executing, ExecutionStart, ExecutionSuccess
from comfytui.session.delivery import (
    CancelRequested,
    CancelSent,
    Delivery,
    Evidence,
    PromptNotAccepted,
    PromptSending,
    PromptUnconfirmed,
)
from comfytui.session.events import (
    FinishedPrompt,
    HistorySnapshot,
    JobCancelled,
    JobsResent,
    PromptAccepted,
    PromptDelayed,
    PromptLost,
    PromptRejected,
    QueueSnapshot,
    SessionEvent,
)
from comfytui.session.model import RAN, BatchTag, Failure, Job, JobStatus
from comfytui.session.selectors import to_cancel, undelivered
from comfytui.session.state import SessionState
from tests.session.builders import ME, Session, planned_batch, queued_prompt

A1, A2 = "a1", "a2"
THEIRS = "theirs"
"""The id that an old server gives to the first image."""
TAGS = {A1: BatchTag("a", 1, 2, "once"), A2: BatchTag("a", 2, 2, "once"), THEIRS: BatchTag("a", 1, 2, "once")}

PLANNED, SENDING, UNCONFIRMED, ACCEPTED = Delivery
ON_THE_WAY = {SENDING, UNCONFIRMED}

IDS = st.sampled_from([A1, A2, THEIRS])
FOUND = IDS.map(lambda key: queued_prompt(key, batch_tag=TAGS[key]))
STEPS: st.SearchStrategy[SessionEvent] = st.one_of(
    st.builds(PromptSending, IDS, st.just(ME), st.just(Evidence(("before", A2)))),
    st.builds(PromptUnconfirmed, IDS, st.booleans()),
    st.builds(PromptNotAccepted, IDS),
    st.builds(CancelRequested, IDS),
    st.builds(CancelSent, IDS),
)
OUTCOMES: st.SearchStrategy[SessionEvent] = st.one_of(
    st.builds(PromptAccepted, st.sampled_from([A1, A2]), IDS, st.just(1.0)),
    st.builds(PromptRejected, IDS, st.just(Failure("no"))),
    st.builds(PromptDelayed, IDS, st.just("no answer")),
    st.builds(PromptLost, IDS),
    st.builds(JobCancelled, IDS),
    st.builds(JobsResent, st.lists(IDS, max_size=2).map(tuple)),
)
SIGHTINGS: st.SearchStrategy[SessionEvent] = st.one_of(
    st.builds(QueueSnapshot, st.just(()), st.lists(FOUND, max_size=2).map(tuple), st.floats(0, 50)),
    st.builds(
        HistorySnapshot,
        st.lists(st.builds(FinishedPrompt, FOUND, st.just("success")), max_size=1).map(tuple),
        st.lists(IDS, max_size=3).map(tuple),
    ),
    st.builds(ExecutionStart, IDS),
    st.builds(Executing, st.none(), st.none(), IDS),
    st.builds(ExecutionSuccess, IDS),
)
SEQUENCES = st.lists(st.one_of(STEPS, STEPS, OUTCOMES, SIGHTINGS), max_size=40)


def planned() -> Session:
    session = Session()
    session.do(planned_batch("a", 2))
    return session


@given(SEQUENCES)
def test_a_prompt_goes_its_way_step_by_step(events: Iterable[SessionEvent]) -> None:
    session = planned()
    for event in events:
        before = session.state
        after = session.do(event)
        for key, job in after.jobs.items():
            _check_job(job)
            if old := before.jobs.get(key):
                _check_step(old, job, event)
        _check_selectors(after)


def _check_job(job: Job) -> None:
    assert (job.status is JobStatus.SUBMITTING) == (job.delivery is not ACCEPTED)
    assert (job.post is not None) == (job.delivery in ON_THE_WAY)
    assert not (job.cancel_requested and job.delivery is PLANNED)
    assert not (job.server_failures and job.delivery is ACCEPTED)


def _check_step(old: Job, job: Job, event: SessionEvent) -> None:
    match old.delivery, job.delivery:
        case (before, after) if before is after:
            same = old.post and job.post and (old.post.began, old.post.wall) == (job.post.began, job.post.wall)
            assert same or old.post is job.post is None
        case Delivery.PLANNED, Delivery.SENDING:
            assert event == PromptSending(job.prompt_id, ME, Evidence(("before", A2)))
        case Delivery.SENDING, Delivery.UNCONFIRMED:
            assert isinstance(event, PromptUnconfirmed)
            assert job.server_failures == old.server_failures + event.server_failed
        case ((Delivery.SENDING | Delivery.UNCONFIRMED), Delivery.PLANNED):
            assert event == PromptNotAccepted(job.prompt_id)
            assert not old.cancel_requested
        case Delivery.ACCEPTED, after:
            assert (old.status, after) == (JobStatus.LOST, PLANNED)
            assert isinstance(event, JobsResent)
        case _, after:
            assert after is ACCEPTED
    if old.cancel_requested and not job.cancel_requested:
        assert isinstance(event, CancelSent | JobsResent)
        assert old.delivery is ACCEPTED


def _check_selectors(state: SessionState) -> None:
    waiting = undelivered(state)
    assert {job.prompt_id for job in waiting} == {
        key for key, job in state.jobs.items() if job.status is JobStatus.SUBMITTING
    }
    assert [job.delivery is PLANNED for job in waiting] == sorted(job.delivery is PLANNED for job in waiting)
    assert all(job.cancel_requested for job in to_cancel(state))
    assert all(job.status in RAN for job in to_cancel(state) if job.status.ended)


@given(SEQUENCES)
def test_a_requested_cancellation_ends_the_job_or_is_sent_once_it_arrived(events: Iterable[SessionEvent]) -> None:
    session = planned()
    session.do(PromptSending(A1, ME), CancelRequested(A1))
    cancelled = A1
    for event in events:
        session.do(event)
        if cancelled not in session.state.jobs:
            cancelled = THEIRS
        job = session.state.jobs[cancelled]
        if isinstance(event, CancelSent | JobsResent) or job.status.ended:
            return
        assert job.cancel_requested
        assert (job in to_cancel(session.state)) is (job.delivery is ACCEPTED)


@given(SEQUENCES)
def test_between_two_posts_it_is_certain_that_the_first_did_not_arrive(events: Iterable[SessionEvent]) -> None:
    session = planned()
    may_have_arrived = False
    for event in events:
        before = session.state.jobs.get(A1)
        after = session.do(event).jobs.get(A1)
        if before and after and before.delivery is PLANNED and after.delivery is SENDING:
            assert not may_have_arrived
            may_have_arrived = True
        if after and after.delivery is PLANNED and isinstance(event, PromptNotAccepted | JobsResent):
            may_have_arrived = False


def test_sending_says_who_sends_and_when() -> None:
    session = planned()
    session.do(PromptSending(A1, "another of mine", Evidence(("x",))))
    job = session.state.jobs[A1]
    assert job.owner == "another of mine"
    assert job.post
    assert (job.post.began, job.post.wall, job.post.evidence) == (session.now, 1_000 + session.now, Evidence(("x",)))


def test_failures_of_the_server_are_counted_until_the_outcome_is_known() -> None:
    session = planned()
    for failures in (1, 2):
        session.do(PromptSending(A1, ME), PromptUnconfirmed(A1, server_failed=True), PromptNotAccepted(A1))
        assert session.state.jobs[A1].server_failures == failures
    session.do(PromptSending(A1, ME), PromptNotAccepted(A1))
    assert session.state.jobs[A1].server_failures == 2
    session.do(PromptSending(A1, ME), PromptUnconfirmed(A1, server_failed=True), PromptLost(A1), JobsResent((A1,)))
    assert (session.state.jobs[A1].delivery, session.state.jobs[A1].server_failures) == (PLANNED, 0)


def test_those_without_an_answer_go_first() -> None:
    session = planned()
    session.do(PromptSending(A2, ME))
    assert [job.prompt_id for job in undelivered(session.state)] == [A2, A1]


def test_a_resent_prompt_is_no_evidence_of_the_process_that_lost_it() -> None:
    session = planned()
    session.do(PromptSending(A2, ME), PromptLost(A2), PromptSending(A1, ME, Evidence(("x", A2))), JobsResent((A2,)))
    post = session.state.jobs[A1].post
    assert post
    assert post.evidence == Evidence(("x",))


def test_a_cancellation_of_an_earlier_session_reaches_a_prompt_that_was_found_before() -> None:
    session = Session()
    session.do(QueueSnapshot((), (queued_prompt(THEIRS, batch_tag=TAGS[A1]),), 0.0))
    event = planned_batch("a", 2)
    first, second = event.jobs
    sent = Session()
    sent.do(event, PromptSending(A1, ME), CancelRequested(A1))
    unanswered = sent.state.jobs[A1]
    session.do(replace(event, jobs=(unanswered, second)))
    assert first.prompt_id not in session.state.jobs
    assert [job.prompt_id for job in to_cancel(session.state)] == [THEIRS]
