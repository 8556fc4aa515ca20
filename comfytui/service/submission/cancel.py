"""Cancels a job by the request that fits its state, and finds out what actually happened."""

from collections.abc import Callable, Mapping

from comfytui.comfy.errors import Unreachable
from comfytui.comfy.protocol.models import Obstacle
from comfytui.service.backend import Backend
from comfytui.service.results import Cancelled, CancelOutcome
from comfytui.session.delivery import CancelRequested, Delivery
from comfytui.session.events import JobCancelled, SessionEvent
from comfytui.session.model import Job, JobStatus, LinkKind
from comfytui.session.state import SessionState

RESULTS: Mapping[str | None, Cancelled] = {
    "interrupted": Cancelled(CancelOutcome.INTERRUPTED),
    "error": Cancelled(CancelOutcome.TOO_LATE, JobStatus.FAILED),
}
"""The result of a cancellation by how the job ended, according to the history."""
OBSTACLES: Mapping[Obstacle, CancelOutcome] = {
    Obstacle.NOT_TARGETED: CancelOutcome.NOT_TARGETED,
    Obstacle.OTHERS_RUNNING: CancelOutcome.OTHERS_RUNNING,
}
"""The result of a cancellation by what kept the server from interrupting the job."""
FINISHED = Cancelled(CancelOutcome.TOO_LATE, JobStatus.SUCCEEDED)


async def cancel(
    prompt_id: str,
    state: Callable[[], SessionState],
    backend: Backend,
    apply: Callable[[SessionEvent], None],
    *,
    force: bool = False,
) -> Cancelled:
    """Drop, delete or interrupt a job, or dismiss a lost one, and ask the server what became of it.

    Args:
        prompt_id: The job.
        state: Returns the session's state.
        backend: The server.
        apply: Takes the events that say what became of the job.
        force: Interrupt even where the server can only stop whatever runs.

    Raises:
        ComfyError: The server cannot be asked.
    """
    if (result := _without_server(prompt_id, state().jobs.get(prompt_id), apply)) is not None:
        return result
    if (capabilities := state().capabilities) is None or not capabilities.cancel:
        return Cancelled(CancelOutcome.UNSUPPORTED if capabilities else CancelOutcome.UNKNOWN_VERSION)
    if (link := state().link).kind is LinkKind.OTHER_SERVER:
        raise Unreachable(link.reason)
    was_there = await backend.cancel(prompt_id, capabilities, force=force)
    if isinstance(was_there, Obstacle):
        return Cancelled(OBSTACLES[was_there])
    job = state().jobs.get(prompt_id)
    if not was_there and job and job.delivery is not Delivery.ACCEPTED:
        apply(CancelRequested(prompt_id))
        # Meanwhile it may have turned out that the server does not have it.
        return Cancelled(CancelOutcome.UNCONFIRMED if job.post else CancelOutcome.DROPPED)
    return await _result(prompt_id, backend, apply, was_there=was_there)


def _without_server(prompt_id: str, job: Job | None, apply: Callable[[SessionEvent], None]) -> Cancelled | None:
    """Cancel a job that needs no request to the server; return the result, or None if it needs one."""
    if job is None:
        return Cancelled(CancelOutcome.UNKNOWN_JOB)
    if job.delivery is Delivery.PLANNED:
        apply(CancelRequested(prompt_id))
        return Cancelled(CancelOutcome.DROPPED)
    if job.delivery is Delivery.SENDING:
        apply(CancelRequested(prompt_id))
        return Cancelled(CancelOutcome.ON_ARRIVAL)
    if job.status is JobStatus.LOST:
        apply(JobCancelled(prompt_id))
        return Cancelled(CancelOutcome.DISMISSED)
    return Cancelled(CancelOutcome.ALREADY_ENDED, job.status) if job.status.ended else None


async def _result(
    prompt_id: str, backend: Backend, apply: Callable[[SessionEvent], None], *, was_there: bool
) -> Cancelled:
    """Ask the server what became of a job."""
    queue = await backend.queue(lambda item: item.prompt_id)
    if prompt_id in queue.running:
        return Cancelled(CancelOutcome.INTERRUPT_SENT)
    if prompt_id in queue.pending:
        return Cancelled(CancelOutcome.STILL_QUEUED)
    entry = await backend.history_entry(prompt_id)
    if entry is not None:
        return RESULTS.get(entry.outcome, FINISHED)
    if not was_there:
        return Cancelled(CancelOutcome.NOT_FOUND)
    apply(JobCancelled(prompt_id))
    return Cancelled(CancelOutcome.REMOVED)
