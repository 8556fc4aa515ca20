"""Queries on the state of a session; cheap with 10,000 jobs, since the job map carries its indexes."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from comfytui.comfy.protocol.media_types import Media, media_of
from comfytui.session.delivery import Delivery
from comfytui.session.jobs.index import BatchCounts, indexed, run_order
from comfytui.session.model import RAN, Batch, Job, JobStatus
from comfytui.session.state import Run, SessionState, active_runs, shown_run

if TYPE_CHECKING:
    from comfytui.comfy.protocol.events import Output


def counts_of(state: SessionState, batch: Batch) -> BatchCounts:
    """Return how many jobs of a batch are in which status."""
    return indexed(state.jobs).batch_counts.get(batch.id, BatchCounts())


def batch_of(state: SessionState, job: Job) -> Batch | None:
    """Return the batch that a job of mine belongs to."""
    return state.batches.get(job.batch_tag.batch) if job.mine and job.batch_tag else None


def jobs_of(state: SessionState, batch: Batch) -> list[Job]:
    """Return the known jobs of a batch in image order."""
    return [job for prompt_id in batch.prompt_ids if (job := state.jobs.get(prompt_id))]


def newest_image(state: SessionState, batch: Batch) -> tuple[Job, "Output"] | None:
    """Return the job of a batch that finished last with an image, and its first image."""
    with_image = [(job, output) for job in jobs_of(state, batch) if job.status.ended and (output := first_image(job))]
    return max(with_image, key=lambda each: each[0].ended or 0.0, default=None)


def first_image(job: Job) -> "Output | None":
    """Return a job's first file that can be shown as an image, if any: it may have made videos or sounds only."""
    return next((output for output in job.outputs if media_of(output) is Media.IMAGE), None)


def current_batch(state: SessionState) -> Batch | None:
    """Return the batch to show as *Now*: the running one, else the one that runs next, else the one that ended last.

    Of several that run it is the one that started first.
    """
    if run := shown_run(state):
        return batch_of(state, state.jobs[run.prompt_id])
    waiting = [job for batch in state.batches.values() if (job := next_job(state, batch))]
    if waiting:
        return batch_of(state, min(waiting, key=run_order))
    return max(state.batches.values(), key=lambda batch: counts_of(state, batch).ended or batch.created, default=None)


def runs_of(state: SessionState, batch: Batch) -> list[Run]:
    """Return the runs of a batch that go on, the one that started first at the front."""
    jobs = [(run, state.jobs[run.prompt_id]) for run in active_runs(state)]
    return [run for run, job in jobs if job.batch_tag and job.batch_tag.batch == batch.id]


def next_job(state: SessionState, batch: Batch) -> Job | None:
    """Return the job of a batch that runs (of several, the one that started first) or will run first.

    None if all have ended.
    """
    runs = runs_of(state, batch)
    prompt_id = runs[0].prompt_id if runs else counts_of(state, batch).next
    return state.jobs[prompt_id] if prompt_id else None


def is_complete(batch: Batch, jobs: Sequence[Job]) -> bool:
    """Return whether the last image of a batch is among its jobs: another process may still have to send it."""
    return bool(jobs) and (
        len(jobs) >= batch.total or any(job.batch_tag and job.batch_tag.index >= batch.total for job in jobs)
    )


def batch_number(state: SessionState, batch: Batch) -> int:
    """Return the place of a batch among those of the session, from 1; 0 if it is unknown."""
    return next((number for number, known in enumerate(state.batches, 1) if known == batch.id), 0)


def ahead_of(state: SessionState, job: Job) -> int:
    """Return how many jobs, of any client, run before this one; the whole queue if it is not queued yet."""
    positions = indexed(state.jobs).queue_positions
    return 0 if job.status.ended or job.left_queue else positions.get(job.prompt_id, len(positions))


def waits_for_others(state: SessionState, batch: Batch) -> bool:
    """Return whether jobs that are not of the batch run or wait before its last image; none wait if that runs, too."""
    jobs = indexed(state.jobs)
    last, own = jobs.queue_spans.get(batch.id, (-1, 0))
    if not own:  # What is still to be sent comes after all that is there.
        return bool(jobs.queue_positions) and counts_of(state, batch).open > 0
    return last + 1 > own and last >= len(jobs.running_ids)


def open_jobs(state: SessionState) -> int:
    """Return how many jobs of mine have not ended, unsent ones included."""
    return sum(counts_of(state, batch).open for batch in state.batches.values())


def unsent_jobs(state: SessionState) -> int:
    """Return how many jobs of mine the server does not have yet."""
    return sum(counts_of(state, batch).of(JobStatus.SUBMITTING) for batch in state.batches.values())


def can_cancel(state: SessionState, job: Job | None) -> bool:
    """Return whether a job can be cancelled, as far as is known: any job, if None.

    Without the server, jobs that are not sent can be dropped, and lost ones dismissed.
    """
    if state.capabilities is None or state.capabilities.cancel:
        return True
    return job is not None and (job.delivery is Delivery.PLANNED or job.status is JobStatus.LOST)


def cancellable_jobs(state: SessionState, batch: Batch) -> list[Job]:
    """Return the unfinished and lost jobs of a batch that can be cancelled."""
    return [job for job in jobs_of(state, batch) if not job.status.final and can_cancel(state, job)]


def undelivered(state: SessionState) -> tuple[Job, ...]:
    """Return my jobs on their way to the server, in the order in which they go.

    Those whose POST has no answer come first: no other is sent before it is known what became of them.
    """
    jobs = [job for job in indexed(state.jobs).to_deliver if job.delivery is not Delivery.ACCEPTED]
    return tuple(sorted(jobs, key=lambda job: job.delivery is Delivery.PLANNED))


def to_cancel(state: SessionState) -> tuple[Job, ...]:
    """Return my jobs that the server has, and is still to be asked to cancel; for those that ran, it is too late."""
    jobs = (job for job in indexed(state.jobs).to_deliver if job.delivery is Delivery.ACCEPTED)
    return tuple(job for job in jobs if not job.status.ended or job.status in RAN)


def lost_jobs(state: SessionState, batch: Batch | None = None) -> list[Job]:
    """Return my lost jobs, of one batch or of all, in the order of submission.

    Those of another running comfytui are left to it.
    """
    batches = [batch] if batch else state.batches.values()
    jobs = (state.jobs.get(prompt_id) for each in batches for prompt_id in each.prompt_ids)
    return [job for job in jobs if job and job.status is JobStatus.LOST and job.owner not in state.held_elsewhere]


def is_overwritten(state: SessionState, job: Job, output: "Output") -> bool:
    """Return whether a later job was given a file of the same name: a server whose folder was emptied counts anew."""
    ended = job.ended or 0.0
    later = (other for other in state.jobs.values() if output in other.outputs and (other.ended or 0.0) > ended)
    return any(other.status is not JobStatus.CACHED for other in later)


def just_ended(before: SessionState, after: SessionState) -> list[Job]:
    """Return my jobs that were open in `before` and have ended in `after`."""
    return [
        job
        for prompt_id, job in after.jobs.items()
        if job.mine and job.status.ended and (old := before.jobs.get(prompt_id)) and not old.status.ended
    ]


def awaiting_history(state: SessionState) -> tuple[str, ...]:
    """Return the prompt ids of jobs, of any client, whose end is to be read from the history."""
    return indexed(state.jobs).awaiting_history
