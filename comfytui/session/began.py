"""When a run began that was not seen to begin: what the server's times of other jobs say about it."""

from dataclasses import replace

from comfytui.session.jobs import indexed
from comfytui.session.model import RAN, Job, Stamp
from comfytui.session.state import SessionState

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
