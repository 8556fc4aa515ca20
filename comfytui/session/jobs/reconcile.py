"""Reconciles the jobs with polls of the queue and the history, which heal whatever frames did not tell."""

from dataclasses import replace

from comfytui.session.events import FinishedPrompt, HistorySnapshot, QueuedPrompt, QueueSnapshot
from comfytui.session.jobs.adoption import adopt, new_job
from comfytui.session.jobs.index import indexed
from comfytui.session.jobs.retention import drop_excess_parameters, excess_ids, remove_jobs
from comfytui.session.jobs.transitions import start_job, upsert
from comfytui.session.model import (
    Failure,
    Job,
    JobStatus,
    LinkKind,
    Presence,
    Stamp,
    without_doubt,
    workload_key_of,
)
from comfytui.session.runs.timing import infer_start
from comfytui.session.state import SessionState

MISSED_POLLS_UNTIL_LOST = 2
"""Polls of queue and history in a row that miss a job before it counts as lost.

Require two consecutive misses: a stalled server may answer a GET before it reads our buffered POST.
"""
MISSED_POLLS_UNTIL_INCOMPLETE = 3
"""Polls of the history in a row without an ended job after which its missing results are given up."""


def reduce_queue_snapshot(state: SessionState, event: QueueSnapshot, at: Stamp) -> SessionState:
    """Return the state after a poll of the whole queue."""
    there = {seen.prompt_id: (seen, JobStatus.QUEUED) for seen in event.pending}
    there |= {seen.prompt_id: (seen, JobStatus.RUNNING) for seen in event.running}
    known = [_in_queue(job, *there[job.prompt_id]) for job in state.jobs.values() if job.prompt_id in there]
    missing = [job for job in state.jobs.values() if job.prompt_id not in there and not job.status.ended]
    fresh = [found for found in there.values() if _is_new(state, found[0])]
    state = upsert(state, [*known, *(_missing_from_queue(state, job, event.requested_at, at) for job in missing)])
    state = _add_new(state, [new_job(*found, mine=_is_mine(state, found[0])) for found in fresh], at)
    state = _follow_running(state, event, at)
    if (state.queue_remaining, state.unobserved_since) == (len(there), None):
        return state
    return replace(state, queue_remaining=len(there), unobserved_since=None)


def reduce_history_snapshot(state: SessionState, event: HistorySnapshot, at: Stamp) -> SessionState:
    """Return the state after a poll of the history."""
    entries = {past.prompt.prompt_id: past for past in event.entries}
    known = [
        _with_history(state.jobs[key], past, at) for key, past in entries.items() if not _is_new(state, past.prompt)
    ]
    fresh = [past for past in entries.values() if _is_new(state, past.prompt)]
    absent = [state.jobs[key] for key in event.requested_ids if key not in entries and key in state.jobs]
    missed = [_missing_from_history(job, at) for job in absent]
    # Of another client's job that is nowhere, nothing is left to say: it was taken out of the queue.
    gone = {job.prompt_id for job in missed if not job.mine and job.status is JobStatus.LOST}
    state = remove_jobs(state, gone)
    state = upsert(state, [*known, *(job for job in missed if job.prompt_id not in gone)])
    ends = [
        _with_history(new_job(past.prompt, JobStatus.LOST, mine=_is_mine(state, past.prompt)), past, at)
        for past in fresh
    ]
    state = _add_new(state, ends, at)
    job = state.jobs.get(state.run.prompt_id) if state.run else None
    if job and job.status.ended:
        return replace(state, run=None)
    return state if event.requested_ids else infer_start(state, at)


def _is_mine(state: SessionState, seen: QueuedPrompt) -> bool:
    return seen.client_id in state.client_ids


def _is_new(state: SessionState, seen: QueuedPrompt) -> bool:
    """Return whether it is unknown, or was taken for another client's before its client id became mine."""
    job = state.jobs.get(seen.prompt_id)
    return job is None or (not job.mine and _is_mine(state, seen))


def _in_queue(job: Job, seen: QueuedPrompt, status: JobStatus) -> Job:
    """Return a known job that the queue shows; one that runs according to frames does not go back to waiting."""
    if job.status.final:
        return job
    if job.status is JobStatus.RUNNING:
        status = JobStatus.RUNNING
    if (job.status, job.number, job.presence) == (status, seen.number, Presence.EXPECTED):
        return job
    return replace(without_doubt(job), status=status, number=seen.number, ended=None)


def _missing_from_queue(state: SessionState, job: Job, asked: float, at: Stamp) -> Job:
    """Return a job that the queue did not show, unless the queue was requested before the server got it.

    This goes for any client's jobs: all may have ended since.
    """
    late = job.status is JobStatus.SUBMITTING or (job.last_confirmed is not None and job.last_confirmed >= asked)
    if late or job.presence is Presence.LEFT_QUEUE:
        return job
    unsure = job.mine and not job.left_queue and _may_have_run(state, job, at)
    return replace(job, presence=Presence.LEFT_QUEUE, may_have_finished=job.may_have_finished or unsure)


def _may_have_run(state: SessionState, job: Job, at: Stamp) -> bool:
    """Return whether its turn may have come in the time that nothing observed."""
    if job.status is JobStatus.RUNNING:
        return True
    if state.unobserved_since is None and state.link.kind is LinkKind.LIVE:
        return False  # Its run would have been seen.
    unseen = at.monotonic - state.unobserved_since if state.unobserved_since is not None else 0.0
    times = state.run_times.get(workload_key_of(job))
    ahead = indexed(state.jobs).queue_positions.get(job.prompt_id, 0)
    return unseen >= (ahead * times.body if times else 0.0)


def _missing_from_history(job: Job, at: Stamp) -> Job:
    """Return a job that is not in the history either."""
    missed_polls = job.missed_polls + 1
    if job.results_incomplete:
        # The server states the end a moment before it writes the history.
        return replace(job, missed_polls=missed_polls, results_incomplete=missed_polls < MISSED_POLLS_UNTIL_INCOMPLETE)
    if job.status.ended or job.presence is not Presence.LEFT_QUEUE:
        return job
    job = replace(job, presence=Presence.NOT_FOUND, missed_polls=missed_polls)
    if missed_polls < MISSED_POLLS_UNTIL_LOST:
        return job
    # One that ran and was overtaken, or of which a frame said that it was over, has finished as likely as not.
    may_have_finished = job.may_have_finished or job.status is JobStatus.RUNNING
    return replace(job, status=JobStatus.LOST, ended=at.wall, may_have_finished=may_have_finished)


def _add_new(state: SessionState, jobs: list[Job], at: Stamp) -> SessionState:
    """Return the state with new jobs, mine in batches; of those not submitted here only the newest are kept."""
    dropped = excess_ids(state, jobs)
    state = remove_jobs(state, dropped)
    jobs = drop_excess_parameters(state, [job for job in jobs if job.prompt_id not in dropped])
    state = adopt(state, [job for job in jobs if job.mine], at.wall)
    return upsert(state, (job for job in jobs if not job.mine))


def _follow_running(state: SessionState, event: QueueSnapshot, at: Stamp) -> SessionState:
    """Return the state with a run of the job of mine that the queue shows as running."""
    ids = [seen.prompt_id for seen in event.running]
    if state.run and (state.run.prompt_id in ids or _confirmed_since(state, state.run.prompt_id, event.requested_at)):
        return state
    jobs = (state.jobs.get(key) for key in ids)
    job = next((job for job in jobs if job and job.mine and job.status is JobStatus.RUNNING), None)
    if job is None:
        return state
    state, run = start_job(state, job, at, started_ms=None, seen_from_start=False)
    created = next(seen.created for seen in event.running if seen.prompt_id == job.prompt_id)
    return replace(state, run=replace(run, created=created)) if run.created != created else state


def _confirmed_since(state: SessionState, prompt_id: str, asked: float) -> bool:
    job = state.jobs.get(prompt_id)
    return job is not None and job.last_confirmed is not None and job.last_confirmed >= asked


def _with_history(job: Job, past: FinishedPrompt, at: Stamp) -> Job:
    """Return a job with what the history says of it; an end that was stated stays, only gaps are filled."""
    status, failure = _outcome(past)
    if job.status.final:
        status = status if (job.status, status) == (JobStatus.SUCCEEDED, JobStatus.CACHED) else job.status
        failure = job.failure
    ended = past.ended if past.ended is not None else at.wall
    return replace(
        without_doubt(job),
        status=status,
        failure=failure,
        outputs=past.outputs if len(past.outputs) > len(job.outputs) else job.outputs,
        seconds=past.seconds if job.seconds is None else job.seconds,
        ended=ended if job.ended is None or not job.status.final else job.ended,
        created=past.prompt.created if job.created is None else job.created,
        results_incomplete=False,
    )


def _outcome(past: FinishedPrompt) -> tuple[JobStatus, Failure | None]:
    match past.outcome:
        case "success":
            return (JobStatus.CACHED if past.all_cached else JobStatus.SUCCEEDED), None
        case "interrupted":
            return JobStatus.INTERRUPTED, None
        case "error":
            return JobStatus.FAILED, past.failure
        case None if past.outputs:
            return JobStatus.SUCCEEDED, None
        case None:
            return JobStatus.FAILED, past.failure or Failure("It ended, and the server does not say how.")
