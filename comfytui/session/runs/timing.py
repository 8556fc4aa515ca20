"""How long an image and a batch still take, from measured parts; waiting in the queue never counts."""

from dataclasses import replace
from itertools import islice

from comfytui.session.jobs.index import indexed
from comfytui.session.model import RAN, Job, JobStatus, Pace, Stamp, kind_of
from comfytui.session.state import Live, SessionState

Seconds = tuple[float, float]
"""The least and the most that it may take."""

STEADY_RUNS = 2
"""Runs of a kind after which what came before the first step is no longer the loading of a cold model."""

MOST_AHEAD = 500
"""Jobs ahead beyond which nobody knows when a job's turn comes, and which would take long to add up."""


def starts_in(state: SessionState, job: Job, now: float) -> Seconds | None:
    """Seconds until a queued job starts: the measured times of all that stands before it; None if one is unknown."""
    jobs = indexed(state.jobs)
    place = jobs.places.get(job.prompt_id)
    if place is None or not 0 < place <= MOST_AHEAD:
        return None
    low = high = 0.0
    for prompt_id in islice(jobs.places, place):
        took = _time_of(state, jobs[prompt_id], now)
        if took is None:
            return None
        low, high = low + took[0], high + took[1]
    return low, high


def _time_of(state: SessionState, job: Job, now: float) -> Seconds | None:
    """What a job that runs or is queued still takes; when a job of somebody else began to run is not known."""
    kind = kind_of(job)
    if state.live and state.live.prompt_id == job.prompt_id:
        return _run_left(state.paces.get(kind), state.live, now)
    seconds = None if kind in state.paces else indexed(state.jobs).run_seconds.get(kind)
    whole = _image(state.paces.get(kind)) if seconds is None else (seconds, seconds)
    return (0.0, whole[1]) if whole and job.status is JobStatus.RUNNING else whole


def image_left(state: SessionState, job: Job, live: Live, now: float) -> float | None:
    """Seconds until the running image is done; None while nothing of its kind was measured and it has no rate."""
    left = _run_left(state.paces.get(kind_of(job)), live, now)
    return left[0] if left else None


def batch_left(state: SessionState, job: Job, live: Live | None, open_jobs: int, now: float) -> Seconds | None:
    """Seconds until a batch is done, of which `job` is the next; the two are equal once two images were measured."""
    pace = state.paces.get(kind_of(job))
    image = _image(pace or _sketch(live))
    if live is None or image is None:
        return image and (open_jobs * image[0], open_jobs * image[1])
    running = _run_left(pace, live, now)
    others = open_jobs - 1
    return running and (running[0] + others * image[0], running[1] + others * image[1])


def _image(pace: Pace | None) -> Seconds | None:
    """One more image, with a model that is loaded, and with one that is not."""
    if pace is None:
        return None
    whole = pace.lead + pace.body
    return (whole if pace.runs >= STEADY_RUNS else pace.body), whole


def _run_left(pace: Pace | None, live: Live, now: float) -> Seconds | None:
    rest = _steps_left(live, now)
    if pace is None or not live.whole:
        return None if rest is None else (rest, rest)
    if live.first_step is None:
        low, high = pace.body, pace.body + max(pace.lead - (now - live.started), 0.0)
        return (high if pace.runs >= STEADY_RUNS else low), high
    left = max(pace.body - (now - live.first_step - live.stalled), 0.0 if rest is None else rest + pace.tail)
    return left, left


def _steps_left(live: Live, now: float) -> float | None:
    """Seconds to the end of the running pass; a step that is overdue takes no more than itself off them."""
    if live.step_seconds is None or live.last_step is None:
        return None
    gone = min(max(now - live.last_step, 0.0), live.step_seconds)
    return max((live.steps - live.step) * live.step_seconds - gone, 0.0)


def _sketch(live: Live | None) -> Pace | None:
    """The pace of a run that has not ended, as far as its steps tell."""
    if live is None or live.first_step is None or live.step_seconds is None:
        return None
    return Pace(live.first_step - live.started, live.steps * live.step_seconds, 0.0, runs=0)


CLOCKS_APART = 5.0
"""Seconds that the clocks of this machine and the server may differ before their times are not compared."""


def with_beginning(state: SessionState, at: Stamp) -> SessionState:
    """The state with the beginning of the run, once the history has been read; unchanged where it stays unknown.

    A server runs its queue without a pause: a job begins when the one before it ends, or when it is taken.
    """
    live = state.live
    job = state.jobs.get(live.prompt_id) if live else None
    if live is None or job is None or live.began is not None or indexed(state.jobs).running != {job.prompt_id}:
        return state
    taken = live.created if live.created is not None else job.created
    if taken is None:
        return state
    ends = (other.ended for other in state.jobs.values() if other.status in RAN and other.ended is not None)
    elapsed = at.wall - max([taken, *ends])
    if not -CLOCKS_APART <= elapsed <= _most(job, at) + CLOCKS_APART:
        return state
    return replace(state, live=replace(live, began=at.monotonic - max(elapsed, 0.0)))


def _most(job: Job, at: Stamp) -> float:
    """The most seconds that a job can have run: since it was ordered, by the clock of this machine."""
    return at.wall - job.created if job.created is not None else float("inf")
