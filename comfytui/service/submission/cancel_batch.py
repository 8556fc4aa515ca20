"""Cancels a batch wherever its jobs are: not sent yet, on the server, or with another comfytui that sends them."""

import asyncio
from collections.abc import Callable, Sequence, Set
from dataclasses import replace

from comfytui.clock import SYSTEM_CLOCK, Clock
from comfytui.comfy.errors import ComfyError, Unreachable
from comfytui.service.backend import Backend
from comfytui.service.journal.async_journal import AsyncJournal
from comfytui.service.results import BatchCancelled, CancelOutcome
from comfytui.service.store import SessionStore
from comfytui.service.submission.cancel import OBSTACLES
from comfytui.session.delivery import CancelRequested, Delivery
from comfytui.session.events import JobCancelled, SessionEvent
from comfytui.session.model import Job, JobStatus, LinkKind
from comfytui.session.selectors import jobs_of
from comfytui.session.state import SessionState

PAUSE = 0.1
"""Seconds between two looks for jobs of a batch that arrive while it is cancelled."""
PATIENCE = 5.0
"""Seconds in which a job must arrive that another comfytui is sending."""


async def cancel_batch(
    batch: str,
    store: SessionStore,
    backend: Backend,
    journal: AsyncJournal,
    poll: Callable[[], None],
    *,
    force: bool = False,
    clock: Clock = SYSTEM_CLOCK,
) -> BatchCancelled:
    """Cancel the unfinished and lost jobs of a batch.

    What this process has not seen of it is in the journal: there, another process finds before each POST that the
    prompt is cancelled; one whose POST has begun is cancelled once the server shows it.

    Args:
        batch: Its id.
        store: The session.
        backend: The server.
        journal: Has the prompts of all processes.
        poll: Requests a poll.
        force: Interrupt even where the server can only stop whatever runs.
        clock: The time source.

    Returns:
        The result, also where the server cannot be asked.
    """
    result, tried = BatchCancelled(), set[str]()
    over = clock.monotonic() + PATIENCE
    while True:
        unsent = {job.prompt_id for job in _open_jobs(store.state, batch) if job.delivery is Delivery.PLANNED}
        theirs = set(await journal.cancel_unsent(batch, clock.wall())) - unsent - tried
        jobs = [job for job in _open_jobs(store.state, batch) if job.prompt_id not in tried]
        tried.update(job.prompt_id for job in jobs)
        more = await cancel_all(jobs, lambda: store.state, backend, store.apply, force=force)
        result = _sum(result, replace(more, dropped=more.dropped + len(theirs)))
        unseen = {each for each in await journal.unfinished_of(batch) if not _is_done(store.state, each)} - tried
        if not unseen or result.error or result.others:
            return result
        if clock.monotonic() >= over:
            return replace(result, being_sent=len(unseen))
        poll()
        await asyncio.sleep(PAUSE)


def _open_jobs(state: SessionState, batch: str) -> list[Job]:
    jobs = jobs_of(state, state.batches[batch]) if batch in state.batches else []
    return [job for job in jobs if not job.status.final]


def _is_done(state: SessionState, prompt_id: str) -> bool:
    job = state.jobs.get(prompt_id)
    return job is not None and job.status.final


def _sum(first: BatchCancelled, second: BatchCancelled) -> BatchCancelled:
    return BatchCancelled(
        dismissed=first.dismissed + second.dismissed,
        dropped=first.dropped + second.dropped,
        on_arrival=first.on_arrival + second.on_arrival,
        removed=first.removed + second.removed,
        interrupted=first.interrupted + second.interrupted,
        others=first.others or second.others,
        error=first.error or second.error,
    )


async def cancel_all(
    jobs: Sequence[Job],
    state: Callable[[], SessionState],
    backend: Backend,
    apply: Callable[[SessionEvent], None],
    *,
    force: bool = False,
) -> BatchCancelled:
    """Drop, delete and interrupt jobs of mine in as few requests as possible, and dismiss lost ones.

    Arguments as for `cancel`. None of the jobs has ended otherwise than lost.

    Returns:
        The result, also where the server cannot be asked.
    """
    lost = {job.prompt_id for job in jobs if job.status is JobStatus.LOST}
    unsent = {job.prompt_id for job in jobs if job.delivery is Delivery.PLANNED}
    unanswered = {job.prompt_id for job in jobs if job.post}
    for prompt_id in lost:
        apply(JobCancelled(prompt_id))
    for prompt_id in (*unsent, *unanswered):
        apply(CancelRequested(prompt_id))
    result = BatchCancelled(dismissed=len(lost), dropped=len(unsent), on_arrival=len(unanswered))
    sent = {job.prompt_id for job in jobs} - lost - unsent - unanswered
    if not sent:
        return result
    if (capabilities := state().capabilities) is None or not capabilities.cancel:
        outcome = CancelOutcome.UNSUPPORTED if capabilities else CancelOutcome.UNKNOWN_VERSION
        return replace(result, others=outcome)
    if (link := state().link).kind is LinkKind.OTHER_SERVER:
        return replace(result, error=Unreachable(link.reason))
    try:
        removed = await _remove(sent, backend, apply)
        interrupted, obstacle = await backend.interrupt(sent, capabilities, force=force)
    except ComfyError as error:
        return replace(result, error=error)
    return replace(result, removed=removed, interrupted=interrupted, others=obstacle and OBSTACLES[obstacle])


async def _remove(prompt_ids: Set[str], backend: Backend, apply: Callable[[SessionEvent], None]) -> int:
    """Remove the prompts that wait in the queue; return how many are gone."""
    removed = await backend.remove(prompt_ids)
    for prompt_id in removed:
        # One that ran and ended between the two requests is in the history, where the next poll finds it.
        if await backend.history_entry(prompt_id) is None:
            apply(JobCancelled(prompt_id))
    return len(removed)
