"""How long an image and a batch still take, from measured parts; waiting in the queue never counts."""

from comfytui.session.model import Job
from comfytui.session.pace import Pace, kind_of
from comfytui.session.state import Live, SessionState

STEADY_RUNS = 2
"""Runs of a kind after which its lead is that of a loaded model."""


def image_left(state: SessionState, job: Job, live: Live, now: float) -> float | None:
    """Seconds until the running image is done; None while nothing of its kind was measured and it has no rate."""
    pace = state.paces.get(kind_of(job))
    rest = _steps_left(live, now)
    if pace is None or not live.whole:
        return rest
    if live.first_step is None:
        return pace.body + max(pace.lead - (now - live.started), 0.0)
    return max(pace.body - (now - live.first_step), 0.0 if rest is None else rest + pace.tail)


def batch_left(
    state: SessionState, job: Job, live: Live | None, open_jobs: int, now: float
) -> tuple[float, float] | None:
    """The least and the most seconds until a batch is done, its `job` being the next; equal once two were measured."""
    image = _range(state, job, live)
    if image is None:
        return None
    low, high = image
    if live is None:
        return open_jobs * low, open_jobs * high
    running = image_left(state, job, live, now)
    if running is None:
        return None
    return running + (open_jobs - 1) * low, running + (open_jobs - 1) * high


def _steps_left(live: Live, now: float) -> float | None:
    if live.step_seconds is None or live.last_step is None:
        return None
    return max((live.steps - live.step) * live.step_seconds - max(now - live.last_step, 0.0), 0.0)


def _range(state: SessionState, job: Job, live: Live | None) -> tuple[float, float] | None:
    """The least and the most seconds of one more image: without and with what came before the first step."""
    pace = state.paces.get(kind_of(job)) or _sketch(live)
    if pace is None:
        return None
    whole = pace.lead + pace.body
    return (whole if pace.runs >= STEADY_RUNS else pace.body), whole


def _sketch(live: Live | None) -> Pace | None:
    """The pace of a run that has not ended, as far as its steps tell."""
    if live is None or live.first_step is None or live.step_seconds is None:
        return None
    return Pace(live.first_step - live.started, live.steps * live.step_seconds, 0.0, runs=0)
