"""Cancels jobs by the request that fits their state, and reports what actually happened."""

from collections.abc import Callable, Mapping, Sequence, Set

from comfytui.comfy.client import ComfyClient
from comfytui.comfy.errors import ComfyError
from comfytui.comfy.protocol.capabilities import Capabilities
from comfytui.comfy.protocol.models import QueueItem
from comfytui.service.notifications import Severity
from comfytui.service.submission.outbox import Outbox
from comfytui.session.events import JobCancelled, SessionEvent
from comfytui.session.model import Job, JobStatus, LinkKind
from comfytui.session.state import SessionState

Outcome = tuple[str, Severity]
"""A message for the user, and its severity."""
FINISHED: Outcome = ("Too late: it had already finished.", "warning")
UNKNOWN_VERSION: Outcome = ("The version of this server is not known yet: try again in a moment.", "warning")
NOT_TARGETED: Outcome = (
    "Not interrupted: this server is too old to interrupt a single job. Press x again to be asked.",
    "warning",
)
OTHERS_RUNNING: Outcome = ("Not interrupted: this old server would stop the other running jobs too.", "warning")
END_OUTCOMES: Mapping[str | None, Outcome] = {
    "interrupted": ("Interrupted.", "information"),
    "error": ("Too late: it had already failed.", "warning"),
}
"""The outcome of a cancellation by how the job ended, according to the history."""


async def cancel(
    prompt_id: str,
    state: SessionState,
    client: ComfyClient,
    outbox: Outbox,
    apply: Callable[[SessionEvent], None],
    *,
    force: bool = False,
) -> Outcome:
    """Drop, delete or interrupt a job, or dismiss a lost one, and ask the server what became of it.

    Args:
        prompt_id: The job.
        state: The session's state.
        client: The server.
        outbox: What is not sent yet.
        apply: Takes the events that say what became of the job.
        force: Interrupt even where the server can only stop whatever runs.

    Returns:
        The outcome, for the user.

    Raises:
        ComfyError: The server cannot be asked.
    """
    if (outcome := _without_server(prompt_id, state.jobs.get(prompt_id), outbox, apply)) is not None:
        return outcome
    if (capabilities := state.capabilities) is None:
        return UNKNOWN_VERSION
    if state.link.kind is LinkKind.OTHER_SERVER:
        return f"Not cancelled: {state.link.reason}", "error"
    try:
        was_there = await _stop(prompt_id, client, capabilities, force=force)
    except _NotInterruptedError as error:
        return error.outcome
    if not was_there and outbox.undelivered.is_unconfirmed(prompt_id):
        outbox.undelivered.request_cancel(prompt_id)
        return "The server's answer was lost: if it has the job, the job will be cancelled.", "information"
    return await _outcome(prompt_id, client, apply, was_there=was_there)


def _without_server(
    prompt_id: str, job: Job | None, outbox: Outbox, apply: Callable[[SessionEvent], None]
) -> Outcome | None:
    """Cancel a job that needs no request to the server; return the outcome, or None if it needs one."""
    match job and job.status:
        case None:
            return "That job is no longer known.", "warning"
        case JobStatus.SUBMITTING if not outbox.undelivered.is_unconfirmed(prompt_id):
            if not outbox.undelivered.drop(prompt_id):
                outbox.undelivered.request_cancel(prompt_id)
                return "The job is being sent, and will be cancelled as soon as the server has it.", "information"
            apply(JobCancelled(prompt_id))
            return "Dropped before it was sent.", "information"
        case JobStatus.LOST:
            apply(JobCancelled(prompt_id))
            return "Dismissed: it was lost, and will not be resent.", "information"
        case status if status and status.ended:
            return f"Nothing to cancel: it had already ended ({status.label}).", "information"
    return None


class _NotInterruptedError(Exception):
    """A job was not interrupted, since the request could have hit another one."""

    def __init__(self, outcome: Outcome) -> None:
        self.outcome = outcome


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
            raise _NotInterruptedError(NOT_TARGETED)
        running = [item.prompt_id for item in (await client.queue()).running]
        if prompt_id not in running:
            return False
        if running != [prompt_id]:
            raise _NotInterruptedError(OTHERS_RUNNING)
    await client.interrupt(prompt_id)
    return True


def _has(items: Sequence[QueueItem], prompt_id: str) -> bool:
    return any(item.prompt_id == prompt_id for item in items)


async def _outcome(
    prompt_id: str, client: ComfyClient, apply: Callable[[SessionEvent], None], *, was_there: bool
) -> Outcome:
    """Ask the server what became of a job."""
    queue = await client.queue()
    if _has(queue.running, prompt_id):
        return "Interrupt sent: the job stops at its next step.", "information"
    if _has(queue.pending, prompt_id):
        return "The server still has the job in its queue: press x again.", "warning"
    entry = await client.history_entry(prompt_id)
    if entry is not None:
        return END_OUTCOMES.get(entry.outcome, FINISHED)
    if not was_there:
        return "The server no longer knows this job: it may have been restarted.", "warning"
    apply(JobCancelled(prompt_id))
    return "Removed from the queue before it ran.", "information"


async def cancel_all(
    jobs: Sequence[Job],
    state: SessionState,
    client: ComfyClient,
    outbox: Outbox,
    apply: Callable[[SessionEvent], None],
    *,
    force: bool = False,
) -> Outcome:
    """Drop, delete and interrupt jobs of mine in as few requests as possible, and dismiss lost ones.

    Arguments as for `cancel`. None of the jobs has ended otherwise than lost.

    Returns:
        The outcome, for the user, also where the server cannot be asked.
    """
    lost = [job for job in jobs if job.status is JobStatus.LOST]
    jobs = [job for job in jobs if job.status is not JobStatus.LOST]
    dropped = [job for job in jobs if job.status is JobStatus.SUBMITTING and outbox.undelivered.drop(job.prompt_id)]
    for job in (*lost, *dropped):
        apply(JobCancelled(job.prompt_id))
    undelivered = {job.prompt_id for job in jobs if job.prompt_id in outbox.undelivered}
    for prompt_id in undelivered:
        outbox.undelivered.request_cancel(prompt_id)
    parts = {
        "lost dismissed": len(lost),
        "dropped before they were sent": len(dropped),
        "cancelled when they arrive": len(undelivered),
    }
    sent = {job.prompt_id for job in jobs} - {job.prompt_id for job in dropped} - undelivered
    if not sent:
        return _summary(parts) or "Nothing was left to cancel.", "information"
    if state.capabilities is None:
        return f"{_summary(parts)} {UNKNOWN_VERSION[0]}".strip(), UNKNOWN_VERSION[1]
    if state.link.kind is LinkKind.OTHER_SERVER:
        return f"{_summary(parts)} Not cancelled: {state.link.reason}".strip(), "error"
    try:
        removed = await _remove(sent, client, apply)
        running = sent & {item.prompt_id for item in (await client.queue()).running}
        interrupted, not_interrupted = await _interrupt_all(running, client, state.capabilities, force=force)
    except ComfyError as error:
        return f"{_summary(parts)} Not cancelled: {error}".strip(), "error"
    summary = _summary(parts | {"removed": removed, "interrupted": interrupted})
    if not_interrupted:
        return f"{summary} {not_interrupted[0]}".strip(), not_interrupted[1]
    return summary or "Nothing was left to cancel.", "information"


def _summary(parts: Mapping[str, int]) -> str:
    """Return the counts that are not 0 as one text, such as "2 removed, 1 interrupted."."""
    counts = ", ".join(f"{count} {label}" for label, count in parts.items() if count)
    return f"{counts}." if counts else ""


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
) -> tuple[int, Outcome | None]:
    """Interrupt prompts; return how many were interrupted, and why others were not, if any."""
    interrupted, not_interrupted = 0, None
    for prompt_id in prompt_ids:
        if capabilities.atomic_cancel and await client.cancel(prompt_id) is not None:
            interrupted += 1
            continue
        try:
            interrupted += await _interrupt(prompt_id, client, capabilities, force=force)
        except _NotInterruptedError as error:
            not_interrupted = error.outcome
    return interrupted, not_interrupted
