"""Cancels jobs by the request that fits their state, and finds out what actually happened."""

from collections.abc import Callable, Mapping, Sequence, Set
from dataclasses import replace

from comfytui.comfy.client import ComfyClient
from comfytui.comfy.errors import ComfyError, Unreachable
from comfytui.comfy.protocol.capabilities import Capabilities
from comfytui.comfy.protocol.models import QueueItem
from comfytui.service.results import BatchCancelled, Cancelled, CancelOutcome
from comfytui.service.submission.outbox import Outbox
from comfytui.session.events import JobCancelled, SessionEvent
from comfytui.session.model import Job, JobStatus, LinkKind
from comfytui.session.state import SessionState

RESULTS: Mapping[str | None, Cancelled] = {
    "interrupted": Cancelled(CancelOutcome.INTERRUPTED),
    "error": Cancelled(CancelOutcome.TOO_LATE, JobStatus.FAILED),
}
"""The result of a cancellation by how the job ended, according to the history."""
FINISHED = Cancelled(CancelOutcome.TOO_LATE, JobStatus.SUCCEEDED)


async def cancel(
    prompt_id: str,
    state: SessionState,
    client: ComfyClient,
    outbox: Outbox,
    apply: Callable[[SessionEvent], None],
    *,
    force: bool = False,
) -> Cancelled:
    """Drop, delete or interrupt a job, or dismiss a lost one, and ask the server what became of it.

    Args:
        prompt_id: The job.
        state: The session's state.
        client: The server.
        outbox: What is not sent yet.
        apply: Takes the events that say what became of the job.
        force: Interrupt even where the server can only stop whatever runs.

    Raises:
        ComfyError: The server cannot be asked.
    """
    if (result := _without_server(prompt_id, state.jobs.get(prompt_id), outbox, apply)) is not None:
        return result
    if (capabilities := state.capabilities) is None:
        return Cancelled(CancelOutcome.UNKNOWN_VERSION)
    if state.link.kind is LinkKind.OTHER_SERVER:
        raise Unreachable(state.link.reason)
    try:
        was_there = await _stop(prompt_id, client, capabilities, force=force)
    except _NotInterruptedError as error:
        return Cancelled(error.obstacle)
    if not was_there and outbox.undelivered.is_unconfirmed(prompt_id):
        outbox.undelivered.request_cancel(prompt_id)
        return Cancelled(CancelOutcome.UNCONFIRMED)
    return await _result(prompt_id, client, apply, was_there=was_there)


def _without_server(
    prompt_id: str, job: Job | None, outbox: Outbox, apply: Callable[[SessionEvent], None]
) -> Cancelled | None:
    """Cancel a job that needs no request to the server; return the result, or None if it needs one."""
    match job and job.status:
        case None:
            return Cancelled(CancelOutcome.UNKNOWN_JOB)
        case JobStatus.SUBMITTING if not outbox.undelivered.is_unconfirmed(prompt_id):
            if not outbox.undelivered.drop(prompt_id):
                outbox.undelivered.request_cancel(prompt_id)
                return Cancelled(CancelOutcome.ON_ARRIVAL)
            apply(JobCancelled(prompt_id))
            return Cancelled(CancelOutcome.DROPPED)
        case JobStatus.LOST:
            apply(JobCancelled(prompt_id))
            return Cancelled(CancelOutcome.DISMISSED)
        case status if status and status.ended:
            return Cancelled(CancelOutcome.ALREADY_ENDED, status)
    return None


class _NotInterruptedError(Exception):
    """A job was not interrupted, since the request could have hit another one."""

    def __init__(self, obstacle: CancelOutcome) -> None:
        super().__init__(obstacle.name)
        self.obstacle = obstacle


async def _stop(prompt_id: str, client: ComfyClient, capabilities: Capabilities, *, force: bool) -> bool:
    """Cancel a job on the server, atomically if it can, else by delete or interrupt; return whether it was there."""
    if capabilities.atomic_cancel and (done := await client.cancel(prompt_id)) is not None:
        return done
    queue = await client.queue()
    pending = _has(queue.pending, prompt_id)
    if pending:
        await client.delete([prompt_id])
        queue = await client.queue()
    running = _has(queue.running, prompt_id)
    if running:
        await _interrupt(prompt_id, client, capabilities, force=force)
    return pending or running


async def _interrupt(prompt_id: str, client: ComfyClient, capabilities: Capabilities, *, force: bool) -> bool:
    """Interrupt a running job unless it has just ended; return whether it was. Raises _NotInterruptedError."""
    if not capabilities.targeted_interrupt:
        if not force:
            raise _NotInterruptedError(CancelOutcome.NOT_TARGETED)
        running = [item.prompt_id for item in (await client.queue()).running]
        if prompt_id not in running:
            return False
        if running != [prompt_id]:
            raise _NotInterruptedError(CancelOutcome.OTHERS_RUNNING)
    await client.interrupt(prompt_id)
    return True


def _has(items: Sequence[QueueItem], prompt_id: str) -> bool:
    return any(item.prompt_id == prompt_id for item in items)


async def _result(
    prompt_id: str, client: ComfyClient, apply: Callable[[SessionEvent], None], *, was_there: bool
) -> Cancelled:
    """Ask the server what became of a job."""
    queue = await client.queue()
    if _has(queue.running, prompt_id):
        return Cancelled(CancelOutcome.INTERRUPT_SENT)
    if _has(queue.pending, prompt_id):
        return Cancelled(CancelOutcome.STILL_QUEUED)
    entry = await client.history_entry(prompt_id)
    if entry is not None:
        return RESULTS.get(entry.outcome, FINISHED)
    if not was_there:
        return Cancelled(CancelOutcome.NOT_FOUND)
    apply(JobCancelled(prompt_id))
    return Cancelled(CancelOutcome.REMOVED)


async def cancel_all(
    jobs: Sequence[Job],
    state: SessionState,
    client: ComfyClient,
    outbox: Outbox,
    apply: Callable[[SessionEvent], None],
    *,
    force: bool = False,
) -> BatchCancelled:
    """Drop, delete and interrupt jobs of mine in as few requests as possible, and dismiss lost ones.

    Arguments as for `cancel`. None of the jobs has ended otherwise than lost.

    Returns:
        The result, also where the server cannot be asked.
    """
    lost = [job for job in jobs if job.status is JobStatus.LOST]
    jobs = [job for job in jobs if job.status is not JobStatus.LOST]
    dropped = [job for job in jobs if job.status is JobStatus.SUBMITTING and outbox.undelivered.drop(job.prompt_id)]
    for job in (*lost, *dropped):
        apply(JobCancelled(job.prompt_id))
    undelivered = {job.prompt_id for job in jobs if job.prompt_id in outbox.undelivered}
    for prompt_id in undelivered:
        outbox.undelivered.request_cancel(prompt_id)
    result = BatchCancelled(dismissed=len(lost), dropped=len(dropped), on_arrival=len(undelivered))
    sent = {job.prompt_id for job in jobs} - {job.prompt_id for job in dropped} - undelivered
    if not sent:
        return result
    if state.capabilities is None:
        return replace(result, obstacle=CancelOutcome.UNKNOWN_VERSION)
    if state.link.kind is LinkKind.OTHER_SERVER:
        return replace(result, error=Unreachable(state.link.reason))
    try:
        removed = await _remove(sent, client, apply)
        running = sent & {item.prompt_id for item in (await client.queue()).running}
        interrupted, obstacle = await _interrupt_all(running, client, state.capabilities, force=force)
    except ComfyError as error:
        return replace(result, error=error)
    return replace(result, removed=removed, interrupted=interrupted, obstacle=obstacle)


async def _remove(prompt_ids: Set[str], client: ComfyClient, apply: Callable[[SessionEvent], None]) -> int:
    """Delete the prompts that wait in the queue; return how many are gone."""
    waiting = prompt_ids & {item.prompt_id for item in (await client.queue()).pending}
    if not waiting:
        return 0
    await client.delete(sorted(waiting))
    queue = await client.queue()
    removed = waiting - {item.prompt_id for item in (*queue.running, *queue.pending)}
    for prompt_id in removed:
        # One that ran and ended between the two requests is in the history, where the next poll finds it.
        if await client.history_entry(prompt_id) is None:
            apply(JobCancelled(prompt_id))
    return len(removed)


async def _interrupt_all(
    prompt_ids: Set[str], client: ComfyClient, capabilities: Capabilities, *, force: bool
) -> tuple[int, CancelOutcome | None]:
    """Interrupt prompts; return how many were interrupted, and why others were not, if any."""
    interrupted, obstacle = 0, None
    for prompt_id in prompt_ids:
        if capabilities.atomic_cancel and await client.cancel(prompt_id) is not None:
            interrupted += 1
            continue
        try:
            interrupted += await _interrupt(prompt_id, client, capabilities, force=force)
        except _NotInterruptedError as error:
            obstacle = error.obstacle
    return interrupted, obstacle
