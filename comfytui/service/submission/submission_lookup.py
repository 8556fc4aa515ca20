"""Searches a server for a submission whose answer was lost, by its prompt id, its batch tag or its images.

Old servers assign prompt ids of their own, so the batch tag identifies a submission as well as the id.
"""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict

from comfytui.comfy.errors import ComfyError
from comfytui.comfy.protocol.models import HistoryEntry, QueueItem
from comfytui.service.backend import Backend
from comfytui.service.submission.batch import Submission
from comfytui.service.submission.recovery import finished_by_images
from comfytui.session.events import FinishedPrompt
from comfytui.session.model import Job
from comfytui.timings import SubmissionTimings

LATEST = 1_000
"""Entries of the history that are searched for a submission before it is sent again."""


async def find_in_queue(backend: Backend, job: Job) -> QueueItem | None:
    """Return the prompt of a job that waits, runs, or has ended under its own id; raises ComfyError."""
    is_of = _matcher(job)
    queue = await backend.queue(lambda item: item if is_of(item) else None)
    for item in (*queue.running, *queue.pending):
        if item is not None:
            return item
    entry = await backend.history_entry(job.prompt_id)
    return entry.item if entry else None


async def find_in_history(backend: Backend, job: Job) -> tuple[QueueItem | None, frozenset[str]]:
    """Search the latest entries of the history for the prompt of a job, under whatever id.

    Returns:
        The prompt, or None, and the prompt ids of all these entries.

    Raises:
        ComfyError: The history cannot be read.
    """

    is_of = _matcher(job)

    def keep(entry: HistoryEntry) -> tuple[str, QueueItem | None]:
        return entry.item.prompt_id, entry.item if is_of(entry.item) else None

    kept = await backend.history(LATEST, keep)
    return next((item for _, item in kept if item is not None), None), frozenset(prompt_id for prompt_id, _ in kept)


async def find_finished(
    backend: Backend, submission: Submission, timings: SubmissionTimings
) -> tuple[FinishedPrompt, ...]:
    """Return the prompt as finished if the server has its images; nothing if it has not, or they cannot be searched."""
    with suppress(ComfyError, TimeoutError):
        async with asyncio.timeout(timings.search):
            return await finished_by_images([submission], backend, timings)
    return ()


def _matcher(job: Job) -> Callable[[QueueItem], bool]:
    """Return a function that tells whether a prompt of the server is that of the job."""
    tag = asdict(job.batch_tag) if job.batch_tag else None
    return lambda item: item.prompt_id == job.prompt_id or item.tag == tag
