"""Applies the steps of a prompt on its way to the server: `PLANNED`, `SENDING`, `UNCONFIRMED`.

What shows that the server has a prompt (an answer, a poll, a frame) makes it `ACCEPTED`: `delivered` in `transitions`.
"""

from dataclasses import replace
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
from comfytui.session.jobs.transitions import end_without_run, upsert
from comfytui.session.model import Job, JobStatus, Stamp
from comfytui.session.state import SessionState


def reduce_delivery(state: SessionState, event: DeliveryEvent, at: Stamp) -> SessionState:
    """Return the state after a step of a prompt; unchanged where the prompt no longer stands before that step."""
    job = state.jobs.get(event.prompt_id)
    if job is None or not job.mine or (job.status.ended and not isinstance(event, CancelSent)):
        return state
    match event:
        case PromptSending():
            return _send(state, job, event, at)
        case PromptUnconfirmed():
            return _leave_unconfirmed(state, job, event)
        case PromptNotAccepted():
            return _unsend(state, job, at)
        case CancelRequested():
            return _request_cancel(state, job, at)
        case CancelSent():
            is_there = job.delivery is Delivery.ACCEPTED
            return upsert(state, [replace(job, cancel_requested=False)] if is_there else [])
        case _:
            assert_never(event)


def _send(state: SessionState, job: Job, event: PromptSending, at: Stamp) -> SessionState:
    if job.delivery is not Delivery.PLANNED:
        return state
    post = Post(at.monotonic, at.wall, event.evidence)
    return upsert(state, [replace(job, owner=event.client_id, delivery=Delivery.SENDING, post=post)])


def _leave_unconfirmed(state: SessionState, job: Job, event: PromptUnconfirmed) -> SessionState:
    if job.delivery is not Delivery.SENDING:
        return state
    failures = job.server_failures + event.server_failed
    return upsert(state, [replace(job, delivery=Delivery.UNCONFIRMED, server_failures=failures)])


def _unsend(state: SessionState, job: Job, at: Stamp) -> SessionState:
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
