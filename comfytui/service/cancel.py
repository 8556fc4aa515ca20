"""Cancelling: the order fits where the job stands, and the answer says what really happened."""

from collections.abc import Callable, Mapping, Sequence

from comfytui.comfy.client import ComfyClient
from comfytui.service.notices import Severity
from comfytui.service.outbox import Outbox
from comfytui.session.events import JobCancelled, SessionEvent
from comfytui.session.model import Job, JobStatus
from comfytui.session.state import SessionState

Outcome = tuple[str, Severity]
"""One sentence for the user, and how loud it is."""
FINISHED: Outcome = ("Too late: it had already finished.", "warning")
ENDS: Mapping[str | None, Outcome] = {
    "interrupted": ("Interrupted.", "information"),
    "error": ("Too late: it had already failed.", "warning"),
}
"""What a cancel came to, by how the history says that the job ended."""


async def cancel(
    prompt_id: str,
    state: SessionState,
    client: ComfyClient,
    outbox: Outbox,
    apply: Callable[[SessionEvent], None],
) -> Outcome:
    """Drop, delete or interrupt a job, look at the server again, and say what came of it; raises ComfyError."""
    job = state.jobs.get(prompt_id)
    match job and job.status:
        case None:
            return "That job is no longer known.", "warning"
        case JobStatus.SUBMITTING if not outbox.may_have_landed(prompt_id):
            if not outbox.drop(prompt_id):
                return "It is on its way to the server: press x again when it is queued.", "warning"
            apply(JobCancelled(prompt_id))
            return "Dropped before it was sent.", "information"
        case status if status and status.ended:
            return f"Nothing to cancel: it had already ended ({status.value}).", "information"
    was_there = await _stop(prompt_id, client)
    if not was_there and outbox.may_have_landed(prompt_id):
        outbox.withdraw(prompt_id)
        return "Its answer was lost on the way: if the server got it, it will be cancelled.", "information"
    return await _look(prompt_id, client, apply, was_there=was_there)


async def _stop(prompt_id: str, client: ComfyClient) -> bool:
    """Cancel in one atomic call where the server has it, else delete or interrupt; whether the job was there."""
    if (done := await client.cancel(prompt_id)) is not None:
        return done
    queue = await client.queue()
    pending = any(item.prompt_id == prompt_id for item in queue.pending)
    if pending:
        await client.delete([prompt_id])
        queue = await client.queue()
    # Servers before 0.3.57 interrupt whatever runs, so this is asked only for the one that does.
    running = any(item.prompt_id == prompt_id for item in queue.running)
    if running:
        await client.interrupt(prompt_id)
    return pending or running


async def _look(
    prompt_id: str, client: ComfyClient, apply: Callable[[SessionEvent], None], *, was_there: bool
) -> Outcome:
    queue = await client.queue()
    if any(item.prompt_id == prompt_id for item in queue.running):
        return "Interrupt sent: the server stops at its next step.", "information"
    if any(item.prompt_id == prompt_id for item in queue.pending):
        return "The server still has it in its queue: press x again.", "warning"
    entry = await client.history_of(prompt_id)
    if entry is not None:
        return ENDS.get(entry.outcome, FINISHED)
    if not was_there:
        return "The server no longer knows it: it may have been restarted.", "warning"
    apply(JobCancelled(prompt_id))
    return "Removed from the queue before it ran.", "information"


async def cancel_all(
    jobs: Sequence[Job],
    client: ComfyClient,
    outbox: Outbox,
    apply: Callable[[SessionEvent], None],
) -> Outcome:
    """Drop, delete and interrupt open jobs of mine in as few calls as that takes; raises ComfyError."""
    dropped = [job for job in jobs if job.status is JobStatus.SUBMITTING and outbox.drop(job.prompt_id)]
    for job in dropped:
        apply(JobCancelled(job.prompt_id))
    sent = {job.prompt_id for job in jobs} - {job.prompt_id for job in dropped}
    for prompt_id in sent:
        if outbox.may_have_landed(prompt_id):
            outbox.withdraw(prompt_id)
    waiting = sent & {item.prompt_id for item in (await client.queue()).pending}
    if waiting:
        await client.delete(sorted(waiting))
    queue = await client.queue()
    running = sent & {item.prompt_id for item in queue.running}
    for prompt_id in running:
        if await client.cancel(prompt_id) is None:
            await client.interrupt(prompt_id)
    removed = waiting - running - {item.prompt_id for item in queue.pending}
    for prompt_id in removed:
        # One that ran and ended between the two looks is in the history, and the next look finds it there.
        if await client.history_of(prompt_id) is None:
            apply(JobCancelled(prompt_id))
    parts = {"dropped before they were sent": len(dropped), "removed": len(removed), "interrupted": len(running)}
    said = ", ".join(f"{count} {word}" for word, count in parts.items() if count)
    return (f"{said[0].upper()}{said[1:]}." if said else "Nothing was left to cancel."), "information"
