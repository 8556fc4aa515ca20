"""Tells when jobs of other users start and end."""

from collections.abc import Iterator, Set
from dataclasses import replace

from comfytui.headless.documents.other_events import OtherJobEvent, other_job_event
from comfytui.presentation.formatting import duration
from comfytui.sanitize import sanitize
from comfytui.session.model import Job, JobStatus
from comfytui.session.state import SessionState

TITLE_LIMIT = 80
"""Characters of a prompt that are shown."""


def other_job_events(before: SessionState, after: SessionState) -> Iterator[OtherJobEvent]:
    """Yield an event for each job of another user that started or ended between two states.

    A job that was first seen after it had ended is left out.
    """
    if after.jobs is before.jobs:
        return
    for prompt_id, old in _open_jobs(before, after.client_ids):
        job = after.jobs.get(prompt_id)
        if job is None:
            yield other_job_event(replace(old, status=JobStatus.LOST))
        elif job.status.ended and not job.mine:
            yield other_job_event(job)
    for prompt_id, job in _open_jobs(after, after.client_ids):
        known = before.jobs.get(prompt_id)
        if job.status is JobStatus.RUNNING and (known is None or known.status is not JobStatus.RUNNING):
            yield other_job_event(job)


def other_job_text(event: OtherJobEvent) -> str:
    """Return such an event as one line that is safe to print."""
    owner = sanitize(event.owner or "")
    prompt = sanitize(event.prompt, TITLE_LIMIT) or "untitled"
    return f"Another user{f' ({owner})' if owner else ''}: {_what(event)}: {prompt}"


def _what(event: OtherJobEvent) -> str:
    if event.status == "running":
        return "started"
    if event.status == "lost":
        return "gone from the queue"
    label = event.outcome if event.outcome and event.outcome != "succeeded" else event.status
    return label if event.seconds is None else f"{label} in {duration(event.seconds)}"


def _open_jobs(state: SessionState, client_ids: Set[str]) -> list[tuple[str, Job]]:
    """Return the jobs that have not ended, without mine, also those that are not shown as mine yet."""
    jobs = state.jobs.items()
    return [(key, job) for key, job in jobs if not (job.mine or job.owner in client_ids or job.status.ended)]
