"""The recorder: writes to the journal what becomes of my jobs, from the difference of two states."""

from collections.abc import Callable

from comfytui.service.journal.async_journal import AsyncJournal
from comfytui.service.journal.records import Endpoint, SavedBatch
from comfytui.service.submission.batch import GraphStore
from comfytui.session.delivery import Delivery
from comfytui.session.model import Batch, Job, JobStatus, Stamp
from comfytui.session.selectors import jobs_of
from comfytui.session.state import SessionState


class Recorder:
    """Records the jobs of one session.

    Jobs whose client id another comfytui process holds are recorded by that process, except that they were cancelled
    here: it cannot see why they are gone.

    Args:
        journal: Where the jobs are recorded.
        endpoint: Returns the server that new batches are for.
        graphs: The graphs of the jobs.
    """

    def __init__(self, journal: AsyncJournal, endpoint: Callable[[], Endpoint], graphs: GraphStore) -> None:
        self._journal = journal
        self._endpoint = endpoint
        self._graphs = graphs

    def record(self, before: SessionState, after: SessionState) -> None:
        """Record what changed between two states."""
        if after.jobs is before.jobs:
            return
        if after.batches is not before.batches:
            self._record_batches(before, after)
        resent = []
        for prompt_id, job in after.jobs.items():
            if not job.mine or (old := before.jobs.get(prompt_id)) is job:
                continue
            if job.owner not in after.held_elsewhere:
                self._record_job(old, job)
            elif old is not None and job.status is JobStatus.CANCELLED is not old.status:
                self._journal.record_cancelled_for_owner(prompt_id, job.ended, lost=old.status is JobStatus.LOST)
            if old is not None and old.status is JobStatus.LOST and job.status is JobStatus.SUBMITTING:
                resent.append(prompt_id)
        if resent:
            self._journal.record_resent(resent)

    def catch_up(self, saved: SavedBatch, state: SessionState, now: Stamp) -> None:
        """Record what is known of a resumed batch that the process which owned it before did not record."""
        for prompt, prompt_id in zip(saved.prompts, state.batches[saved.batch.id].prompt_ids, strict=True):
            job = state.jobs.get(prompt_id)
            if job is None:
                continue
            if prompt_id != prompt.key:
                self._journal.record_accepted(prompt.key, prompt_id, job.number or 0.0)
            if not prompt.status.final and job.status is not prompt.status:
                self._record_job(prompt.job(now), job)

    def _record_batches(self, before: SessionState, after: SessionState) -> None:
        """Record new batches, and the ids that an old server assigned: the ends of jobs are recorded under these."""
        for key, batch in after.batches.items():
            old = before.batches.get(key)
            if old is None:
                self._record_batch(after, batch)
            elif old is not batch and len(old.prompt_ids) == len(batch.prompt_ids):
                for old_id, new_id in zip(old.prompt_ids, batch.prompt_ids, strict=True):
                    if old_id != new_id and (job := after.jobs.get(new_id)):
                        self._journal.record_accepted(old_id, new_id, job.number or 0.0)

    def _record_batch(self, state: SessionState, batch: Batch) -> None:
        """Record a batch that is about to be sent."""
        jobs = jobs_of(state, batch)
        if batch.adopted or batch.resumed or not jobs or jobs[0].owner is None:
            return
        submissions = [submission for job in jobs if (submission := self._graphs.submission_of(job))]
        self._journal.record_batch(self._endpoint(), jobs[0].owner, batch, submissions)

    def _record_job(self, old: Job | None, job: Job) -> None:
        if job.status.ended:
            if old is None or (old.status, old.outputs) != (job.status, job.outputs):
                self._record_end(job)
        elif old is not None and old.status.ended:
            self._journal.record_reopened(job.prompt_id, job.status)
        elif old is not None:
            self._record_delivery(old, job)

    def _record_end(self, job: Job) -> None:
        self._journal.record_end(
            job.prompt_id, job.status, outputs=job.outputs, failure=job.failure, seconds=job.seconds, wall=job.ended
        )

    def _record_delivery(self, old: Job, job: Job) -> None:
        """Record a step of a job on its way to the server; that its answer is lost follows from the lack of one."""
        if job.cancel_requested and not old.cancel_requested and job.post:
            self._journal.record_cancel_request(job.prompt_id)
        match old.delivery, job.delivery:
            case (before, after) if before is after:
                return
            case _, Delivery.SENDING if job.post and job.owner:
                self._journal.record_sending(job.prompt_id, job.post.wall, job.owner, job.post.evidence)
            case _, Delivery.PLANNED:
                self._journal.record_not_accepted(job.prompt_id)
            case _, Delivery.ACCEPTED:
                self._journal.record_accepted(job.prompt_id, job.prompt_id, job.number or 0.0)
