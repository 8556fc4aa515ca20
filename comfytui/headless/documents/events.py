"""The events of jobs and batches: how far they are, each image that is finished, and how they ended."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from comfytui.headless.documents.jobs import (
    VERSION,
    CellValue,
    Document,
    End,
    JobError,
    Outcome,
    OutputFile,
    Status,
    cell_values,
    end_of,
    error_of,
    files_of,
    outcome_of,
    seeds_of,
    status_of,
)
from comfytui.session.model import Batch, Job
from comfytui.session.progress import BatchProgress, progress_of
from comfytui.session.selectors import batch_of, jobs_of, next_job
from comfytui.session.state import SessionState


class ProgressEvent(Document, frozen=True, kw_only=True):
    """How far a job or a batch is; of a batch, the image is the one that runs, or else runs next.

    What the server does not tell is null.
    """

    version: int = VERSION
    event: Literal["progress"] = "progress"
    prompt_id: str | None
    """The job of the image."""
    batch_id: str | None
    """Null for a job of another user."""
    status: Status
    image_index: int
    """From 1."""
    total_images: int
    current_step: int | None
    """Steps done of the running pass."""
    total_steps: int | None
    percentage: int | None
    """Share of these steps, 0 to 100."""
    image_fraction: float | None
    """Share of the whole image, with loading, all passes and decoding, 0 to 1."""
    batch_fraction: float | None
    phase: str | None
    """What it does: `loading model`, `sampling`, ..."""
    node: str | None
    """The class of the node that runs."""
    rate: float | None
    """Steps per second."""
    elapsed_seconds: float | None
    """Time spent running, without waiting in the queue: of the image in the events of a job, else of the batch."""
    left_seconds: float | None
    """Estimated time that running the rest takes, likewise."""
    seed: int | None
    ahead: int
    """How many jobs, of any user, run before the image."""
    link: str
    """The relay's connection to ComfyUI: `live`, `polling` (no steps are known), `offline`, ..."""


class ImageEvent(Document, frozen=True, kw_only=True):
    """One job of a batch has ended."""

    version: int = VERSION
    event: Literal["image"] = "image"
    prompt_id: str
    batch_id: str | None
    status: End
    outcome: Outcome
    image_index: int
    total_images: int
    seed: int | None
    seeds: tuple[int, ...]
    """All seeds, for a graph with several."""
    cell: tuple[CellValue, ...]
    """What distinguishes the image from the others of its batch, besides the seed; empty without axes."""
    seconds: float | None
    """How long it ran."""
    outputs: tuple[OutputFile, ...]
    error: JobError | None


class EndEvent(Document, frozen=True, kw_only=True):
    """A job or a batch has ended: the last event about it."""

    version: int = VERSION
    event: End
    prompt_id: str | None
    """Null for a batch."""
    batch_id: str | None
    outcome: Outcome
    """That of the job which decided how the batch ended."""
    total_images: int
    counts: dict[End, int]
    """How many images ended how."""
    seeds: tuple[int | None, ...]
    """The seed of each image."""
    outputs: tuple[OutputFile, ...]
    error: JobError | None
    """The first error."""


Event = ProgressEvent | ImageEvent | EndEvent


@dataclass(frozen=True, slots=True)
class Place:
    """The place of an image in its batch: `index` from 1 of `total`."""

    batch_id: str | None = None
    index: int = 1
    total: int = 1


def place_of(state: SessionState, job: Job) -> Place:
    """Return the place of a job in its batch; a job of another user is the only image of an unknown batch."""
    batch = batch_of(state, job)
    if batch is None or job.batch_tag is None:
        return Place()
    return Place(batch.id, min(job.batch_tag.index, batch.total), batch.total)


def batch_progress(state: SessionState, batch: Batch, now: float) -> ProgressEvent:
    """Return how far a batch is at monotonic second `now`."""
    progress = progress_of(state, batch, now)
    left = progress.batch_left
    return _progress_event(
        state,
        next_job(state, batch),
        progress,
        Place(batch.id, progress.image_index, batch.total),
        elapsed=progress.batch_elapsed,
        left=(left[0] + left[1]) / 2 if left else None,
    )


def job_progress(state: SessionState, job: Job, now: float) -> ProgressEvent:
    """Return how far one job is at monotonic second `now`."""
    batch = batch_of(state, job) or Batch("", 1, "", (job.prompt_id,), 0.0)
    run = state.runs.get(job.prompt_id)
    progress = progress_of(state, batch, now, job)
    elapsed = now - run.started if run and run.started is not None else None
    return _progress_event(state, job, progress, place_of(state, job), elapsed=elapsed, left=progress.image_left)


def _progress_event(
    state: SessionState,
    job: Job | None,
    progress: BatchProgress,
    place: Place,
    *,
    elapsed: float | None,
    left: float | None,
) -> ProgressEvent:
    has_steps = progress.total_steps > 0
    return ProgressEvent(
        prompt_id=job.prompt_id if job else None,
        batch_id=place.batch_id,
        status=status_of(job) if job else "sending",  # Another process has yet to send the rest.
        image_index=place.index,
        total_images=place.total,
        current_step=progress.current_step if has_steps else None,
        total_steps=progress.total_steps if has_steps else None,
        percentage=progress.percentage if has_steps else None,
        image_fraction=None if progress.unobserved else round(progress.image_fraction, 4),
        batch_fraction=round(progress.batch_fraction, 4) if place.batch_id else None,
        phase=str(progress.phase) if progress.phase and not progress.unobserved else None,
        node=progress.node_class or None,
        rate=_rounded(progress.rate),
        elapsed_seconds=_rounded(elapsed),
        left_seconds=_rounded(left),
        seed=job.parameters.seed if job else None,
        ahead=progress.ahead,
        link=link_name(state),
    )


def link_name(state: SessionState) -> str:
    """Return the state of the connection as one word: `live`, `polling`, `offline`, `other_server`, ..."""
    return state.link.kind.name.lower()


def image_event(state: SessionState, job: Job, *, urls: bool) -> ImageEvent:
    """Return the event about a job that has ended."""
    place = place_of(state, job)
    return ImageEvent(
        prompt_id=job.prompt_id,
        batch_id=place.batch_id,
        status=end_of([job]),
        outcome=outcome_of(job) or "lost",
        image_index=place.index,
        total_images=place.total,
        seed=job.parameters.seed,
        seeds=seeds_of(job),
        cell=cell_values(job),
        seconds=_rounded(job.seconds),
        outputs=files_of(job, urls=urls),
        error=error_of(job.failure),
    )


def job_end(state: SessionState, job: Job, *, urls: bool) -> EndEvent:
    """Return the last event about a job that has ended."""
    return _end_event(job.prompt_id, place_of(state, job).batch_id, 1, [job], urls=urls)


def batch_end(state: SessionState, batch: Batch, *, urls: bool) -> EndEvent:
    """Return the last event about a batch whose jobs have all ended."""
    return _end_event(None, batch.id, batch.total, jobs_of(state, batch), urls=urls)


def _end_event(prompt_id: str | None, batch_id: str | None, total: int, jobs: Sequence[Job], *, urls: bool) -> EndEvent:
    end = end_of(jobs)
    decisive = next((job for job in jobs if status_of(job) == end), None)
    return EndEvent(
        event=end,
        prompt_id=prompt_id,
        batch_id=batch_id,
        outcome=(outcome_of(decisive) if decisive else None) or "succeeded",
        total_images=total,
        counts=dict(Counter(end_of([job]) for job in jobs)),
        seeds=tuple(job.parameters.seed for job in jobs),
        outputs=tuple(file for job in jobs for file in files_of(job, urls=urls)),
        error=next((error_of(job.failure) for job in jobs if job.failure), None),
    )


def _rounded(number: float | None) -> float | None:
    return None if number is None else round(max(number, 0.0), 2)
