"""Batches whose callers wait for what becomes of them on the way to the server."""

import asyncio

from comfytui.service.results import Rejected, SubmitResult, Submitted, Withdrawn
from comfytui.session.model import Job, JobStatus
from comfytui.session.state import SessionState


class PendingBatches:
    """A future for each batch whose caller waits for its result."""

    def __init__(self) -> None:
        self._results: dict[str, asyncio.Future[SubmitResult]] = {}

    def __contains__(self, batch: str) -> bool:
        """Whether a caller waits for the result of a batch."""
        return batch in self._results

    def add(self, batch: str) -> asyncio.Future[SubmitResult]:
        """Return a future for the result of a batch."""
        self._results[batch] = result = asyncio.get_running_loop().create_future()
        return result

    def settle(self, state: SessionState) -> None:
        """Give the callers the results of the batches of which nothing is left to send."""
        for batch in [*self._results]:
            if result := result_of(state, batch):
                future = self._results.pop(batch)
                if not future.done():
                    future.set_result(result)

    def cancel(self) -> None:
        """Cancel all futures: the session that the batches belong to is left."""
        for future in self._results.values():
            future.cancel()
        self._results.clear()


def result_of(state: SessionState, batch: str) -> SubmitResult | None:
    """Return what became of a batch; None if some of it is still to be sent, or the session does not have it yet."""
    if batch not in state.batches:
        return None
    jobs = [job for prompt_id in state.batches[batch].prompt_ids if (job := state.jobs.get(prompt_id))]
    if any(job.status is JobStatus.SUBMITTING for job in jobs):
        return None
    accepted = tuple(job.prompt_id for job in jobs if _was_accepted(job))
    rejected = {job.prompt_id: job.failure for job in jobs if job.status is JobStatus.REJECTED}
    if failure := next(filter(None, rejected.values()), None):
        return Rejected(failure, accepted, tuple(rejected))
    return Submitted(accepted) if accepted else Withdrawn()


def _was_accepted(job: Job) -> bool:
    """Return whether the server had a job that is not being submitted any more."""
    if job.status in {JobStatus.CANCELLED, JobStatus.LOST}:
        return job.number is not None
    return job.status is not JobStatus.REJECTED
