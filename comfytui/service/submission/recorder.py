"""What becomes of my jobs, written down as it happens."""

from comfytui.service.journal.async_journal import AsyncJournal
from comfytui.service.journal.records import SavedBatch
from comfytui.session.model import Job, JobStatus
from comfytui.session.state import SessionState


def record(journal: AsyncJournal, before: SessionState, after: SessionState) -> None:
    """Write down the ends, results and returns of my jobs between two states.

    Another comfytui records its own, but for what is cancelled here: it cannot see why that is gone.
    """
    if after.jobs is before.jobs:
        return
    if after.batches is not before.batches:
        _record_new_ids(journal, before, after)
    for prompt_id, job in after.jobs.items():
        if not job.mine or (old := before.jobs.get(prompt_id)) is job:
            continue
        if job.owner not in after.held_elsewhere:
            _record(journal, old, job)
        elif old is not None and job.status is JobStatus.CANCELLED is not old.status:
            journal.cancelled_for_owner(prompt_id, job.ended, lost=old.status is JobStatus.LOST)


def catch_up(journal: AsyncJournal, saved: SavedBatch, state: SessionState) -> None:
    """Write down what is known of a batch that is taken over, as far as its last owner did not live to see it."""
    for prompt, prompt_id in zip(saved.prompts, state.batches[saved.batch.id].prompts, strict=True):
        job = state.jobs.get(prompt_id)
        if job is None:
            continue
        if prompt_id != prompt.key:
            journal.sent(prompt.key, prompt_id, job.number or 0.0)
        if not prompt.status.final and job.status is not prompt.status:
            _record(journal, prompt.job(), job)


def _record_new_ids(journal: AsyncJournal, before: SessionState, after: SessionState) -> None:
    """Write down under which ids a server that mints its own was found to have prompts, before what became of them."""
    for key, batch in after.batches.items():
        known = before.batches.get(key)
        if known is None or known is batch or len(known.prompts) != len(batch.prompts):
            continue
        for old, new in zip(known.prompts, batch.prompts, strict=True):
            if old != new and (job := after.jobs.get(new)):
                journal.sent(old, new, job.number or 0.0)


def _record(journal: AsyncJournal, old: Job | None, job: Job) -> None:
    if job.status.ended:
        if old is None or (old.status, old.outputs) != (job.status, job.outputs):
            journal.ended(
                job.prompt_id,
                job.status,
                outputs=job.outputs,
                failure=job.failure,
                seconds=job.seconds,
                wall=job.ended,
            )
    elif old is not None and old.status.ended:
        journal.reopened(job.prompt_id, job.status)
    elif old is not None and old.status is JobStatus.SUBMITTING and job.status is not JobStatus.SUBMITTING:
        journal.sent(job.prompt_id, job.prompt_id, job.number or 0.0)
