"""Cancelling: the order fits where the job stands, and the answer says what really happened."""

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
"""One sentence for the user, and how loud it is."""
FINISHED: Outcome = ("Too late: it had already finished.", "warning")
UNKNOWN: Outcome = ("The version of this server is not known yet: try again in a moment.", "warning")
UNSURE: Outcome = (
    "Not interrupted: this server is too old to interrupt a single job. Press x again to be asked.",
    "warning",
)
NOT_ALONE: Outcome = ("Not interrupted: this old server would stop the other running jobs too.", "warning")
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
    *,
    force: bool = False,
) -> Outcome:
    """Drop, delete, interrupt or put away a job, look at the server, and say what came of it; raises ComfyError.

    Without `force` nothing is interrupted on a server that would stop whatever runs.
    """
    if (told := _without_server(prompt_id, state.jobs.get(prompt_id), outbox, apply)) is not None:
        return told
    if (capabilities := state.capabilities) is None:
        return UNKNOWN
    if state.link.kind is LinkKind.OTHER_BOX:
        return f"Not cancelled: {state.link.reason}", "error"
    try:
        was_there = await _stop(prompt_id, client, capabilities, force=force)
    except _SparedError as spared:
        return spared.outcome
    if not was_there and outbox.may_have_landed(prompt_id):
        outbox.withdraw(prompt_id)
        return "The server's answer was lost: if it has the job, the job will be cancelled.", "information"
    return await _look(prompt_id, client, apply, was_there=was_there)


def _without_server(
    prompt_id: str, job: Job | None, outbox: Outbox, apply: Callable[[SessionEvent], None]
) -> Outcome | None:
    """What comes of it where there is nothing to ask of the server; None where there is."""
    match job and job.status:
        case None:
            return "That job is no longer known.", "warning"
        case JobStatus.SUBMITTING if not outbox.may_have_landed(prompt_id):
            if not outbox.drop(prompt_id):
                outbox.withdraw(prompt_id)
                return "The job is being sent, and will be cancelled as soon as the server has it.", "information"
            apply(JobCancelled(prompt_id))
            return "Dropped before it was sent.", "information"
        case JobStatus.LOST:
            apply(JobCancelled(prompt_id))
            return "Dismissed: it was lost, and will not be resent.", "information"
        case status if status and status.ended:
            return f"Nothing to cancel: it had already ended ({status.label}).", "information"
    return None


class _SparedError(Exception):
    """A job was left running, since an interrupt could have hit another one."""

    def __init__(self, outcome: Outcome) -> None:
        self.outcome = outcome


async def _stop(prompt_id: str, client: ComfyClient, capabilities: Capabilities, *, force: bool) -> bool:
    """Cancel in one atomic call where the server has it, else delete or interrupt; whether the job was there."""
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
    """Interrupt a job that runs, unless it just ended; whether that was ordered; raises _SparedError."""
    if not capabilities.targeted_interrupt:
        if not force:
            raise _SparedError(UNSURE)
        running = [item.prompt_id for item in (await client.queue()).running]
        if prompt_id not in running:
            return False
        if running != [prompt_id]:
            raise _SparedError(NOT_ALONE)
    await client.interrupt(prompt_id)
    return True


def _has(items: Sequence[QueueItem], prompt_id: str) -> bool:
    return any(item.prompt_id == prompt_id for item in items)


async def _look(
    prompt_id: str, client: ComfyClient, apply: Callable[[SessionEvent], None], *, was_there: bool
) -> Outcome:
    queue = await client.queue()
    if _has(queue.running, prompt_id):
        return "Interrupt sent: the job stops at its next step.", "information"
    if _has(queue.pending, prompt_id):
        return "The server still has the job in its queue: press x again.", "warning"
    entry = await client.history_entry(prompt_id)
    if entry is not None:
        return ENDS.get(entry.outcome, FINISHED)
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
    """Drop, delete and interrupt open jobs of mine in as few calls as that takes, and put away lost ones."""
    lost = [job for job in jobs if job.status is JobStatus.LOST]
    jobs = [job for job in jobs if job.status is not JobStatus.LOST]
    dropped = [job for job in jobs if job.status is JobStatus.SUBMITTING and outbox.drop(job.prompt_id)]
    for job in (*lost, *dropped):
        apply(JobCancelled(job.prompt_id))
    on_their_way = {job.prompt_id for job in jobs if outbox.holds(job.prompt_id)}
    for prompt_id in on_their_way:
        outbox.withdraw(prompt_id)
    parts = {
        "lost dismissed": len(lost),
        "dropped before they were sent": len(dropped),
        "cancelled when they arrive": len(on_their_way),
    }
    sent = {job.prompt_id for job in jobs} - {job.prompt_id for job in dropped} - on_their_way
    if not sent:
        return _counted(parts) or "Nothing was left to cancel.", "information"
    if state.capabilities is None:
        return f"{_counted(parts)} {UNKNOWN[0]}".strip(), UNKNOWN[1]
    if state.link.kind is LinkKind.OTHER_BOX:
        return f"{_counted(parts)} Not cancelled: {state.link.reason}".strip(), "error"
    try:
        removed = await _remove(sent, client, apply)
        running = sent & {item.prompt_id for item in (await client.queue()).running}
        interrupted, spared = await _interrupt_all(running, client, state.capabilities, force=force)
    except ComfyError as error:
        return f"{_counted(parts)} Not cancelled: {error}".strip(), "error"
    told = _counted(parts | {"removed": removed, "interrupted": interrupted})
    if spared:
        return f"{told} {spared[0]}".strip(), spared[1]
    return told or "Nothing was left to cancel.", "information"


def _counted(parts: Mapping[str, int]) -> str:
    said = ", ".join(f"{count} {word}" for word, count in parts.items() if count)
    return f"{said}." if said else ""


async def _remove(prompt_ids: Set[str], client: ComfyClient, apply: Callable[[SessionEvent], None]) -> int:
    """Take those that wait out of the queue; how many are gone."""
    waiting = prompt_ids & {item.prompt_id for item in (await client.queue()).pending}
    if not waiting:
        return 0
    await client.delete(sorted(waiting))
    queue = await client.queue()
    removed = waiting - {item.prompt_id for item in (*queue.running, *queue.pending)}
    for prompt_id in removed:
        # One that ran and ended between the two looks is in the history, and the next look finds it there.
        if await client.history_entry(prompt_id) is None:
            apply(JobCancelled(prompt_id))
    return len(removed)


async def _interrupt_all(
    prompt_ids: Set[str], client: ComfyClient, capabilities: Capabilities, *, force: bool
) -> tuple[int, Outcome | None]:
    """How many of these were interrupted, and why others, if any, were not."""
    interrupted, spared = 0, None
    for prompt_id in prompt_ids:
        if capabilities.atomic_cancel and await client.cancel(prompt_id) is not None:
            interrupted += 1
            continue
        try:
            interrupted += await _interrupt(prompt_id, client, capabilities, force=force)
        except _SparedError as error:
            spared = error.outcome
    return interrupted, spared
