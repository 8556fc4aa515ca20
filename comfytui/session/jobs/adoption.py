"""Takes over my jobs that this session did not plan, from the queue or the history, with the batches they belong to."""

from collections.abc import Collection
from dataclasses import replace
from types import MappingProxyType

from comfytui.session.events import QueuedPrompt
from comfytui.session.jobs.transitions import rekey, upsert
from comfytui.session.model import Batch, BatchTag, Job, JobStatus
from comfytui.session.state import SessionState

TITLE_LENGTH = 80
"""Characters of the prompt that serve as the title of an adopted batch."""
BATCHES_ADOPTED = 2_000
"""Batches that are adopted at most; jobs of further ones are shown as another client's."""


def new_job(prompt: QueuedPrompt, status: JobStatus, *, mine: bool) -> Job:
    """Return a job that is known from the queue or the history only.

    Args:
        prompt: What the server has of it.
        status: Its status.
        mine: Whether its client id is one of mine.
    """
    return Job(
        prompt_id=prompt.prompt_id,
        status=status,
        mine=mine,
        owner=prompt.client_id,
        batch_tag=prompt.batch_tag,
        number=prompt.number,
        parameters=prompt.parameters,
        classes=prompt.classes,
        created=prompt.created,
    )


def adopt(state: SessionState, jobs: Collection[Job], wall: float) -> SessionState:
    """Return the state with these jobs as mine.

    Their tags restore batches; a job without a usable tag becomes a batch of one. A job that turns out to be an image
    that is still being submitted takes that image's place.

    Args:
        state: The state before.
        jobs: Jobs of client ids of mine, unknown so far or taken for those of another client.
        wall: The current time in seconds since 1970, for jobs of which the server does not say when it got them.
    """
    batches = {key for key, batch in state.batches.items() if batch.adopted} if jobs else set()
    oldest_first = sorted(jobs, key=lambda job: (job.created or wall, job.number or 0))
    adopted: list[Job] = []
    excess: list[Job] = []
    images = _image_owners(state) if oldest_first else {}
    for job in oldest_first:
        batch_tag = job.batch_tag if job.batch_tag and _fits(state, job.batch_tag) else _batch_of_one(job)
        unsent = state.jobs.get(images.get((batch_tag.batch, batch_tag.index), ""))
        if unsent and unsent.status is JobStatus.SUBMITTING:
            state = rekey(state, unsent.prompt_id, _as_found(job, unsent))
            images[batch_tag.batch, batch_tag.index] = job.prompt_id
            continue
        if (batch_tag.batch, batch_tag.index) in images:
            batch_tag = _batch_of_one(job)
        if batch_tag.batch not in batches and batch_tag.batch not in state.batches:
            if len(batches) >= BATCHES_ADOPTED:
                excess.append(replace(job, mine=False))
                continue
            batches.add(batch_tag.batch)
        adopted.append(replace(job, batch_tag=batch_tag))
        images[batch_tag.batch, batch_tag.index] = job.prompt_id
    return _with_batches(upsert(state, [*adopted, *excess]), adopted, wall)


def adopt_ended(state: SessionState, jobs: Collection[Job], wall: float) -> SessionState:
    """Return the state with these ended jobs of the journal as mine; arguments as for `adopt`.

    What is known of a job stays, unless that is only that it seems lost.
    """
    unknown = [job for job in jobs if job.prompt_id not in state.jobs]
    known = [(state.jobs[job.prompt_id], job) for job in jobs if job.prompt_id in state.jobs]
    seem_lost = [
        replace(job, batch_tag=before.batch_tag)
        for before, job in known
        if before.mine and before.status is JobStatus.LOST and not before.loss_recorded
    ]
    return upsert(adopt(state, unknown, wall), seem_lost)


def _as_found(job: Job, unsent: Job) -> Job:
    """Return the job of a prompt that the server has, with what the user knows and wants of the image."""
    return replace(job, batch_tag=unsent.batch_tag, created=unsent.created, cancel_requested=unsent.cancel_requested)


def _image_owners(state: SessionState) -> dict[tuple[str, int], str]:
    """Return the prompt ids of the images of all batches, by batch id and index.

    Servers that assign their own ids show an image under another one.
    """
    jobs = (state.jobs.get(prompt) for batch in state.batches.values() for prompt in batch.prompt_ids)
    return {(job.batch_tag.batch, job.batch_tag.index): job.prompt_id for job in jobs if job and job.batch_tag}


def _batch_of_one(job: Job) -> BatchTag:
    return BatchTag(job.prompt_id, 1, 1, "")


def _fits(state: SessionState, batch_tag: BatchTag) -> bool:
    batch = state.batches.get(batch_tag.batch)
    return 1 <= batch_tag.index <= (batch.total if batch else batch_tag.total)


def _with_batches(state: SessionState, jobs: list[Job], wall: float) -> SessionState:
    """Return the state with the batches of these jobs; images that were never seen are left out."""
    batches = dict(state.batches)
    images: dict[str, list[Job]] = {}
    for job in jobs:
        if job.batch_tag:
            images.setdefault(job.batch_tag.batch, []).append(job)
    for batch_id, adopted in images.items():
        known = batches.get(batch_id)
        prompt_ids = dict.fromkeys([*(known.prompt_ids if known else ()), *(job.prompt_id for job in adopted)])
        prompts = tuple(sorted(prompt_ids, key=lambda prompt: _index(state.jobs[prompt])))
        batches[batch_id] = replace(known, prompt_ids=prompts) if known else _restored_batch(adopted[0], prompts, wall)
    return replace(state, batches=MappingProxyType(batches)) if images else state


def _index(job: Job) -> int:
    return job.batch_tag.index if job.batch_tag else 0


def _restored_batch(job: Job, prompts: tuple[str, ...], wall: float) -> Batch:
    batch_tag = job.batch_tag or _batch_of_one(job)
    created = wall if job.created is None else job.created
    return Batch(batch_tag.batch, batch_tag.total, job.parameters.prompt[:TITLE_LENGTH], prompts, created, adopted=True)
