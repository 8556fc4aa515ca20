"""Applies submissions by the user, and what becomes of them on the way to the server.

What shows that the server has a prompt (an answer, a poll, a frame) makes it `ACCEPTED`: `delivered` in `transitions`.
"""

from collections.abc import Iterable, Set
from dataclasses import replace
from types import MappingProxyType
from typing import assert_never

from comfytui.session.delivery import (
    CancelRequested,
    CancelSent,
    Delivery,
    DeliveryEvent,
    Post,
    PromptNotAccepted,
    PromptSending,
    PromptUnconfirmed,
)
from comfytui.session.events import (
    BatchPlanned,
    JobCancelled,
    JobsResent,
    PromptAccepted,
    PromptDelayed,
    PromptLost,
    PromptRejected,
)
from comfytui.session.jobs.transitions import confirmed, delivered, end_without_run, rekey, upsert
from comfytui.session.model import Failure, Job, JobStatus, Stamp
from comfytui.session.state import SessionState

DUPLICATE_ID = "The server gave it the id of a different prompt."

SubmissionEvent = (
    BatchPlanned
    | PromptAccepted
    | PromptRejected
    | PromptDelayed
    | PromptLost
    | JobCancelled
    | JobsResent
    | DeliveryEvent
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
        case PromptLost() | PromptRejected() | JobCancelled():
            return _close(state, event, at)
        case _:
            return _reduce_delivery(state, event, at)


def _close(state: SessionState, event: PromptLost | PromptRejected | JobCancelled, at: Stamp) -> SessionState:
    """Return the state with a prompt from which nothing more is expected."""
    match event:
        case PromptLost(prompt_id=prompt_id):
            return _lose(state, prompt_id, at)
        case PromptRejected(prompt_id=prompt_id, failure=failure):
            return end_without_run(state, prompt_id, JobStatus.REJECTED, failure, at)
        case JobCancelled(prompt_id=prompt_id):
            return end_without_run(state, prompt_id, JobStatus.CANCELLED, None, at)
        case _:
            assert_never(event)


def _plan(state: SessionState, event: BatchPlanned) -> SessionState:
    """Return the state with a new batch, or with one that is resumed: jobs that are known as mine then stay.

    An end that is certain replaces a loss, whoever saw it. An image that the server has under an id of its own,
    although its answer never arrived, is not sent again. A cancellation that was requested is carried out there.
    """
    accepted_ids = _already_accepted(state, event)
    batch = replace(
        event.batch, prompt_ids=tuple(accepted_ids.get(prompt, prompt) for prompt in event.batch.prompt_ids)
    )
    new = [job for job in event.jobs if job.prompt_id not in accepted_ids and not _is_known(state, job)]
    if state.batches.get(batch.id) != batch:
        state = replace(state, batches=MappingProxyType({**state.batches, batch.id: batch}))
    to_cancel = [accepted_ids.get(job.prompt_id, job.prompt_id) for job in event.jobs if job.cancel_requested]
    known = (state.jobs.get(prompt_id) for prompt_id in to_cancel)
    found = [
        replace(job, cancel_requested=True)
        for job in known
        if job and job.mine and not job.status.ended and job.delivery is not Delivery.PLANNED
    ]
    return upsert(state, [*found, *new])


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
        return end_without_run(state, job.prompt_id, JobStatus.REJECTED, Failure(DUPLICATE_ID), at)
    status = JobStatus.QUEUED if job.status is JobStatus.SUBMITTING else job.status
    accepted = replace(
        delivered(job), prompt_id=event.accepted_id, status=status, number=event.number, last_confirmed=at.monotonic
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
    if job.cancel_requested:
        return end_without_run(state, prompt_id, JobStatus.CANCELLED, None, at)
    return upsert(state, [replace(delivered(job), status=JobStatus.LOST, may_have_finished=True, ended=at.wall)])


def _reduce_delivery(state: SessionState, event: DeliveryEvent, at: Stamp) -> SessionState:
    """Return the state after a step of a prompt; unchanged where the prompt no longer stands before that step."""
    job = state.jobs.get(event.prompt_id)
    if job is None or not job.mine or (job.status.ended and not isinstance(event, CancelSent)):
        return state
    match event:
        case PromptSending():
            return _mark_sending(state, job, event, at)
        case PromptUnconfirmed():
            return _mark_unconfirmed(state, job, event)
        case PromptNotAccepted():
            return _mark_not_accepted(state, job, at)
        case CancelRequested():
            return _request_cancel(state, job, at)
        case CancelSent():
            is_there = job.delivery is Delivery.ACCEPTED
            return upsert(state, [replace(job, cancel_requested=False)] if is_there else [])
        case _:
            assert_never(event)


def _mark_sending(state: SessionState, job: Job, event: PromptSending, at: Stamp) -> SessionState:
    if job.delivery is not Delivery.PLANNED:
        return state
    post = Post(at.monotonic, at.wall, event.evidence)
    return upsert(state, [replace(job, owner=event.client_id, delivery=Delivery.SENDING, post=post)])


def _mark_unconfirmed(state: SessionState, job: Job, event: PromptUnconfirmed) -> SessionState:
    if job.delivery is not Delivery.SENDING:
        return state
    failures = job.server_failures + event.server_failed
    return upsert(state, [replace(job, delivery=Delivery.UNCONFIRMED, server_failures=failures)])


def _mark_not_accepted(state: SessionState, job: Job, at: Stamp) -> SessionState:
    if job.post is None:
        return state
    if job.cancel_requested:
        return end_without_run(state, job.prompt_id, JobStatus.CANCELLED, None, at)
    return upsert(state, [replace(job, delivery=Delivery.PLANNED, post=None)])


def _request_cancel(state: SessionState, job: Job, at: Stamp) -> SessionState:
    match job.delivery:
        case Delivery.PLANNED:
            return end_without_run(state, job.prompt_id, JobStatus.CANCELLED, None, at)
        case Delivery.SENDING | Delivery.UNCONFIRMED:
            return upsert(state, [replace(job, cancel_requested=True)])
        case Delivery.ACCEPTED:
            return state


def _resend(state: SessionState, prompt_ids: Iterable[str]) -> SessionState:
    """Return the state with lost jobs being submitted again, so that they are no evidence of the earlier process."""
    lost = (state.jobs.get(key) for key in prompt_ids)
    resent = {job.prompt_id: _as_planned(job) for job in lost if job and job.status is JobStatus.LOST}
    unanswered = [_without_evidence(job, resent.keys()) for job in state.jobs.values() if job.post]
    return upsert(state, [*unanswered, *resent.values()])


def _as_planned(job: Job) -> Job:
    return replace(
        confirmed(job),
        status=JobStatus.SUBMITTING,
        delivery=Delivery.PLANNED,
        cancel_requested=False,
        number=None,
        ended=None,
        seconds=None,
    )


def _without_evidence(job: Job, prompt_ids: Set[str]) -> Job:
    return replace(job, post=replace(job.post, evidence=job.post.evidence.without(prompt_ids))) if job.post else job


def _unfinished(state: SessionState, prompt_id: str) -> Job | None:
    job = state.jobs.get(prompt_id)
    return job if job and not job.status.final else None
