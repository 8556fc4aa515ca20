"""Estimates how long an image and a batch still take, from measured runs; waiting in the queue does not count."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from heapq import heapreplace
from itertools import islice

from comfytui.session.jobs.index import indexed
from comfytui.session.model import RAN, Job, JobStatus, Stamp
from comfytui.session.run_times import RunTimes, workload_key_of
from comfytui.session.state import Run, SessionState, active_runs, with_run

SecondsRange = tuple[float, float]
"""The least and the greatest number of seconds."""

WARM_RUNS = 2
"""Runs of a workload after which the time before the first step no longer stands for loading a cold model."""

MAX_AHEAD = 500
"""Jobs ahead at most for which a start is estimated: beyond that, it is too uncertain and slow to add up."""

MAX_CLOCK_SKEW = 5.0
"""Seconds by which the clocks of this machine and the server may differ before their times are not compared."""


def starts_in(state: SessionState, job: Job, now: float) -> SecondsRange | None:
    """Return the seconds until a queued job starts, by the measured times of all jobs ahead; None if one is unknown."""
    jobs = indexed(state.jobs)
    position = jobs.queue_positions.get(job.prompt_id)
    if position is None or not 0 < position <= MAX_AHEAD:
        return None
    ahead: list[SecondsRange] = []
    for prompt_id in islice(jobs.queue_positions, position):
        seconds_range = _job_seconds(state, jobs[prompt_id], now)
        if seconds_range is None:
            return None
        ahead.append(seconds_range)
    low, high = zip(*ahead, strict=True)
    return min(_workers_free_in(_workers(state), low)), min(_workers_free_in(_workers(state), high))


def _workers(state: SessionState) -> int:
    """Return how many prompts the server runs at once."""
    return max(state.workers, len(active_runs(state)))


def _workers_free_in(workers: int, jobs: Iterable[float]) -> list[float]:
    """Return in how many seconds each worker is free, as a heap.

    Args:
        workers: How many there are.
        jobs: The seconds of each job in the order of the queue: it is taken by the worker that is free first.
    """
    free_in = [0.0] * workers
    for seconds in jobs:
        heapreplace(free_in, free_in[0] + seconds)
    return free_in


def _job_seconds(state: SessionState, job: Job, now: float) -> SecondsRange | None:
    """Return the seconds that a queued or running job still takes.

    It is unknown when a job of another client started: it may be at any point of its run.
    """
    key = workload_key_of(job)
    if run := state.runs.get(job.prompt_id):
        return _run_left(state.run_times.get(key), run, now)
    seconds = None if key in state.run_times else indexed(state.jobs).run_seconds.get(key)
    image = _image_seconds(state.run_times.get(key)) if seconds is None else (seconds, seconds)
    return (0.0, image[1]) if image and job.status is JobStatus.RUNNING else image


def image_left(state: SessionState, job: Job, run: Run, now: float) -> float | None:
    """Return the seconds until the running image is done, at monotonic second `now`.

    None if no run of its workload was measured and it has no rate yet.
    """
    left = _run_left(state.run_times.get(workload_key_of(job)), run, now)
    return left[0] if left else None


def batch_left(state: SessionState, job: Job, runs: Sequence[Run], open_jobs: int, now: float) -> SecondsRange | None:
    """Return the seconds until a batch is done without waiting in the queue; None if nothing was measured.

    Least and greatest are equal once two images of the workload were measured.

    Args:
        state: The session's state.
        job: The running or next job of the batch, whose workload stands for all of them.
        runs: The runs of the batch that go on.
        open_jobs: How many jobs of the batch have not ended, those that run included.
        now: The current monotonic second.
    """
    times = state.run_times.get(workload_key_of(job))
    image = _image_seconds(times or (_times_from_steps(runs[0]) if runs else None))
    if image is None:
        return None
    lefts = [_run_left(times, run, now) for run in runs]
    if lefts and lefts[0] is None:
        return None
    # A run beside it that is not measured yet may be at any point.
    known = [left or (0.0, image[1]) for left in lefts]
    workers, waiting = _workers(state), max(open_jobs - len(runs), 0)
    low = _workers_free_in(workers, (left[0] for left in known))
    high = _workers_free_in(workers, (left[1] for left in known))
    return _last_is_done_in(low, waiting, image[0]), _last_is_done_in(high, waiting, image[1])


def _last_is_done_in(free_in: list[float], jobs: int, seconds: float) -> float:
    """Return the seconds until the last of these jobs is done.

    Args:
        free_in: In how many seconds each worker is free, as a heap; it is changed.
        jobs: How many jobs are still to start.
        seconds: How long each of them takes.
    """
    # Each worker takes one in turn; only at the end does it matter which is free first.
    rounds = max(jobs // len(free_in) - 1, 0)
    for _ in range(jobs - rounds * len(free_in)):
        heapreplace(free_in, free_in[0] + seconds)
    return max(free_in) + rounds * seconds


def _image_seconds(times: RunTimes | None) -> SecondsRange | None:
    """Return the seconds of one more image: least with its model loaded, greatest with a cold start."""
    if times is None:
        return None
    cold = times.before_first_step + times.after_first_step
    return (cold if times.runs >= WARM_RUNS else times.after_first_step), cold


def _run_left(times: RunTimes | None, run: Run, now: float) -> SecondsRange | None:
    rest = _steps_left(run, now)
    if times is None or not run.seen_from_start:
        return None if rest is None else (rest, rest)
    if run.first_step_at is None:
        low = times.after_first_step
        high = low + max(times.before_first_step - (now - run.first_seen), 0.0)
        return (high if times.runs >= WARM_RUNS else low), high
    left = max(
        times.after_first_step - (now - run.first_step_at - run.stalled_seconds),
        0.0 if rest is None else rest + times.after_last_step,
    )
    return left, left


def _steps_left(run: Run, now: float) -> float | None:
    """Return the seconds to the end of the running pass; an overdue step subtracts no more than itself."""
    if run.step_seconds is None or run.last_step_at is None:
        return None
    gone = min(max(now - run.last_step_at, 0.0), run.step_seconds)
    return max((run.steps - run.step) * run.step_seconds - gone, 0.0)


def _times_from_steps(run: Run | None) -> RunTimes | None:
    """Return the times of a run that has not ended, as estimated from its steps."""
    if run is None or run.first_step_at is None or run.step_seconds is None:
        return None
    return RunTimes(run.first_step_at - run.first_seen, run.steps * run.step_seconds, 0.0, runs=0)


def infer_start(state: SessionState, at: Stamp) -> SessionState:
    """Return the state with the inferred start of the run, once the history was read; unchanged if it stays unknown.

    A server runs its queue without a pause: a job starts when the one before it ends, or when it is accepted. Where
    several run, it is not known after which of them each started.
    """
    running = indexed(state.jobs).running_ids
    run = state.runs.get(next(iter(running))) if len(running) == 1 else None
    if run is None or run.started is not None:
        return state
    job = state.jobs[run.prompt_id]
    accepted_at = run.created if run.created is not None else job.created
    if accepted_at is None:
        return state
    ends = (other.ended for other in state.jobs.values() if other.status in RAN and other.ended is not None)
    elapsed = at.wall - max([accepted_at, *ends])
    if not -MAX_CLOCK_SKEW <= elapsed <= _max_run_seconds(job, at) + MAX_CLOCK_SKEW:
        return state
    return with_run(state, replace(run, started=at.monotonic - max(elapsed, 0.0)))


def _max_run_seconds(job: Job, at: Stamp) -> float:
    """Return how long a job can have run at most: since it was created, by the clock of this machine."""
    return at.wall - job.created if job.created is not None else float("inf")
