"""What `comfytui run` says of a batch that it leaves behind, and of one that the server did not accept."""

import shlex
from collections.abc import Sequence

from comfytui.headless.documents.other_events import SubmittedEvent
from comfytui.presentation.status_text import failure_text
from comfytui.sanitize import sanitize
from comfytui.session.model import Batch, Failure, JobStatus
from comfytui.session.selectors import counts_of, jobs_of
from comfytui.session.state import SessionState

COMMAND_LIMIT = 50_000
"""Characters of a command with the ids of the jobs of a large batch."""
ID_LIMIT = 100
"""Characters of an id: an old server assigns ids of its own."""
_NOT_ON_SERVER = frozenset({JobStatus.SUBMITTING, JobStatus.REJECTED})


def submitted_event(state: SessionState, batch: Batch, warnings: tuple[str, ...]) -> SubmittedEvent:
    """Return the event that names the jobs of a batch, with what was said about its workflow."""
    seeds = tuple(job.parameters.seed for job in jobs_of(state, batch))
    return SubmittedEvent(batch_id=batch.id, prompt_ids=batch.prompt_ids, seeds=seeds, warnings=warnings)


def submitted_lines(event: SubmittedEvent) -> Sequence[str]:
    """Return the ids of a batch and of its jobs as lines of text."""
    total = len(event.prompt_ids)
    images = zip(event.prompt_ids, event.seeds, strict=False)
    return [f"Batch {event.batch_id}: {total} {'image' if total == 1 else 'images'}"] + [
        f"Image {index} of {total}: {sanitize(prompt_id, ID_LIMIT)}{'' if seed is None else f' (seed {seed})'}"
        for index, (prompt_id, seed) in enumerate(images, 1)
    ]


def wait_line(state: SessionState, batch: Batch, server: str, *, durable: bool) -> str:
    """Return the command that waits for a batch; the arguments are those of `left_lines`.

    Without a record on the disk, a later command does not know the batch, but finds its jobs on the server.
    """
    sent = [job.prompt_id for job in jobs_of(state, batch) if job.status not in _NOT_ON_SERVER]
    chosen = ["--batch", batch.id] if durable else sent
    return f"Wait with: {sanitize(shlex.join(['comfytui', 'wait', server, *chosen]), COMMAND_LIMIT)}" if chosen else ""


def left_lines(state: SessionState, batch: Batch, server: str, *, durable: bool) -> Sequence[str]:
    """Return what becomes of the jobs of a batch that nobody waits for any more; nothing if all have ended.

    The lines are safe to print.

    Args:
        state: The state of the session.
        batch: The batch.
        server: The server's name or address, without its secrets.
        durable: Whether the batch is recorded on the disk: the next start sends its unsent jobs.
    """
    jobs = [job for job in jobs_of(state, batch) if not job.status.ended]
    if not jobs:
        return []
    unsent = counts_of(state, batch).of(JobStatus.SUBMITTING)
    to_come = f": {len(jobs)} of {batch.total} images to come" if batch.total > 1 else ""
    lines = [f"Batch {batch.id} goes on at {sanitize(server, ID_LIMIT)}{to_come}."]
    if unsent:
        then = "the next start of comfytui sends them" if durable else "they are dropped"
        lines.append(f"{unsent} of them not sent yet: {then}.")
    return [*lines, *filter(None, [wait_line(state, batch, server, durable=durable)])]


def rejection_line(failure: Failure) -> str:
    """Return why the server rejected a batch."""
    inputs = (": ".join(filter(None, (each.input_name, each.message, each.details))) for each in failure.node_errors)
    return "; ".join([failure_text("Rejected", failure), *(sanitize(text, 300) for text in inputs)])
