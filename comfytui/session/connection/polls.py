"""When to poll the server: often while something is unknown or happens, seldom while the frames tell everything."""

from dataclasses import dataclass, replace

from comfytui.session.model import Link, LinkKind
from comfytui.session.selectors import awaiting_history, open_jobs
from comfytui.session.state import SessionState
from comfytui.timings import PollTimings

LEAST_REST = 0.1
"""Seconds between two polls at least."""
WAITS_FOR_USER = frozenset({LinkKind.UNAUTHORISED, LinkKind.NOT_COMFYUI, LinkKind.OTHER_SERVER})
"""States of the link in which nothing is polled unless the user requests it."""


@dataclass(frozen=True, slots=True)
class PollSchedule:
    """When the next poll begins; times are monotonic seconds.

    After each poll there is a rest. At its end a poll that was requested begins, or the next one is planned.
    """

    is_running: bool = False
    requested: bool = False
    history_wanted: bool = False
    """Whether the next poll reads the newest entries of the history, too."""
    rest_until: float = 0.0
    is_planned: bool = False
    """Whether `due_at` was set since the last poll."""
    due_at: float | None = None
    """When a poll begins that nobody requested; None if none does."""
    last_seconds: float = 0.0
    """How long the last poll took that was not a light one."""
    last_failed: bool = False
    """Whether the last poll failed."""

    @property
    def wake_at(self) -> float | None:
        """When `due` is to be called, if at all."""
        if self.is_running:
            return None
        return self.due_at if self.is_planned and not self.requested else self.rest_until

    def request(self, *, history: bool) -> "PollSchedule":
        """Return the schedule with a poll as soon as the rest ends."""
        return replace(self, requested=True, history_wanted=self.history_wanted or history)

    def begun(self) -> "PollSchedule":
        """Return the schedule while a poll is under way."""
        return replace(self, is_running=True, requested=False, history_wanted=False, is_planned=False, due_at=None)

    def planned(self, due_at: float | None) -> "PollSchedule":
        """Return the schedule with the next poll that nobody requests."""
        return replace(self, is_planned=True, due_at=due_at)

    def succeeded(self, now: float, seconds: float, timings: PollTimings, *, light: bool) -> "PollSchedule":
        """Return the schedule after a poll that took `seconds`."""
        return replace(
            self,
            is_running=False,
            rest_until=now + max(LEAST_REST, rest_after(seconds, timings)),
            last_seconds=self.last_seconds if light else seconds,
            last_failed=False,
        )

    def failed(self, now: float, seconds: float, timings: PollTimings, *, history_unread: bool) -> "PollSchedule":
        """Return the schedule after a poll that failed after `seconds`."""
        return replace(
            self,
            is_running=False,
            rest_until=now + max(timings.confirm_pause, rest_after(seconds, timings)),
            history_wanted=self.history_wanted or history_unread,
            last_failed=True,
        )


def pause_of(
    session: SessionState, link: Link, last_seconds: float, timings: PollTimings, *, ready: bool
) -> float | None:
    """Return the seconds until the next poll that nobody requests; None where there will be none.

    Args:
        session: The session's state.
        link: The link's state.
        last_seconds: The seconds that the last poll took.
        timings: The seconds between polls.
        ready: Whether the server was verified after the last socket opened.
    """
    if link.kind in WAITS_FOR_USER:
        return timings.other_server_pause if link.kind is LinkKind.OTHER_SERVER else None
    if needs_confirmation(session):
        return timings.confirm_pause
    if link.kind is LinkKind.LIVE and ready and not link.lag_seconds:
        return timings.live_busy if is_busy(session) else timings.live_idle
    return pause_without_socket(session, last_seconds, timings)


def pause_without_socket(session: SessionState, last_seconds: float, timings: PollTimings) -> float:
    """Return the seconds between polls that nobody requests where no socket reports what happens."""
    if not is_busy(session):
        return timings.poll_idle
    return min(max(timings.poll_busy, timings.rest_factor * last_seconds), timings.poll_idle)


def rest_after(seconds: float, timings: PollTimings) -> float:
    """Return the least seconds between a poll that took `seconds` and the next one, requested or not."""
    return min(timings.rest_factor * seconds, timings.max_rest)


def needs_confirmation(session: SessionState) -> bool:
    """Return whether a poll is due that proves that a job ended, or was lost."""
    missed = any(job.left_queue and not job.status.ended for job in session.jobs.values())
    return missed or bool(awaiting_history(session))


def is_busy(session: SessionState) -> bool:
    """Return whether jobs are queued, as far as is known."""
    # An orphaned socket does not report that the queue has grown: the jobs that were sent are proof enough.
    return session.queue_remaining > 0 or open_jobs(session) > 0
