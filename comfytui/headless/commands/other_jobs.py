"""Tells when jobs of other users start and end, in one line each."""

from collections.abc import Iterator, Mapping

from comfytui.presentation.formatting import duration
from comfytui.presentation.queue_rows import OWNER_CHARACTERS
from comfytui.presentation.status_text import status_label
from comfytui.sanitize import sanitize
from comfytui.session.model import Job, JobStatus
from comfytui.session.state import SessionState

TITLE_LIMIT = 80
"""Characters of a prompt that are shown."""


def other_job_lines(before: SessionState, after: SessionState) -> Iterator[str]:
    """Yield a line for each job of another user that started or ended between two states.

    A job that was first seen after it had ended is left out.
    """
    if after.jobs is before.jobs:
        return
    for prompt_id, old in _open_jobs(before.jobs):
        job = after.jobs.get(prompt_id)
        if job is None:
            yield _line(old, "gone from the queue")
        elif job.status.ended and not job.mine:
            yield _line(job, _end(job))
    for prompt_id, job in _open_jobs(after.jobs):
        known = before.jobs.get(prompt_id)
        if job.status is JobStatus.RUNNING and (known is None or known.status is not JobStatus.RUNNING):
            yield _line(job, "started")


def _open_jobs(jobs: Mapping[str, Job]) -> list[tuple[str, Job]]:
    return [(prompt_id, job) for prompt_id, job in jobs.items() if not job.mine and not job.status.ended]


def _end(job: Job) -> str:
    return f"{status_label(job)} in {duration(job.seconds)}" if job.seconds is not None else status_label(job)


def _line(job: Job, what: str) -> str:
    owner = sanitize(job.owner or "")[:OWNER_CHARACTERS]
    prompt = sanitize(job.parameters.prompt, TITLE_LIMIT) or "untitled"
    return f"Another user{f' ({owner})' if owner else ''}: {what}: {prompt}"
