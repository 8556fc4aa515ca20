"""Records in the journal what becomes of my jobs."""

from comfytui.service.journal.async_journal import AsyncJournal
from comfytui.service.journal.records import SavedBatch
from comfytui.session.model import Job, JobStatus
from comfytui.session.state import SessionState


def record(journal: AsyncJournal, before: SessionState, after: SessionState) -> None:
    """Record which of my jobs were accepted, ended or were reopened between two states.

    Jobs whose client id another comfytui process holds are recorded by that process, except that they were cancelled
    here: it cannot see why they are gone.
    """
    if after.jobs is before.jobs:
        return
    if after.batches is not before.batches:
        _record_assigned_ids(journal, before, after)
    for prompt_id, job in after.jobs.items():
        if not job.mine or (old := before.jobs.get(prompt_id)) is job:
            continue
        if job.owner not in after.held_elsewhere:
            _record_job(journal, old, job)
        elif old is not None and job.status is JobStatus.CANCELLED is not old.status:
            journal.record_cancelled_for_owner(prompt_id, job.ended, lost=old.status is JobStatus.LOST)


def catch_up(journal: AsyncJournal, saved: SavedBatch, state: SessionState) -> None:
    """Record what is known of a resumed batch that the process which owned it before did not record."""
    for prompt, prompt_id in zip(saved.prompts, state.batches[saved.batch.id].prompt_ids, strict=True):
        job = state.jobs.get(prompt_id)
        if job is None:
            continue
        if prompt_id != prompt.key:
            journal.record_accepted(prompt.key, prompt_id, job.number or 0.0)
        if not prompt.status.final and job.status is not prompt.status:
            _record_job(journal, prompt.job(), job)


def _record_assigned_ids(journal: AsyncJournal, before: SessionState, after: SessionState) -> None:
    """Record the ids that an old server assigned to prompts; the ends of their jobs are recorded under these ids."""
    for key, batch in after.batches.items():
        old_batch = before.batches.get(key)
        if old_batch is None or old_batch is batch or len(old_batch.prompt_ids) != len(batch.prompt_ids):
            continue
        for old, new in zip(old_batch.prompt_ids, batch.prompt_ids, strict=True):
            if old != new and (job := after.jobs.get(new)):
                journal.record_accepted(old, new, job.number or 0.0)


def _record_job(journal: AsyncJournal, old: Job | None, job: Job) -> None:
    if job.status.ended:
        if old is None or (old.status, old.outputs) != (job.status, job.outputs):
            journal.record_end(
                job.prompt_id,
                job.status,
                outputs=job.outputs,
                failure=job.failure,
                seconds=job.seconds,
                wall=job.ended,
            )
    elif old is not None and old.status.ended:
        journal.record_reopened(job.prompt_id, job.status)
    elif old is not None and old.status is JobStatus.SUBMITTING and job.status is not JobStatus.SUBMITTING:
        journal.record_accepted(job.prompt_id, job.prompt_id, job.number or 0.0)
