"""Jobs of mine that this session did not plan: taken over from the queue or the history, in the batches they carry."""

from collections.abc import Collection
from dataclasses import replace
from types import MappingProxyType

from comfytui.session.events import Seen
from comfytui.session.jobs.transitions import put, rekeyed
from comfytui.session.model import Batch, Job, JobStatus, Mark
from comfytui.session.state import SessionState

TITLE_LENGTH = 80
"""Characters of a prompt that name a batch nobody named."""
BATCHES_ADOPTED = 2_000
"""Batches that are taken over; jobs of more are shown as another client's."""


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


def adopted(state: SessionState, jobs: Collection[Job], wall: float) -> SessionState:
    """The state with these jobs as mine; their marks restore batches, a job without one is a batch of its own."""
    batches = {key for key, batch in state.batches.items() if batch.adopted} if jobs else set()
    oldest_first = sorted(jobs, key=lambda job: (job.created or wall, job.number or 0))
    found: list[Job] = []
    others: list[Job] = []
    images = _images(state) if oldest_first else {}
    for job in oldest_first:
        mark = job.mark if job.mark and _fits(state, job.mark) else Mark(job.prompt_id, 1, 1, "")
        twin = state.jobs.get(images.get((mark.batch, mark.index), ""))
        if twin and twin.status is JobStatus.SUBMITTING:
            state = rekeyed(state, twin.prompt_id, replace(job, mark=twin.mark, created=twin.created))
            images[mark.batch, mark.index] = job.prompt_id
            continue
        if (mark.batch, mark.index) in images:
            mark = Mark(job.prompt_id, 1, 1, "")
        if mark.batch not in batches and mark.batch not in state.batches:
            if len(batches) >= BATCHES_ADOPTED:
                others.append(replace(job, mine=False))
                continue
            batches.add(mark.batch)
        found.append(replace(job, mark=mark))
        images[mark.batch, mark.index] = job.prompt_id
    return _batched(put(state, [*found, *others]), found, wall)


def _images(state: SessionState) -> dict[tuple[str, int], str]:
    """The prompt_id of each image of each batch. A server that mints its own ids shows an image under another one."""
    jobs = (state.jobs.get(prompt) for batch in state.batches.values() for prompt in batch.prompts)
    return {(job.mark.batch, job.mark.index): job.prompt_id for job in jobs if job and job.mark}


def _fits(state: SessionState, mark: Mark) -> bool:
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
    return Batch(mark.batch, mark.total, job.recipe.prompt[:TITLE_LENGTH], prompts, created, adopted=True)
