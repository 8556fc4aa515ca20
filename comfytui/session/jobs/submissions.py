"""Applies submissions by the user, and what becomes of them on the way to the server."""

from collections.abc import Iterable
from dataclasses import replace
from types import MappingProxyType
from typing import assert_never

from comfytui.session.events import (
    BatchPlanned,
    JobCancelled,
    JobsResent,
    PromptAccepted,
    PromptDelayed,
    PromptLost,
    PromptRejected,
)
from comfytui.session.jobs.transitions import end_job, rekey, upsert
from comfytui.session.model import Failure, Job, JobStatus, Stamp, without_missed_polls, without_note
from comfytui.session.state import SessionState

DUPLICATE_ID = "The server gave it the id of a different prompt."

SubmissionEvent = (
    BatchPlanned | PromptAccepted | PromptRejected | PromptDelayed | PromptLost | JobCancelled | JobsResent
)
"""Events about prompts that are being submitted, cancelled or resent."""


def reduce_submission(state: SessionState, event: SubmissionEvent, at: Stamp) -> SessionState:
    """Return the state after a submission or its outcome."""
    match event:
        case BatchPlanned():
            return _plan(state, event)
        case PromptAccepted():
            return _accept(state, event, at)
        case PromptDelayed():
            return _delay(state, event)
        case JobsResent(prompt_ids=prompt_ids):
            return _resend(state, prompt_ids)
        case _:
            return _close(state, event, at)


def _close(state: SessionState, event: PromptLost | PromptRejected | JobCancelled, at: Stamp) -> SessionState:
    """Return the state with a prompt from which nothing more is expected."""
    match event:
        case PromptLost(prompt_id=prompt_id):
            return _lose(state, prompt_id, at)
        case PromptRejected(prompt_id=prompt_id, failure=failure):
            return _end_without_run(state, prompt_id, JobStatus.REJECTED, failure, at)
        case JobCancelled(prompt_id=prompt_id):
            return _end_without_run(state, prompt_id, JobStatus.CANCELLED, None, at)
        case _:
            assert_never(event)


def _plan(state: SessionState, event: BatchPlanned) -> SessionState:
    """Return the state with a new batch, or with one that is resumed: jobs that are known as mine then stay.

    An end that is certain replaces a loss, whoever saw it. An image that the server has under an id of its own,
    although its answer never arrived, is not sent again.
    """
    accepted_ids = _already_accepted(state, event)
    batch = replace(
        event.batch, prompt_ids=tuple(accepted_ids.get(prompt, prompt) for prompt in event.batch.prompt_ids)
    )
    new = [job for job in event.jobs if job.prompt_id not in accepted_ids and not _is_known(state, job)]
    if state.batches.get(batch.id) != batch:
        state = replace(state, batches=MappingProxyType({**state.batches, batch.id: batch}))
    return upsert(state, new)


def _already_accepted(state: SessionState, event: BatchPlanned) -> dict[str, str]:
    """Return the prompt ids of the batch that seem unsent, with the ids under which the server has their images."""
    known = state.batches.get(event.batch.id)
    jobs = [state.jobs.get(prompt) for prompt in known.prompt_ids] if known else []
    images = {job.batch_tag.index: job.prompt_id for job in jobs if job and job.batch_tag}
    unsent = [job for job in event.jobs if job.status is JobStatus.SUBMITTING and job.prompt_id not in state.jobs]
    return {
        job.prompt_id: images[job.batch_tag.index] for job in unsent if job.batch_tag and job.batch_tag.index in images
    }


def _is_known(state: SessionState, job: Job) -> bool:
    known = state.jobs.get(job.prompt_id)
    return known is not None and known.mine and not (known.status is JobStatus.LOST and job.status.final)


def _accept(state: SessionState, event: PromptAccepted, at: Stamp) -> SessionState:
    """Return the state with a prompt that the server accepted, under the id that the server gave it."""
    job = state.jobs.get(event.prompt_id) or state.jobs.get(event.accepted_id)
    if job is None or not job.mine:
        return state
    if job.prompt_id != event.accepted_id and event.accepted_id in state.jobs:
        return _end_without_run(state, job.prompt_id, JobStatus.REJECTED, Failure(DUPLICATE_ID), at)
    status = JobStatus.QUEUED if job.status is JobStatus.SUBMITTING else job.status
    accepted = replace(
        without_note(job), prompt_id=event.accepted_id, status=status, number=event.number, last_confirmed=at.monotonic
    )
    if job.prompt_id == event.accepted_id:
        return upsert(state, [accepted])
    return rekey(state, job.prompt_id, accepted)


def _delay(state: SessionState, event: PromptDelayed) -> SessionState:
    """Return the state with the reason why a prompt could not be sent yet."""
    job = _unfinished(state, event.prompt_id)
    if job is None or job.status is not JobStatus.SUBMITTING or job.delay_reason == event.reason:
        return state
    return upsert(state, [replace(job, delay_reason=event.reason)])


def _lose(state: SessionState, prompt_id: str, at: Stamp) -> SessionState:
    """Return the state with a prompt that may have arrived and run unseen; one that was found meanwhile stays."""
    job = _unfinished(state, prompt_id)
    if job is None or job.status is not JobStatus.SUBMITTING:
        return state
    return upsert(state, [replace(without_note(job), status=JobStatus.LOST, may_have_finished=True, ended=at.wall)])


def _resend(state: SessionState, prompt_ids: Iterable[str]) -> SessionState:
    """Return the state with lost jobs being submitted again."""
    lost = (state.jobs.get(key) for key in prompt_ids)
    return upsert(state, [_as_unsent(job) for job in lost if job and job.status is JobStatus.LOST])


def _as_unsent(job: Job) -> Job:
    return replace(without_missed_polls(job), status=JobStatus.SUBMITTING, number=None, ended=None, seconds=None)


def _end_without_run(
    state: SessionState, prompt_id: str, status: JobStatus, failure: Failure | None, at: Stamp
) -> SessionState:
    """Return the state with a job that was rejected or cancelled."""
    job = _unfinished(state, prompt_id)
    if job is None:
        return state
    dismissed = job.status is JobStatus.LOST and status is JobStatus.CANCELLED
    return end_job(
        state,
        replace(without_missed_polls(job), status=status, failure=failure, ended=at.wall, dismissed=dismissed),
    )


def _unfinished(state: SessionState, prompt_id: str) -> Job | None:
    job = state.jobs.get(prompt_id)
    return job if job and not job.status.final else None
