"""Applies the server's execution frames to my jobs; frames about other clients' prompts change nothing."""

from dataclasses import replace
from typing import assert_never

from comfytui.comfy.protocol.events import (
    Executed,
    Executing,
    ExecutionCached,
    ExecutionError,
    ExecutionInterrupted,
    ExecutionStart,
    ExecutionSuccess,
    NodeProgress,
    Progress,
    ProgressState,
)
from comfytui.session.jobs.transitions import delivered, finish_job, start_job, upsert
from comfytui.session.model import Failure, Job, JobStatus, Presence, Stamp
from comfytui.session.runs.run import enter_node, finish_node, mark_cached, record_step
from comfytui.session.state import Run, SessionState, only_run, with_run

OUTPUTS_KEPT = 10_000
"""Files kept per job."""
TEXTS_KEPT = 100
"""Texts kept per job."""

RunFrame = ExecutionStart | ExecutionCached | Executing | Progress | ProgressState | Executed
"""Frames that show that a prompt runs."""
EndFrame = ExecutionSuccess | ExecutionError | ExecutionInterrupted
"""Frames that state how a prompt ended."""


def reduce_run_frame(state: SessionState, event: RunFrame, at: Stamp) -> SessionState:
    """Return the state after a frame of a running prompt."""
    job = _mine(state, event.prompt_id or _implied_id(state, event))
    # A frame of a job that ended unseen is late, and does not start it.
    if job is None or (job.left_queue and state.runs and job.prompt_id not in state.runs):
        return state
    if isinstance(event, Executing) and event.node is None:
        return upsert(state, [_left_queue(job)]) if not job.left_queue else state
    start = event if isinstance(event, ExecutionStart) else None
    run = state.runs.get(job.prompt_id)
    if start or run is None or job.status is not JobStatus.RUNNING or job.left_queue:
        started_ms = start.timestamp if start else None
        state, run = start_job(state, job, at, started_ms=started_ms, seen_from_start=start is not None)
    if isinstance(event, Executed):
        state = upsert(state, [_add_results(state.jobs[job.prompt_id], event)])
    followed = _follow(run, job, event, at, state.timings.min_stall)
    return state if followed is run else with_run(state, followed)


def reduce_end_frame(state: SessionState, event: EndFrame, at: Stamp) -> SessionState:
    """Return the state after a frame that states the end of a prompt."""
    job = _mine(state, event.prompt_id)
    if job is None:
        return state
    match event:
        case ExecutionSuccess():
            return finish_job(state, job, JobStatus.SUCCEEDED, at, ended_ms=event.timestamp)
        case ExecutionInterrupted():
            return finish_job(state, job, JobStatus.INTERRUPTED, at, ended_ms=event.timestamp)
        case ExecutionError():
            return finish_job(state, job, JobStatus.FAILED, at, ended_ms=event.timestamp, failure=failure_of(event))
        case _:
            assert_never(event)


def failure_of(error: ExecutionError) -> Failure:
    """Return the failure that a node's error describes."""
    return Failure(error.exception_message, error.node_id, error.node_type, error.exception_type, error.traceback)


def _implied_id(state: SessionState, event: RunFrame) -> str | None:
    """Return which prompt a frame without an id is about: servers of 2023 send steps so, to the client that submitted.

    Other frames without an id are greetings after a reconnect, which may be about any client's prompt.
    """
    run = only_run(state) if isinstance(event, Progress) else None
    return run.prompt_id if run else None


def _mine(state: SessionState, prompt_id: str | None) -> Job | None:
    """Return the job of that id if it is mine and may still change.

    Frames of an unknown id (a server that assigns its own, before its answer) are left to the next poll.
    """
    job = state.jobs.get(prompt_id) if prompt_id else None
    return job if job and job.mine and not job.status.final else None


def _left_queue(job: Job) -> Job:
    """Return a job that no longer runs; the server had it, also if its answer is still missing."""
    if job.status is JobStatus.SUBMITTING:
        job = replace(delivered(job), status=JobStatus.QUEUED)
    return replace(job, presence=Presence.LEFT_QUEUE)


def _follow(run: Run, job: Job, event: RunFrame, at: Stamp, min_stall: float) -> Run:
    match event:
        case ExecutionCached(nodes=nodes):
            return mark_cached(run, job, nodes)
        case Executing(node=str(node), display_node=display):
            return enter_node(run, job, node, display)
        case Progress(value=value, max=top, node=node):
            return record_step(run, job, node, None, value, top, at.monotonic, min_stall)
        case ProgressState(nodes=nodes):
            return _follow_overview(run, job, nodes, at, min_stall)
        case Executed(node=node):
            return finish_node(run, job, node)
        case ExecutionStart() | Executing():
            return run
        case _:
            assert_never(event)


def _follow_overview(run: Run, job: Job, nodes: tuple[NodeProgress, ...], at: Stamp, min_stall: float) -> Run:
    """Return the run after an overview of its nodes; of several running nodes, the one followed so far counts."""
    working = None
    for node in nodes:
        if node.state == "finished":
            run = finish_node(run, job, node.node_id)
        elif node.state == "running" and (working is None or working.node_id != run.pass_node):
            working = node
    if working is None:
        return run
    run = enter_node(run, job, working.node_id, working.display_node_id)
    if not working.value > 0:
        return run
    shown, value, top = working.display_node_id, working.value, working.max
    return record_step(run, job, working.node_id, shown, value, top, at.monotonic, min_stall)


def _add_results(job: Job, event: Executed) -> Job:
    outputs = job.outputs
    if not set(outputs).issuperset(event.outputs):
        outputs = tuple(dict.fromkeys(outputs + event.outputs))[:OUTPUTS_KEPT]
    text = job.text
    if not set(text).issuperset(event.text):
        text = tuple(dict.fromkeys(text + event.text))[:TEXTS_KEPT]
    return job if (outputs, text) == (job.outputs, job.text) else replace(job, outputs=outputs, text=text)
