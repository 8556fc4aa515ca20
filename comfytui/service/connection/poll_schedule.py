"""When to poll the server: often while something is unknown or happens, seldom while the frames tell everything."""

from comfytui.session.model import LinkKind
from comfytui.session.selectors import awaiting_history, open_jobs
from comfytui.session.state import SessionState

SETTLE_PAUSE = 0.5
"""Seconds between polls while the end of a job of mine is not known: history is written just after the last frame."""
REST_FACTOR = 5
"""A poll that took t seconds is followed by a rest of this many t, so that a huge queue is not read without a break."""
MAX_REST = 5.0
"""Seconds: over a slow link every poll takes long, and what ends meanwhile is to be seen all the same."""
LIVE_BUSY, LIVE_IDLE = 15.0, 60.0
"""Seconds between polls that nobody requested while a socket is open, with open jobs and without."""
POLL_BUSY, POLL_IDLE = 1.0, 5.0
"""The same where no socket reports what happens."""
OTHER_SERVER_PAUSE = 30.0
"""Seconds between polls that find out whether the known server is back."""
GIVEN_UP = frozenset({LinkKind.UNAUTHORISED, LinkKind.NOT_COMFYUI, LinkKind.OTHER_SERVER})
"""States of the link in which nothing is polled unless the user requests it."""


def pause_of(state: SessionState, duration: float, *, ready: bool) -> float | None:
    """Return the seconds until the next poll that nobody requests; None where there will be none.

    Args:
        state: The session's state.
        duration: The seconds that the last poll took.
        ready: Whether the server was verified after the last socket opened.
    """
    kind = state.link.kind
    if kind in GIVEN_UP:
        return OTHER_SERVER_PAUSE if kind is LinkKind.OTHER_SERVER else None
    if is_settling(state):
        return SETTLE_PAUSE
    if kind is LinkKind.LIVE and ready and not state.link.lag_seconds:
        return LIVE_BUSY if is_busy(state) else LIVE_IDLE
    return pause_without_socket(state, duration)


def pause_without_socket(state: SessionState, duration: float) -> float:
    """Return the seconds between polls that nobody requests where no socket reports what happens."""
    return min(max(POLL_BUSY, REST_FACTOR * duration), POLL_IDLE) if is_busy(state) else POLL_IDLE


def rest_after(duration: float) -> float:
    """Return the least seconds between a poll that took `duration` and the next one, requested or not."""
    return min(REST_FACTOR * duration, MAX_REST)


def is_settling(state: SessionState) -> bool:
    """Return whether a poll is due that proves that a job ended, or was lost."""
    missed = any(job.left_queue and not job.status.ended for job in state.jobs.values())
    return missed or bool(awaiting_history(state))


def is_busy(state: SessionState) -> bool:
    """Return whether jobs are queued, as far as is known."""
    # An orphaned socket does not report that the queue has grown: the jobs that were sent are proof enough.
    return state.queue_remaining > 0 or open_jobs(state) > 0
