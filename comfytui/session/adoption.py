"""Jobs of mine that this session did not plan: taken over from the queue or the history, in the batches they carry."""

from collections.abc import Iterable
from dataclasses import replace
from types import MappingProxyType

from comfytui.session.book import put, rekeyed
from comfytui.session.events import Seen
from comfytui.session.model import Batch, Job, JobStatus, Mark
from comfytui.session.state import SessionState

TITLE_LENGTH = 80
"""Characters of a prompt that name a batch nobody named."""


def job_of(seen: Seen, status: JobStatus, *, mine: bool) -> Job:
    """A job that is known from the queue or the history alone."""
    return Job(
        prompt_id=seen.prompt_id,
        status=status,
        mine=mine,
        owner=seen.client_id,
        mark=seen.mark,
        number=seen.number,
        recipe=seen.recipe,
        classes=seen.classes,
        created=seen.created,
    )


def adopted(state: SessionState, jobs: Iterable[Job], wall: float) -> SessionState:
    """The state with these jobs as mine; their marks restore batches, a job without one is a batch of its own."""
    single: list[Job] = []
    for job in sorted(jobs, key=lambda job: (job.created or wall, job.number or 0)):
        twin = _twin(state, job)
        if twin is not None and twin.status is JobStatus.SUBMITTING:
            state = rekeyed(state, twin.prompt_id, replace(twin, prompt_id=job.prompt_id, status=job.status))
        elif twin is not None or not _fits(state, job.mark):
            single.append(replace(job, mark=Mark(job.prompt_id, 1, 1, "")))
        else:
            single.append(job)
    return _batched(put(state, single), single, wall)


def _twin(state: SessionState, job: Job) -> Job | None:
    """My job that already is the same image of the same batch, where the server minted an id of its own."""
    batch = state.batches.get(job.mark.batch) if job.mark else None
    if batch is None:
        return None
    images = (state.jobs.get(prompt) for prompt in batch.prompts)
    same = (image for image in images if image and image.mark and job.mark and image.mark.index == job.mark.index)
    return next((image for image in same if image.prompt_id != job.prompt_id), None)


def _fits(state: SessionState, mark: Mark | None) -> bool:
    if mark is None:
        return False
    batch = state.batches.get(mark.batch)
    return 1 <= mark.index <= (batch.total if batch else mark.total)


def _batched(state: SessionState, jobs: list[Job], wall: float) -> SessionState:
    """The state with the batches of these jobs; what was never seen of a batch is simply not there."""
    batches = dict(state.batches)
    images: dict[str, list[Job]] = {}
    for job in jobs:
        if job.mark:
            images.setdefault(job.mark.batch, []).append(job)
    for batch_id, found in images.items():
        known = batches.get(batch_id)
        ids = dict.fromkeys([*(known.prompts if known else ()), *(job.prompt_id for job in found)])
        prompts = tuple(sorted(ids, key=lambda prompt: _index(state.jobs[prompt])))
        batches[batch_id] = replace(known, prompts=prompts) if known else _restored(found[0], prompts, wall)
    return replace(state, batches=MappingProxyType(batches)) if images else state


def _index(job: Job) -> int:
    return job.mark.index if job.mark else 0


def _restored(job: Job, prompts: tuple[str, ...], wall: float) -> Batch:
    mark = job.mark or Mark(job.prompt_id, 1, 1, "")
    created = wall if job.created is None else job.created
    return Batch(mark.batch, mark.total, job.recipe.prompt[:TITLE_LENGTH], prompts, created)
