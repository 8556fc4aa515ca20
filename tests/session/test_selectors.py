"""What the screen asks of a session, also of a big one."""

from types import MappingProxyType

from comfytui.session.events import QueueSnapshot
from comfytui.session.jobs.index import Jobs, indexed
from comfytui.session.model import Job, JobStatus
from comfytui.session.progress import progress_of
from comfytui.session.selectors import ahead_of, batch_number, batch_of, current_batch, next_job, open_jobs
from tests.session.builders import Session, head, plan, run, seen, step

MANY = 10_000


def test_nothing_is_current_in_an_empty_session() -> None:
    session = Session()
    assert current_batch(session.state) is None
    assert open_jobs(session.state) == 0


def test_the_running_batch_is_current_then_the_next_then_the_last() -> None:
    session = Session()
    session.plan("a", 1)
    session.plan("b", 1)
    session.do(*head("b1"))
    assert current_batch(session.state) is session.state.batches["b"]
    session.do(*list(run("b1"))[3:])
    assert current_batch(session.state) is session.state.batches["a"]
    session.do(*run("a1"))
    assert current_batch(session.state) is session.state.batches["a"]


def test_a_job_put_to_the_front_is_next() -> None:
    session = Session()
    session.plan("a", 1)
    session.plan("b", 1)
    session.do(QueueSnapshot((), (seen("b1", -3), seen("a1", 1)), requested_at=session.now + 0.5))
    assert [ahead_of(session.state, session.state.jobs[key]) for key in ("a1", "b1")] == [1, 0]
    assert current_batch(session.state) is session.state.batches["b"]


def test_what_is_not_sent_stands_behind_the_whole_queue() -> None:
    session = Session()
    session.do(QueueSnapshot((seen("t1", 1, "they"),), (seen("t2", 2, "they"),), requested_at=0.5), plan("a", 1))
    assert ahead_of(session.state, session.state.jobs["a1"]) == 2
    assert session.line() == "0 of 1 sent"


def test_batches_are_numbered_in_the_order_of_asking() -> None:
    session = Session()
    for batch in "abc":
        session.plan(batch, 1)
    assert [batch_number(session.state, batch) for batch in session.state.batches.values()] == [1, 2, 3]
    assert batch_number(session.state, plan("z", 1).batch) == 0


def test_others_jobs_have_no_batch() -> None:
    session = Session()
    session.do(QueueSnapshot((seen("t1", 1, "they"),), (), requested_at=0.5))
    assert batch_of(session.state, session.state.jobs["t1"]) is None


def test_any_mapping_of_jobs_will_do() -> None:
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


def test_a_step_in_a_queue_of_many_computes_no_index_anew() -> None:
    """The indexes belong to the version of the map, and a step makes no new version."""
    session = Session(tick=0.001)
    theirs = tuple(seen(f"t{n}", n, "they") for n in range(1, MANY))
    session.plan("a", 2)
    session.do(QueueSnapshot((), (*theirs, seen("a1", MANY), seen("a2", MANY + 1)), requested_at=session.now + 0.0005))
    assert session.line() == f"Image 1 of 2 - queued, {MANY - 1} ahead"
    session.do(*head("a1"), *step("a1", 1))
    batch = session.state.batches["a"]
    indexes = indexed(session.state.jobs)
    progress_of(session.state, batch, session.now)
    held = indexes.queue_positions, indexes.batch_counts
    session.do(*step("a1", 2))
    job = next_job(session.state, batch)
    assert job is not None
    assert progress_of(session.state, batch, session.now).current_step == 2
    assert indexed(session.state.jobs).queue_positions is held[0]
    assert indexed(session.state.jobs).batch_counts is held[1]
