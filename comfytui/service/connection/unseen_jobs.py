"""Finds out whether a job came and went between two polls of the queue, so that no poll ever showed it."""

from collections.abc import Mapping

from comfytui.session.model import Job, JobStatus

_NOT_TAKEN = frozenset({JobStatus.SUBMITTING, JobStatus.REJECTED, JobStatus.CANCELLED, JobStatus.LOST})
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
        """Begin anew with a connection: what arrived before it is read from the history."""
        self._remaining, self.announced, self._known, self._searched = None, 0, jobs, False

    def announce(self, remaining: int) -> None:
        """Take in the length of the queue that a frame states; the server sends one for every change."""
        if self._remaining is not None:
            self.announced += max(0, remaining - self._remaining)
        self._remaining = remaining

    def unseen(self, announced: int, jobs: Mapping[str, Job]) -> int:
        """How many jobs passed unseen, of those `announced` before the poll whose result stands in `jobs`."""
        shown = sum(self._is_new(key, job) for key, job in jobs.items()) if jobs is not self._known else 0
        self._known = jobs
        self.announced -= shown
        return max(0, announced - shown)

    def searched(self, unseen: int, found: int) -> None:
        """Set off unseen jobs that the history had; it is searched once more for the others, and no more than that."""
        done = self._searched or found >= unseen
        self.announced -= unseen if done else found
        self._searched = not done

    def polled(self, jobs: Mapping[str, Job]) -> None:
        """Take what the history added to `jobs` for known: nothing announces it."""
        self._known = jobs

    def _is_new(self, key: str, job: Job) -> bool:
        """Whether the server turned out to have a job that it was not known to have."""
        before = self._known.get(key)
        return job.status not in _NOT_TAKEN and (before is None or before.status is JobStatus.SUBMITTING)
