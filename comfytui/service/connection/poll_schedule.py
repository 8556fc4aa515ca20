"""When to poll the server: often while something is unknown or happens, seldom while the frames tell everything."""

from comfytui.session.model import LinkKind
from comfytui.session.selectors import awaiting_history, open_jobs
from comfytui.session.state import SessionState
from comfytui.timings import PollTimings

GIVEN_UP = frozenset({LinkKind.UNAUTHORISED, LinkKind.NOT_COMFYUI, LinkKind.OTHER_SERVER})
"""States of the link in which nothing is polled unless the user requests it."""


def pause_of(timings: PollTimings, state: SessionState, duration: float, *, ready: bool) -> float | None:
    """Return the seconds until the next poll that nobody requests; None where there will be none.

    Args:
        timings: How often to poll.
        state: The session's state.
        duration: The seconds that the last poll took.
        ready: Whether the server was verified after the last socket opened.
    """
    kind = state.link.kind
    if kind in GIVEN_UP:
        return timings.other_server_pause if kind is LinkKind.OTHER_SERVER else None
    if is_settling(state):
        return timings.settle_pause
    if kind is LinkKind.LIVE and ready and not state.link.lag_seconds:
        return timings.live_busy if is_busy(state) else timings.live_idle
    return pause_without_socket(timings, state, duration)


def pause_without_socket(timings: PollTimings, state: SessionState, duration: float) -> float:
    """Return the seconds between polls that nobody requests where no socket reports what happens."""
    if not is_busy(state):
        return timings.poll_idle
    return min(max(timings.poll_busy, timings.rest_factor * duration), timings.poll_idle)


def rest_after(timings: PollTimings, duration: float) -> float:
    """Return the least seconds between a poll that took `duration` and the next one, requested or not."""
    return min(timings.rest_factor * duration, timings.max_rest)


def is_settling(state: SessionState) -> bool:
    """Return whether a poll is due that proves that a job ended, or was lost."""
    missed = any(job.left_queue and not job.status.ended for job in state.jobs.values())
    return missed or bool(awaiting_history(state))


def is_busy(state: SessionState) -> bool:
    """Return whether jobs are queued, as far as is known."""
    # An orphaned socket does not report that the queue has grown: the jobs that were sent are proof enough.
    return state.queue_remaining > 0 or open_jobs(state) > 0
