"""The snapshots of what is known now: one job, and the queue with my batches."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from heapq import nlargest

from comfytui.headless.documents.events import ProgressEvent, batch_progress, link_name, place_of
from comfytui.headless.documents.jobs import (
    VERSION,
    CellValue,
    Document,
    JobError,
    Outcome,
    OutputFile,
    Status,
    cell_values,
    end_of,
    error_of,
    files_of,
    limited,
    outcome_of,
    seeds_of,
    status_of,
)
from comfytui.session.jobs.index import indexed, run_order
from comfytui.session.model import Batch, Job, JobStatus
from comfytui.session.selectors import ahead_of, counts_of, is_complete, jobs_of, next_job
from comfytui.session.state import SessionState

MAX_PENDING = 1_000
"""Pending jobs that are listed, those that run next."""
MAX_ENDED = 100
"""Ended jobs that are listed, the newest."""
MAX_BATCHES = 100
"""Batches that are listed: those that are open first, then the newest."""
MAX_PROMPT_IDS = 1_000
"""Jobs of a batch that are listed."""


class JobSnapshot(Document, frozen=True, kw_only=True):
    """What is known of one job, of any user. What its graph does not have, or the server does not tell, is null."""

    version: int = VERSION
    prompt_id: str
    batch_id: str | None
    """Null for a job of another user."""
    image_index: int
    """From 1."""
    total_images: int
    mine: bool
    status: Status
    outcome: Outcome | None
    """How it ended, in detail; null while it has not."""
    position: int | None
    """Its place among all that run or wait, from 1; null if it is not in the server's queue."""
    ahead: int
    """How many jobs, of any user, run before it."""
    prompt: str
    negative: str
    model: str | None
    width: int | None
    height: int | None
    steps: int | None
    cfg: float | None
    guidance: float | None
    sampler: str | None
    scheduler: str | None
    seed: int | None
    seeds: tuple[int, ...]
    """All seeds, for a graph with several."""
    cell: tuple[CellValue, ...]
    """What distinguishes the image from the others of its batch, besides the seed; empty without axes."""
    created_at: datetime | None
    ended_at: datetime | None
    seconds: float | None
    """How long it ran; null while it has not ended."""
    outputs: tuple[OutputFile, ...]
    error: JobError | None
    note: str
    """What there is to add: why it is not sent yet, or that a lost job may have finished."""


class BatchSnapshot(Document, frozen=True, kw_only=True):
    """Images of mine that were queued together."""

    batch_id: str
    title: str
    total_images: int
    status: Status
    """That of the image which runs, or else runs next; of a batch that has ended, how it did."""
    counts: dict[Status, int]
    """How many images have which status."""
    prompt_ids: tuple[str, ...]
    """In image order."""
    created_at: datetime | None
    progress: ProgressEvent | None
    """How far it is; null once it has ended."""


class QueueSnapshot(Document, frozen=True, kw_only=True):
    """All jobs of the server that are known, and my batches."""

    version: int = VERSION
    link: str
    """The connection to ComfyUI: `live`, `polling`, `offline`, ..."""
    current: bool
    """False while ComfyUI cannot be reached: then this is as last seen."""
    length: int
    """Jobs in the server's queue, those that run included."""
    running: tuple[JobSnapshot, ...]
    pending: tuple[JobSnapshot, ...]
    """In the order in which they run, mine that are not sent yet at the end."""
    omitted: int
    """Pending jobs that are not listed, since there are too many."""
    ended: tuple[JobSnapshot, ...]
    """The newest, newest first."""
    batches: tuple[BatchSnapshot, ...]
    """Mine, newest last."""


def job_snapshot(state: SessionState, job: Job, *, urls: bool) -> JobSnapshot:
    """Return what is known of a job, with the paths of its files on the relay if `urls` is set."""
    place, parameters = place_of(state, job), job.parameters
    position = indexed(state.jobs).queue_positions.get(job.prompt_id)
    return JobSnapshot(
        prompt_id=job.prompt_id,
        batch_id=place.batch_id,
        image_index=place.index,
        total_images=place.total,
        mine=job.mine,
        status=status_of(job),
        outcome=outcome_of(job),
        position=None if position is None else position + 1,
        ahead=ahead_of(state, job),
        prompt=limited(parameters.prompt),
        negative=limited(parameters.negative),
        model=_optional(parameters.model),
        width=parameters.width,
        height=parameters.height,
        steps=parameters.steps,
        cfg=parameters.cfg,
        guidance=parameters.guidance,
        sampler=_optional(parameters.sampler),
        scheduler=_optional(parameters.scheduler),
        seed=parameters.seed,
        seeds=seeds_of(job),
        cell=cell_values(job),
        created_at=_time(job.created),
        ended_at=_time(job.ended),
        seconds=None if job.seconds is None else round(job.seconds, 2),
        outputs=files_of(job, urls=urls),
        error=error_of(job.failure),
        note=limited(job.note),
    )


def batch_snapshot(state: SessionState, batch: Batch, now: float) -> BatchSnapshot:
    """Return what is known of a batch at monotonic second `now`."""
    jobs, following = jobs_of(state, batch), next_job(state, batch)
    counts: dict[Status, int] = {}
    for job in jobs:
        counts[status_of(job)] = counts.get(status_of(job), 0) + 1
    return BatchSnapshot(
        batch_id=batch.id,
        title=limited(batch.title),
        total_images=batch.total,
        status=_batch_status(batch, jobs, following),
        counts=counts,
        prompt_ids=batch.prompt_ids[:MAX_PROMPT_IDS],
        created_at=_time(batch.created),
        progress=batch_progress(state, batch, now) if following else None,
    )


def _batch_status(batch: Batch, jobs: Sequence[Job], following: Job | None) -> Status:
    if following:
        return status_of(following)
    return end_of(jobs) if is_complete(batch, jobs) else "sending"


def queue_snapshot(state: SessionState, now: float, *, urls: bool) -> QueueSnapshot:
    """Return the jobs of the server and my batches at monotonic second `now`; `urls` as in `job_snapshot`."""
    jobs = state.jobs.values()
    in_order = sorted((job for job in jobs if not job.status.ended), key=run_order)
    running = [job for job in in_order if job.status is JobStatus.RUNNING]
    pending = in_order[len(running) :]
    ended = nlargest(MAX_ENDED, (job for job in jobs if job.status.ended), key=_recency)

    def snapshots(jobs: Iterable[Job]) -> tuple[JobSnapshot, ...]:
        return tuple(job_snapshot(state, job, urls=urls) for job in jobs)

    return QueueSnapshot(
        link=link_name(state),
        current=state.unobserved_since is None,
        length=state.queue_remaining,
        running=snapshots(running),
        pending=snapshots(pending[:MAX_PENDING]),
        omitted=max(len(pending) - MAX_PENDING, 0),
        ended=snapshots(ended),
        batches=tuple(batch_snapshot(state, batch, now) for batch in _listed_batches(state)),
    )


def _listed_batches(state: SessionState) -> list[Batch]:
    """Return the batches that are listed, the newest last."""
    numbered = enumerate(sorted(state.batches.values(), key=lambda batch: batch.created))
    listed = nlargest(MAX_BATCHES, numbered, key=lambda each: (counts_of(state, each[1]).open > 0, each[0]))
    return [batch for _, batch in sorted(listed, key=lambda each: each[0])]


def _recency(job: Job) -> tuple[float, int]:
    return job.ended or job.created or 0.0, job.batch_tag.index if job.batch_tag else 0


def _optional(text: str | None) -> str | None:
    return None if text is None else limited(text)


def _time(wall: float | None) -> datetime | None:
    """Return a wall second as a time in UTC; None if it is unknown, or outside of what a calendar has."""
    if wall is None:
        return None
    try:
        return datetime.fromtimestamp(round(wall, 3), UTC)
    except (OverflowError, ValueError, OSError):
        return None
