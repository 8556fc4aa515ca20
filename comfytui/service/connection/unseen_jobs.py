"""Counts the jobs that came and went between two polls of the queue."""

from collections.abc import Mapping

from comfytui.session.model import Job, JobStatus

_NOT_ACCEPTED = frozenset({JobStatus.SUBMITTING, JobStatus.REJECTED, JobStatus.CANCELLED, JobStatus.LOST})
"""Statuses of jobs that the server need never have had."""


class UnseenJobs:
    """Compares how many jobs the `status` frames of one connection announced with how many the polls showed."""

    def __init__(self) -> None:
        self._remaining: int | None = None
        self._known: Mapping[str, Job] = {}
        self._searched = False
        self.announced = 0
        """Jobs that frames announced and no poll showed so far; negative while the frames are behind the polls."""

    def reset(self, jobs: Mapping[str, Job]) -> None:
        """Start over with a new connection: what arrived before it is read from the history."""
        self._remaining, self.announced, self._known, self._searched = None, 0, jobs, False

    def announce(self, remaining: int) -> None:
        """Record the queue length of a `status` frame; the server sends one for every change."""
        if self._remaining is not None:
            self.announced += max(0, remaining - self._remaining)
        self._remaining = remaining

    def count(self, announced: int, jobs: Mapping[str, Job]) -> int:
        """Return how many jobs passed unseen.

        Args:
            announced: The value of `announced` before the poll.
            jobs: The session's jobs after the poll.
        """
        shown = sum(self._is_new(key, job) for key, job in jobs.items()) if jobs is not self._known else 0
        self._known = jobs
        self.announced -= shown
        return max(0, announced - shown)

    def history_searched(self, unseen: int, found: int) -> None:
        """Subtract unseen jobs that the history had; for the others it is searched once more, but not again."""
        done = self._searched or found >= unseen
        self.announced -= unseen if done else found
        self._searched = not done

    def mark_known(self, jobs: Mapping[str, Job]) -> None:
        """Mark what the history or the journal added to `jobs` as known: nothing announces it."""
        self._known = jobs

    def _is_new(self, key: str, job: Job) -> bool:
        """Return whether the server was found to have a job that it was not known to have."""
        before = self._known.get(key)
        return job.status not in _NOT_ACCEPTED and (before is None or before.status is JobStatus.SUBMITTING)
