"""Changes of the job map that all parts of the reducer share: insert, rekey, start and end jobs."""

from collections.abc import Iterable, Mapping, Set
from dataclasses import replace
from types import MappingProxyType

from comfytui.comfy.protocol.events import Output
from comfytui.session.delivery import Delivery
from comfytui.session.jobs.index import Jobs, indexed
from comfytui.session.jobs.sizes import results_size, shrink, traceback_size, without_traceback
from comfytui.session.model import Failure, Job, JobStatus, Presence, Stamp
from comfytui.session.run_times import RunTimes, WorkloadKey, workload_key_of
from comfytui.session.runs.run import start_run
from comfytui.session.state import Run, SessionState, active_runs, with_run, without_runs

RESULTS_SIZE = 48 * 2**20
"""Bytes of the results of all jobs of a session: 100,000 images."""
JOB_RESULTS_SIZE = 8 * 2**20
"""Bytes of the results of one job: 10,000 files."""
MIN_RESULTS_SIZE = 8 * 2**10
"""Bytes of results that each job keeps in any case: twenty files, or one with the longest names."""
TRACEBACKS_SIZE = 4 * 2**20
"""Bytes of all tracebacks: a few hundred; the newest are kept."""
WORKLOADS_KEPT = 64
"""Workloads whose run times are kept; the oldest is dropped."""


def delivered(job: Job) -> Job:
    """Return the job as no longer on its way to the server, with nothing for `note` to show, and not dismissed."""
    return replace(
        job,
        delivery=Delivery.ACCEPTED,
        post=None,
        server_failures=0,
        delay_reason="",
        may_have_finished=False,
        loss_recorded=False,
        dismissed=False,
    )


def confirmed(job: Job) -> Job:
    """Return the job as one of which it is known where it is: `delivered`, and missed by no poll."""
    return replace(delivered(job), presence=Presence.EXPECTED, missed_polls=0)


def upsert(state: SessionState, jobs: Iterable[Job]) -> SessionState:
    """Return the state with these jobs replacing those of the same ids, new ones last.

    The same object is returned if nothing changed. Results are kept up to a size.
    """
    changed = [job for job in jobs if state.jobs.get(job.prompt_id) != job]
    if not changed:
        return state
    known = indexed(state.jobs)
    return replace(state, jobs=_drop_old_tracebacks(known.with_jobs(_within_results_size(known, changed))))


def _within_results_size(known: Jobs, changed: list[Job]) -> list[Job]:
    """Return these jobs with as many of their results as fit beside those of the other jobs."""
    size, fitted = known.results_size, []
    for job in changed:
        known_job = known.get(job.prompt_id)
        size -= results_size(known_job) if known_job else 0
        fitted_job = shrink(job, max(min(RESULTS_SIZE - size, JOB_RESULTS_SIZE), MIN_RESULTS_SIZE))
        size += results_size(fitted_job)
        fitted.append(fitted_job)
    return fitted


def _drop_old_tracebacks(jobs: Jobs) -> Jobs:
    """Return the jobs without the oldest tracebacks if all of them exceed the limit."""
    if jobs.tracebacks_size <= TRACEBACKS_SIZE:
        return jobs
    failed = [job for job in jobs.values() if traceback_size(job)]
    failed.sort(key=lambda job: job.ended or 0.0, reverse=True)
    size, shortened = 0, []
    for job in failed:
        size += traceback_size(job)
        if size > TRACEBACKS_SIZE // 2:
            shortened.append(without_traceback(job))
    return jobs.with_jobs(shortened)


def rekey(state: SessionState, old: str, job: Job) -> SessionState:
    """Return the state with the job `old` replaced in its place, and in its batch, by `job` of another id."""
    batches = state.batches
    batch = batches.get(job.batch_tag.batch) if job.batch_tag else None
    if batch is not None:
        prompts = tuple(job.prompt_id if prompt == old else prompt for prompt in batch.prompt_ids)
        batches = MappingProxyType({**batches, batch.id: replace(batch, prompt_ids=prompts)})
    runs = state.runs
    if old in runs:
        renamed = (replace(run, prompt_id=job.prompt_id) if key == old else run for key, run in runs.items())
        runs = MappingProxyType({run.prompt_id: run for run in renamed})
    return replace(state, jobs=indexed(state.jobs).with_replaced(old, job), batches=batches, runs=runs)


def start_job(
    state: SessionState, job: Job, at: Stamp, *, started_ms: int | None, seen_from_start: bool
) -> tuple[SessionState, Run]:
    """Return the state in which a job of mine runs, and its run.

    On a server that runs one prompt at a time, it shows that the others have ended: how is to be read from the history.
    """
    jobs = []
    if job.status is not JobStatus.RUNNING or job.left_queue:
        jobs.append(replace(confirmed(job), status=JobStatus.RUNNING, last_confirmed=at.monotonic, ended=None))
    run = state.runs.get(job.prompt_id)
    if run is None and state.workers == 1:
        jobs += _overtaken_jobs(state)
    # A poll may show a run before its first frame arrives; it was seen from its start all the same.
    if run is None or (seen_from_start and not run.seen_from_start and not run.fraction):
        run = start_run(job, at, seen_from_start=seen_from_start, started_ms=started_ms)
        state = with_run(state, run)
    return upsert(state, jobs), run


def _overtaken_jobs(state: SessionState) -> list[Job]:
    """Return the jobs that ran until now as jobs that left the queue. Should they run on, the next poll shows it."""
    return [replace(state.jobs[run.prompt_id], presence=Presence.LEFT_QUEUE) for run in active_runs(state)]


def end_job(state: SessionState, job: Job) -> SessionState:
    """Return the state with a job that ended, and without its run."""
    return without_runs(upsert(state, [job]), {job.prompt_id})


def end_without_run(
    state: SessionState, prompt_id: str, status: JobStatus, failure: Failure | None, at: Stamp
) -> SessionState:
    """Return the state with a job that was rejected or cancelled, unless it has ended otherwise."""
    job = state.jobs.get(prompt_id)
    if job is None or job.status.final:
        return state
    dismissed = job.status is JobStatus.LOST and status is JobStatus.CANCELLED
    return end_job(state, replace(confirmed(job), status=status, failure=failure, ended=at.wall, dismissed=dismissed))


def finish_job(
    state: SessionState, job: Job, status: JobStatus, at: Stamp, *, ended_ms: int | None, failure: Failure | None = None
) -> SessionState:
    """Return the state with a job that ended as a frame states; its run is measured if it was seen from its start."""
    run = state.runs.get(job.prompt_id)
    if status is JobStatus.SUCCEEDED and run and run.seen_from_start:
        if ran_from_cache(run.cached_nodes, job.classes, job.outputs):
            status = JobStatus.CACHED
        else:
            state = replace(state, run_times=_add_run_times(state.run_times, job, run, at.monotonic))
    seconds = _run_seconds(run, at, ended_ms)
    incomplete = run is None or not run.seen_from_start or run.had_gap
    # After a success without results, those were missed.
    incomplete |= status is JobStatus.SUCCEEDED and not (job.outputs or job.text)
    done = replace(confirmed(job), status=status, ended=at.wall, seconds=seconds, failure=failure)
    if incomplete:
        done = replace(done, presence=Presence.LEFT_QUEUE, results_incomplete=True)
    return end_job(state, done)


def ran_from_cache(cached: Set[str], nodes: Iterable[str], outputs: Iterable[Output]) -> bool:
    """Return whether no node ran: all nodes, or all with outputs (and so all before them), came from the cache.

    Args:
        cached: The nodes that came from the cache.
        nodes: The nodes of the graph; empty if it is unknown, so that only those with outputs can tell.
        outputs: The outputs of the run.
    """
    all_nodes, output_nodes = set(nodes), {output.node for output in outputs}
    return any(bool(each) and cached >= each for each in (all_nodes, output_nodes))


def _run_seconds(run: Run | None, at: Stamp, ended_ms: int | None) -> float | None:
    if run is None:
        return None
    if run.started_ms is not None and ended_ms is not None:
        return max(ended_ms - run.started_ms, 0) / 1000
    return at.monotonic - run.first_seen if run.seen_from_start else None


def _add_run_times(
    run_times: Mapping[WorkloadKey, RunTimes], job: Job, run: Run, end: float
) -> Mapping[WorkloadKey, RunTimes]:
    # Prompts that run at the same time may share the hardware. Each is measured as it went beside the others: the next
    # ones will run beside as many, so that an estimate only has to divide them among the workers.
    key = workload_key_of(job)
    first = end if run.first_step_at is None else run.first_step_at
    last = end if run.last_step_at is None else run.last_step_at
    runs = run_times[key].runs + 1 if key in run_times else 1
    times = RunTimes(first - run.first_seen, end - first - run.stalled_seconds, end - last, runs)
    others = [known for known in run_times.items() if known[0] != key]
    return MappingProxyType(dict([*others[1 - WORKLOADS_KEPT :], (key, times)]))
