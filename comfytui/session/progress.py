"""Progress of a batch in numbers."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from math import fsum

from comfytui.session.jobs.index import BatchCounts
from comfytui.session.model import Batch, Job, JobStatus, LinkKind, Phase
from comfytui.session.runs.timing import batch_left, image_left, starts_in
from comfytui.session.selectors import ahead_of, counts_of, next_job, runs_of, waits_for_others
from comfytui.session.state import Run, SessionState, active_runs


class Stage(StrEnum):
    """Where a batch stands as a whole."""

    SENDING = "sending"
    QUEUED = "queued"
    RUNNING = "running"
    ENDED = "ended"


@dataclass(frozen=True, slots=True)
class BatchProgress:
    """Progress of one batch. Fractions are 0 to 1, times in seconds, `rate` in steps per second.

    The figures of an image are those of the one that runs, or else of the next one.
    """

    stage: Stage
    image_index: int
    total_images: int
    current_step: int = 0
    """Step of the running pass; 0 while the run is `unobserved`."""
    total_steps: int = 0
    percentage: int = 0
    passes: int = 0
    """Number of the running pass, from 1."""
    phase: Phase | None = None
    node_class: str = ""
    image_fraction: float = 0.0
    """Share of the whole prompt, not of the pass."""
    batch_fraction: float = 0.0
    rate: float | None = None
    batch_elapsed: float | None = 0.0
    """Time spent running, not waiting in the queue; None while the start of the running image is unknown."""
    image_left: float | None = None
    batch_left: tuple[float, float] | None = None
    """Least and greatest time that running the rest takes, without waiting in the queue."""
    starts_in: tuple[float, float] | None = None
    """Least and greatest time until the next image starts, if that is known."""
    waits_for_others: bool = False
    """Whether jobs that are not of the batch run or wait before its last image."""
    ahead: int = 0
    """How many jobs run before the image."""
    sent: int = 0
    done: int = 0
    cached: int = 0
    failed: int = 0
    rejected: int = 0
    interrupted: int = 0
    cancelled: int = 0
    """Jobs that were cancelled or dismissed."""
    dismissed: int = 0
    lost: int = 0
    note: str = ""
    unobserved: bool = False
    """Whether no frames of the run arrive, so that its step is unknown."""
    also_running: int = 0
    """How many others of my jobs run, of any batch."""


def progress_of(state: SessionState, batch: Batch, now: float, job: Job | None = None) -> BatchProgress:
    """Return the progress of a batch at monotonic second `now`.

    The figures of the image are those of `job`, if one is given.
    """
    counts = counts_of(state, batch)
    job = job or next_job(state, batch)
    run = state.runs.get(job.prompt_id) if job else None
    runs = runs_of(state, batch) or ([run] if run else [])
    is_running = job is not None and job.status is JobStatus.RUNNING
    fraction = run.fraction if run else 0.0 if job else 1.0
    unobserved = is_unobserved(state, job)
    observed_run = None if unobserved else run
    return BatchProgress(
        stage=_stage(job, counts),
        image_index=min(job.batch_tag.index, batch.total) if job and job.batch_tag else batch.total,
        total_images=batch.total,
        current_step=observed_run.step if observed_run else 0,
        total_steps=observed_run.steps if observed_run else 0,
        percentage=observed_run.percentage if observed_run else 0,
        passes=observed_run.passes if observed_run else 0,
        phase=observed_run.phase if observed_run else Phase.WORKING if is_running else None,
        node_class=_node_class(job, observed_run),
        image_fraction=fraction,
        batch_fraction=_batch_fraction(state, batch, counts) if job else 1.0,
        rate=observed_run.rate if observed_run else None,
        batch_elapsed=_batch_elapsed(state, counts, runs, now) if runs or not is_running else None,
        image_left=image_left(state, job, run, now) if job and run else None,
        batch_left=batch_left(state, job, runs, counts.open, now) if job else None,
        starts_in=starts_in(state, job, now) if job and not is_running else None,
        waits_for_others=waits_for_others(state, batch),
        ahead=ahead_of(state, job) if job else 0,
        sent=sum(counts.counts.values()) - counts.of(JobStatus.SUBMITTING, JobStatus.CANCELLED),
        done=counts.of(JobStatus.SUCCEEDED, JobStatus.CACHED),
        cached=counts.of(JobStatus.CACHED),
        failed=counts.of(JobStatus.FAILED),
        rejected=counts.of(JobStatus.REJECTED),
        interrupted=counts.of(JobStatus.INTERRUPTED),
        cancelled=counts.of(JobStatus.CANCELLED),
        dismissed=counts.dismissed,
        lost=counts.of(JobStatus.LOST),
        note=job.note if job else "",
        unobserved=unobserved,
        also_running=sum(each is not run for each in active_runs(state)) if is_running else 0,
    )


def is_unobserved(state: SessionState, job: Job | None) -> bool:
    """Return whether no frames about a job of mine would arrive: without a socket, or with one of another comfytui."""
    return state.link.kind is LinkKind.POLLING or (job is not None and job.owner in state.held_elsewhere)


def _stage(job: Job | None, counts: BatchCounts) -> Stage:
    if job is None:
        return Stage.ENDED
    if job.status is JobStatus.RUNNING:
        return Stage.RUNNING
    return Stage.SENDING if counts.of(JobStatus.SUBMITTING) else Stage.QUEUED


def _batch_fraction(state: SessionState, batch: Batch, counts: BatchCounts) -> float:
    """Return the share of a batch that is done.

    Images that were never seen count as done: they ran before this session, or never will. So do those that ran and
    left the queue: the next one may run before the history is asked how the last one ended. Of one that left the queue
    without having been seen to run, the frames may be late.
    """
    done, fractions = max(batch.total - counts.open + counts.left_queue, 0), []
    for run in state.runs.values():
        job = state.jobs[run.prompt_id]
        if job.batch_tag and job.batch_tag.batch == batch.id:
            # Its frames may still come, late, though the queue no longer has it.
            done -= job.left_queue and job.status is JobStatus.RUNNING
            fractions.append(run.fraction)
    # Exact: otherwise the sum falls by a rounding error when a full run becomes a job that is done.
    return min(fsum((done, *fractions)) / max(batch.total, 1), 1.0)


def _batch_elapsed(state: SessionState, counts: BatchCounts, runs: Sequence[Run], now: float) -> float | None:
    """Return how long images of a batch have been running, the time in which several ran counted once.

    None while the start of the running image is unknown.
    """
    if not runs:
        return counts.seconds
    if runs[0].started is None:
        return None
    began = min(run.started for run in runs if run.started is not None)
    elapsed = max(now - began, 0.0)
    if state.workers > 1:
        offset = runs[0].clock_offset
        for start, end in counts.spans:
            if end <= began + offset:
                break
            elapsed -= max(min(end, now + offset) - max(start, began + offset), 0.0)
    return counts.seconds + elapsed


def _node_class(job: Job | None, run: Run | None) -> str:
    return job.classes.get(run.node or "", "") if job and run else ""
