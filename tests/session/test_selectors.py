"""Queries on the state of a session, including one with many jobs."""

from types import MappingProxyType

from comfytui.session.events import QueueSnapshot
from comfytui.session.jobs.index import Jobs, indexed
from comfytui.session.model import Job, JobStatus
from comfytui.session.progress import progress_of
from comfytui.session.selectors import ahead_of, batch_number, batch_of, counts_of, current_batch, next_job, open_jobs
from tests.session.builders import Session, planned_batch, queued_prompt, run_frames, start_frames, step_frames

MANY = 10_000


def test_nothing_is_current_in_an_empty_session() -> None:
    session = Session()
    assert current_batch(session.state) is None
    assert open_jobs(session.state) == 0


def test_the_running_batch_is_current_then_the_next_then_the_last() -> None:
    session = Session()
    session.plan("a", 1)
    session.plan("b", 1)
    session.do(*start_frames("b1"))
    assert current_batch(session.state) is session.state.batches["b"]
    session.do(*list(run_frames("b1"))[3:])
    assert current_batch(session.state) is session.state.batches["a"]
    session.do(*run_frames("a1"))
    assert current_batch(session.state) is session.state.batches["a"]


def test_a_job_moved_to_the_front_is_next() -> None:
    session = Session()
    session.plan("a", 1)
    session.plan("b", 1)
    session.do(QueueSnapshot((), (queued_prompt("b1", -3), queued_prompt("a1", 1)), requested_at=session.now + 0.5))
    assert [ahead_of(session.state, session.state.jobs[key]) for key in ("a1", "b1")] == [1, 0]
    assert current_batch(session.state) is session.state.batches["b"]


def test_an_unsent_job_comes_after_the_whole_queue() -> None:
    session = Session()
    session.do(
        QueueSnapshot((queued_prompt("t1", 1, "they"),), (queued_prompt("t2", 2, "they"),), requested_at=0.5),
        planned_batch("a", 1),
    )
    assert ahead_of(session.state, session.state.jobs["a1"]) == 2
    assert session.line() == "0 of 1 sent"


def test_batches_are_numbered_in_the_order_of_submission() -> None:
    session = Session()
    for batch in "abc":
        session.plan(batch, 1)
    assert [batch_number(session.state, batch) for batch in session.state.batches.values()] == [1, 2, 3]
    assert batch_number(session.state, planned_batch("z", 1).batch) == 0


def test_other_clients_jobs_have_no_batch() -> None:
    session = Session()
    session.do(QueueSnapshot((queued_prompt("t1", 1, "they"),), (), requested_at=0.5))
    assert batch_of(session.state, session.state.jobs["t1"]) is None


def test_any_mapping_of_jobs_can_be_indexed() -> None:
    jobs = MappingProxyType({"p": Job("p", JobStatus.QUEUED)})
    assert indexed(jobs) == jobs
    assert list(indexed(jobs).queue_positions) == ["p"]


def test_a_map_of_jobs_is_a_mapping() -> None:
    one, two = Job("one", JobStatus.QUEUED, number=2), Job("two", JobStatus.RUNNING, number=5)
    jobs = Jobs([one, two])
    assert (list(jobs), list(jobs.values()), dict(jobs.items())) == (
        ["one", "two"],
        [one, two],
        {"one": one, "two": two},
    )
    assert len(jobs) == 2
    assert dict(jobs.queue_positions) == {"two": 0, "one": 1}
    assert "one" not in repr(jobs)


def test_a_step_recomputes_no_index() -> None:
    """Indexes belong to a version of the job map, and a step does not create a new one."""
    session = Session(tick=0.001)
    theirs = tuple(queued_prompt(f"t{n}", n, "they") for n in range(1, MANY))
    session.plan("a", 2)
    session.do(
        QueueSnapshot(
            (), (*theirs, queued_prompt("a1", MANY), queued_prompt("a2", MANY + 1)), requested_at=session.now + 0.0005
        )
    )
    assert session.line() == f"Image 1 of 2 - queued, {MANY - 1} ahead"
    session.do(*start_frames("a1"), *step_frames("a1", 1))
    batch = session.state.batches["a"]
    indexes = indexed(session.state.jobs)
    progress_of(session.state, batch, session.now)
    held = indexes.queue_positions, indexes.batch_counts
    session.do(*step_frames("a1", 2))
    job = next_job(session.state, batch)
    assert job is not None
    assert progress_of(session.state, batch, session.now).current_step == 2
    assert indexed(session.state.jobs).queue_positions is held[0]
    assert indexed(session.state.jobs).batch_counts is held[1]


def test_only_the_batch_of_a_job_that_changed_is_counted_again() -> None:
    session = Session()
    for batch in "ab":
        session.plan(batch, 2)
    before = {batch.id: counts_of(session.state, batch) for batch in session.state.batches.values()}
    session.do(*run_frames("a1"))
    after = {batch.id: counts_of(session.state, batch) for batch in session.state.batches.values()}
    assert after["a"].of(JobStatus.SUCCEEDED) == 1
    assert after["b"] is before["b"]
