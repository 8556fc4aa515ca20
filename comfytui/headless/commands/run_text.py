"""What `comfytui run` says of a batch that it leaves behind, and of one that the server did not accept."""

import shlex
from collections.abc import Sequence

from comfytui.headless.documents.other_events import SubmittedEvent
from comfytui.presentation.status_text import failure_text
from comfytui.sanitize import sanitize
from comfytui.session.model import Batch, Failure, JobStatus
from comfytui.session.selectors import counts_of, jobs_of
from comfytui.session.state import SessionState

ID_LIMIT = 100
"""Characters of an id: an old server assigns ids of its own."""


def submitted_event(state: SessionState, batch: Batch) -> SubmittedEvent:
    """Return the event that names the jobs of a batch."""
    seeds = tuple(job.parameters.seed for job in jobs_of(state, batch))
    return SubmittedEvent(batch_id=batch.id, prompt_ids=batch.prompt_ids, seeds=seeds)


def submitted_lines(event: SubmittedEvent) -> Sequence[str]:
    """Return the ids of a batch and of its jobs as lines of text."""
    total = len(event.prompt_ids)
    images = zip(event.prompt_ids, event.seeds, strict=False)
    return [f"Batch {event.batch_id}: {total} {'image' if total == 1 else 'images'}"] + [
        f"Image {index} of {total}: {sanitize(prompt_id, ID_LIMIT)}{'' if seed is None else f' (seed {seed})'}"
        for index, (prompt_id, seed) in enumerate(images, 1)
    ]


def wait_line(batch_id: str, server: str) -> str:
    """Return the command that waits for a batch."""
    return f"Wait with: {sanitize(shlex.join(['comfytui', 'wait', server, '--batch', batch_id]), 1_000)}"


def left_lines(state: SessionState, batch: Batch, server: str, *, durable: bool) -> Sequence[str]:
    """Return what becomes of the jobs of a batch that nobody waits for any more; nothing if all have ended.

    Args:
        state: The state of the session.
        batch: The batch.
        server: The server's name or address, without its secrets.
        durable: Whether unsent jobs are saved: the next start sends them.
    """
    jobs = [job for job in jobs_of(state, batch) if not job.status.ended]
    if not jobs:
        return []
    unsent = counts_of(state, batch).of(JobStatus.SUBMITTING)
    ids = ", ".join(sanitize(job.prompt_id, ID_LIMIT) for job in jobs)
    lines = [f"Batch {batch.id} goes on at {sanitize(server, ID_LIMIT)}, jobs {ids}."]
    if unsent:
        then = "the next start of comfytui sends them" if durable else "they are dropped"
        lines.append(f"{unsent} of them not sent yet: {then}.")
    return [*lines, wait_line(batch.id, server)]


def rejection_line(failure: Failure) -> str:
    """Return why the server rejected a batch."""
    inputs = (": ".join(filter(None, (each.input_name, each.message, each.details))) for each in failure.node_errors)
    return "; ".join([failure_text("Rejected", failure), *(sanitize(text, 300) for text in inputs)])
