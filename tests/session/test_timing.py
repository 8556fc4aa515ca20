"""When a queued image starts, and since when one runs that was not seen to begin: what is known, and nothing else."""

from dataclasses import replace

import pytest

from comfytui.comfy.protocol.events import ExecutionStart
from comfytui.session.events import FinishedPrompt, HistorySnapshot, QueuedPrompt, QueueSnapshot
from comfytui.session.progress import BatchProgress, progress_of
from tests.session.builders import Session, seen
from tests.session.test_progress import timed


def shown(session: Session, batch: str = "a") -> BatchProgress:
    return progress_of(session.state, session.state.batches[batch], session.now)


def measured() -> Session:
    """A session that knows how long its kind of image takes: 6 seconds."""
    session = Session()
    session.plan("m", 2)
    for prompt_id in ("m1", "m2"):
        timed(session, prompt_id, load=1, step_seconds=1, end=2)
    session.tick = 1.0
    return session


def of_the_same_kind(session: Session, prompt_id: str, number: float) -> QueuedPrompt:
    """A job of somebody else with the settings of mine."""
    mine = session.state.jobs["m1"]
    return QueuedPrompt(prompt_id, number, "they", None, replace(mine.parameters, seed=99), mine.classes)


def test_the_start_is_the_sum_of_what_stands_ahead() -> None:
    session = measured()
    session.plan("a", 1)
    ahead = [of_the_same_kind(session, f"t{n}", n) for n in range(3)]
    session.do(QueueSnapshot((ahead[0],), (*ahead[1:], seen("a1", 9)), requested_at=session.now))
    progress = shown(session)
    assert progress.held_up
    # When the one that runs began is not known: it has up to its whole time left.
    assert progress.starts_in == pytest.approx((2 * 6, 3 * 6))


def test_one_job_ahead_of_which_nothing_is_known_leaves_the_start_unknown() -> None:
    session = measured()
    session.plan("a", 1)
    stranger = seen("t1", 1, "they")
    session.do(
        QueueSnapshot((of_the_same_kind(session, "t0", 0),), (stranger, seen("a1", 9)), requested_at=session.now)
    )
    progress = shown(session)
    assert progress.held_up
    assert progress.starts_in is None


def test_how_long_a_job_of_others_took_is_known_from_the_history() -> None:
    session = Session()
    session.plan("a", 1)
    before, again = seen("t0", 0, "they"), seen("t1", 1, "they")
    session.do(HistorySnapshot((FinishedPrompt(before, "success", seconds=40.0, ended=950.0),)))
    session.do(QueueSnapshot((), (again, seen("a1", 9)), requested_at=session.now))
    assert shown(session).starts_in == pytest.approx((40.0, 40.0))


def test_a_job_of_others_between_two_images_holds_the_batch_up_too() -> None:
    session = measured()
    first, second = session.plan("a", 2)
    session.do(ExecutionStart(first, 10_000))
    session.do(QueueSnapshot((seen(first, 5),), (seen(second, 6), seen("t", 7, "they")), requested_at=session.now))
    assert not shown(session).held_up
    session.do(QueueSnapshot((seen(first, 5),), (seen("t", 5.5, "they"), seen(second, 6)), requested_at=session.now))
    assert shown(session).held_up


def taken_over(created: float | None, *ends: float) -> Session:
    """A session that begins at 1000 while an image runs which the server took at `created`; others ended then."""
    session = Session(tick=0.0)
    running = replace(seen("a1", 9), created=created)
    session.do(QueueSnapshot((running,), (), requested_at=0.0))
    assert shown(session, "a1").elapsed is None
    assert shown(session, "a1").batch_elapsed is None
    past = [FinishedPrompt(seen(f"t{n}", n, "they"), "success", seconds=9.0, ended=end) for n, end in enumerate(ends)]
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
def test_a_run_that_is_taken_over_counts_from_its_beginning_on_the_server_or_not_at_all(
    created: float | None, ends: tuple[float, ...], elapsed: float | None
) -> None:
    session = taken_over(created, *ends)
    assert shown(session, "a1").elapsed == (None if elapsed is None else pytest.approx(elapsed))
    session.now += 5
    assert shown(session, "a1").batch_elapsed == (None if elapsed is None else pytest.approx(elapsed + 5))
