"""Reconciles the jobs with polls of the queue and the history, which supply what frames did not report."""

from dataclasses import replace

from comfytui.session.events import FinishedPrompt, HistorySnapshot, QueuedPrompt, QueueSnapshot
from comfytui.session.jobs.adoption import adopt, new_job
from comfytui.session.jobs.index import indexed
from comfytui.session.jobs.retention import drop_excess_parameters, excess_ids, remove_jobs
from comfytui.session.jobs.transitions import confirmed, start_job, upsert
from comfytui.session.model import Failure, Job, JobStatus, LinkKind, Presence, Stamp
from comfytui.session.run_times import workload_key_of
from comfytui.session.runs.timing import infer_start
from comfytui.session.state import MAX_RUNS, SessionState, with_run, without_runs

MISSED_POLLS_UNTIL_LOST = 2
"""Polls of queue and history in a row that miss a job before it counts as lost.

Require two consecutive misses: a stalled server may answer a GET before it reads our buffered POST.
"""
MISSED_POLLS_UNTIL_INCOMPLETE = 3
"""Polls of the history in a row without an ended job after which its missing results are given up."""


def reduce_queue_snapshot(state: SessionState, event: QueueSnapshot, at: Stamp) -> SessionState:
    """Return the state after a poll of the whole queue.

    The response may be older than frames that were received meanwhile: a job that they confirmed since the request is
    not missed, and one that runs does not go back to waiting. A missed job is marked, and looked for in the history.

    Args:
        state: The state before.
        event: The response, with the time of its request.
        at: When the response was applied.
    """
    queued = {prompt.prompt_id: (prompt, JobStatus.QUEUED) for prompt in event.pending}
    queued |= {prompt.prompt_id: (prompt, JobStatus.RUNNING) for prompt in event.running}
    known = [_in_queue(job, *queued[job.prompt_id]) for job in state.jobs.values() if job.prompt_id in queued]
    missing = [job for job in state.jobs.values() if job.prompt_id not in queued and not job.status.ended]
    new = [
        new_job(prompt, status, mine=_is_mine(state, prompt))
        for prompt, status in queued.values()
        if _is_new(state, prompt)
    ]
    state = upsert(state, [*known, *(_missing_from_queue(state, job, event.requested_at, at) for job in missing)])
    state = _add_new(state, new, at)
    workers = min(max(state.workers, len(event.running)), MAX_RUNS)
    if (state.queue_remaining, state.unobserved_since, state.workers) != (len(queued), None, workers):
        state = replace(state, queue_remaining=len(queued), unobserved_since=None, workers=workers)
    return _follow_running(state, event, at)


def reduce_history_snapshot(state: SessionState, event: HistorySnapshot, at: Stamp) -> SessionState:
    """Return the state after a poll of the history.

    It comes after the queue that was read before it: only a job that left the queue can be missed by the history.
    An end that a frame stated stays, and an entry fills gaps only, so that entries may come late or repeatedly.

    Args:
        state: The state before.
        event: Entries, and the ids that were requested; a job counts as lost after two polls without an entry.
        at: When the response was applied.
    """
    entries = {entry.prompt.prompt_id: entry for entry in event.entries}
    known = [
        _with_history(state.jobs[key], entry, at) for key, entry in entries.items() if not _is_new(state, entry.prompt)
    ]
    new = [entry for entry in entries.values() if _is_new(state, entry.prompt)]
    missing = [state.jobs[key] for key in event.requested_ids if key not in entries and key in state.jobs]
    missed = [_missing_from_history(job, at) for job in missing]
    # Another client's job that is nowhere was deleted from the queue.
    deleted = {job.prompt_id for job in missed if not job.mine and job.status is JobStatus.LOST}
    state = remove_jobs(state, deleted)
    state = upsert(state, [*known, *(job for job in missed if job.prompt_id not in deleted)])
    ended_jobs = [
        _with_history(new_job(entry.prompt, JobStatus.LOST, mine=_is_mine(state, entry.prompt)), entry, at)
        for entry in new
    ]
    state = _add_new(state, ended_jobs, at)
    state = without_runs(state, {key for key in state.runs if state.jobs[key].status.ended})
    return state if event.requested_ids else infer_start(state, at)


def _is_mine(state: SessionState, prompt: QueuedPrompt) -> bool:
    return prompt.client_id in state.client_ids


def _is_new(state: SessionState, prompt: QueuedPrompt) -> bool:
    """Return whether it is unknown, or was taken for another client's before its client id became mine."""
    job = state.jobs.get(prompt.prompt_id)
    return job is None or (not job.mine and _is_mine(state, prompt))


def _in_queue(job: Job, prompt: QueuedPrompt, status: JobStatus) -> Job:
    """Return a known job that the queue shows; one that runs according to frames does not go back to waiting."""
    if job.status.final:
        return job
    if job.status is JobStatus.RUNNING:
        status = JobStatus.RUNNING
    if (job.status, job.number, job.presence) == (status, prompt.number, Presence.EXPECTED):
        return job
    return replace(confirmed(job), status=status, number=prompt.number, ended=None)


def _missing_from_queue(state: SessionState, job: Job, requested_at: float, at: Stamp) -> Job:
    """Return a job that the queue did not show, unless the queue was requested before the server got it.

    This goes for any client's jobs: all may have ended since.
    """
    late = job.status is JobStatus.SUBMITTING or (job.last_confirmed is not None and job.last_confirmed >= requested_at)
    if late or job.presence is Presence.LEFT_QUEUE:
        return job
    may_have_run = job.mine and not job.left_queue and _may_have_run(state, job, at)
    return replace(job, presence=Presence.LEFT_QUEUE, may_have_finished=job.may_have_finished or may_have_run)


def _may_have_run(state: SessionState, job: Job, at: Stamp) -> bool:
    """Return whether its turn may have come in the time that nothing observed."""
    if job.status is JobStatus.RUNNING:
        return True
    if state.unobserved_since is None and state.link.kind is LinkKind.LIVE:
        return False  # Its run would have been seen.
    unseen = at.monotonic - state.unobserved_since if state.unobserved_since is not None else 0.0
    times = state.run_times.get(workload_key_of(job))
    ahead = indexed(state.jobs).queue_positions.get(job.prompt_id, 0)
    return unseen >= (ahead * times.after_first_step if times else 0.0)


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
    # One that was overtaken while it ran, or whose end a frame announced, has probably finished.
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
    """Return the state with a run of each job of mine that the queue shows as running."""
    running = {prompt.prompt_id: prompt for prompt in event.running[:MAX_RUNS]}
    # A run that started since the queue was requested may have taken the place of what runs there.
    if any(key not in running and _confirmed_since(state.jobs[key], event.requested_at) for key in state.runs):
        return state
    for key in [key for key in running if key not in state.runs]:
        job = state.jobs.get(key)
        if job and job.mine and job.status is JobStatus.RUNNING:
            state, run = start_job(state, job, at, started_ms=None, seen_from_start=False)
            state = with_run(state, replace(run, created=running[key].created))
    return state


def _confirmed_since(job: Job, requested_at: float) -> bool:
    return job.last_confirmed is not None and job.last_confirmed >= requested_at


def _with_history(job: Job, entry: FinishedPrompt, at: Stamp) -> Job:
    """Return a job with what the history says of it; an end that was stated stays, only gaps are filled."""
    status, failure = _outcome(entry)
    if job.status.final:
        status = status if (job.status, status) == (JobStatus.SUCCEEDED, JobStatus.CACHED) else job.status
        failure = job.failure
    ended = entry.ended if entry.ended is not None else at.wall
    return replace(
        confirmed(job),
        status=status,
        failure=failure,
        outputs=entry.outputs if len(entry.outputs) > len(job.outputs) else job.outputs,
        seconds=entry.seconds if job.seconds is None else job.seconds,
        ended=ended if job.ended is None or not job.status.final else job.ended,
        created=entry.prompt.created if job.created is None else job.created,
        results_incomplete=False,
    )


def _outcome(entry: FinishedPrompt) -> tuple[JobStatus, Failure | None]:
    match entry.outcome:
        case "success":
            return (JobStatus.CACHED if entry.all_cached else JobStatus.SUCCEEDED), None
        case "interrupted":
            return JobStatus.INTERRUPTED, None
        case "error":
            return JobStatus.FAILED, entry.failure
        case None if entry.outputs:
            return JobStatus.SUCCEEDED, None
        case None:
            return JobStatus.FAILED, entry.failure or Failure("It ended, and the server does not say how.")
