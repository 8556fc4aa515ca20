"""Estimates of when a queued image starts, and of when a run that was not seen from its start did."""

from dataclasses import replace

import pytest

from comfytui.comfy.protocol.events import ExecutionStart
from comfytui.session.events import FinishedPrompt, HistorySnapshot, QueuedPrompt, QueueSnapshot
from comfytui.session.progress import BatchProgress, progress_of
from tests.session.builders import Session, queued_prompt
from tests.session.test_progress import timed_run


def batch_progress(session: Session, batch: str = "a") -> BatchProgress:
    return progress_of(session.state, session.state.batches[batch], session.now)


def measured_session() -> Session:
    """A session that has measured its workload: an image takes 6 seconds."""
    session = Session()
    session.plan("m", 2)
    for prompt_id in ("m1", "m2"):
        timed_run(session, prompt_id, load=1, step_seconds=1, end=2)
    session.tick = 1.0
    return session


def other_clients_job(session: Session, prompt_id: str, number: float) -> QueuedPrompt:
    """A job of another client with the parameters of mine."""
    mine = session.state.jobs["m1"]
    return QueuedPrompt(prompt_id, number, "they", None, replace(mine.parameters, seed=99), mine.classes)


def test_the_start_is_the_sum_of_the_jobs_ahead() -> None:
    session = measured_session()
    session.plan("a", 1)
    ahead = [other_clients_job(session, f"t{n}", n) for n in range(3)]
    session.do(QueueSnapshot((ahead[0],), (*ahead[1:], queued_prompt("a1", 9)), requested_at=session.now))
    progress = batch_progress(session)
    assert progress.waits_for_others
    # When the running job started is unknown: it may take up to its full time.
    assert progress.starts_in == pytest.approx((2 * 6, 3 * 6))


def test_an_unmeasured_job_ahead_leaves_the_start_unknown() -> None:
    session = measured_session()
    session.plan("a", 1)
    unmeasured = queued_prompt("t1", 1, "they")
    session.do(
        QueueSnapshot(
            (other_clients_job(session, "t0", 0),), (unmeasured, queued_prompt("a1", 9)), requested_at=session.now
        )
    )
    progress = batch_progress(session)
    assert progress.waits_for_others
    assert progress.starts_in is None


def test_run_seconds_of_other_clients_jobs_come_from_the_history() -> None:
    session = Session()
    session.plan("a", 1)
    before, again = queued_prompt("t0", 0, "they"), queued_prompt("t1", 1, "they")
    session.do(HistorySnapshot((FinishedPrompt(before, "success", seconds=40.0, ended=950.0),)))
    session.do(QueueSnapshot((), (again, queued_prompt("a1", 9)), requested_at=session.now))
    assert batch_progress(session).starts_in == pytest.approx((40.0, 40.0))


def test_another_clients_job_between_two_images_holds_up_the_batch() -> None:
    session = measured_session()
    first, second = session.plan("a", 2)
    session.do(ExecutionStart(first, 10_000))
    session.do(
        QueueSnapshot(
            (queued_prompt(first, 5),),
            (queued_prompt(second, 6), queued_prompt("t", 7, "they")),
            requested_at=session.now,
        )
    )
    assert not batch_progress(session).waits_for_others
    session.do(
        QueueSnapshot(
            (queued_prompt(first, 5),),
            (queued_prompt("t", 5.5, "they"), queued_prompt(second, 6)),
            requested_at=session.now,
        )
    )
    assert batch_progress(session).waits_for_others


def session_with_running(created: float | None, *ends: float) -> Session:
    """A session that starts at 1000 while an image runs; `ends` are those of other clients' jobs."""
    session = Session(tick=0.0)
    running = replace(queued_prompt("a1", 9), created=created)
    session.do(QueueSnapshot((running,), (), requested_at=0.0))
    assert batch_progress(session, "a1").batch_elapsed is None
    past = [
        FinishedPrompt(queued_prompt(f"t{n}", n, "they"), "success", seconds=9.0, ended=end)
        for n, end in enumerate(ends)
    ]
    session.do(HistorySnapshot(tuple(past)))
    return session


@pytest.mark.parametrize(
    ("created", "ends", "elapsed"),
    [
        (900.0, (880.0,), 100.0),
        (900.0, (870.0, 970.0), 30.0),
        (970.0, (), 30.0),
        (None, (970.0,), None),
        (900.0, (2_000.0,), None),
    ],
    ids=["idle before", "one before it", "empty history", "not known when it was taken", "clocks differ"],
)
def test_the_start_of_an_adopted_run_is_inferred_from_the_history(
    created: float | None, ends: tuple[float, ...], elapsed: float | None
) -> None:
    session = session_with_running(created, *ends)
    assert batch_progress(session, "a1").batch_elapsed == (None if elapsed is None else pytest.approx(elapsed))
    session.now += 5
    assert batch_progress(session, "a1").batch_elapsed == (None if elapsed is None else pytest.approx(elapsed + 5))
