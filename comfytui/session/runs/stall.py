"""What it means that nothing comes: for how long a run may be quiet, and whether the box is at work meanwhile."""

from dataclasses import dataclass

from comfytui.comfy.protocol.models import SystemStats
from comfytui.session.model import workload_key_of
from comfytui.session.runs.run import cold, overdue
from comfytui.session.state import Run, SessionState

LOAD_PATIENCE = 60.0
"""Seconds that a model may take to load without a sign of life."""
MOVE = 0.01
"""The share of a memory that has to change to be told from noise."""
STILL = 20.0
"""Seconds after which a memory that did not change stands still."""


@dataclass(frozen=True, slots=True)
class Silence:
    """A run of mine that brought no step for `seconds`; `moving`: the box's memory changed lately."""

    seconds: float
    moving: bool

    def __str__(self) -> str:
        what = "memory still moving, loading a model?" if self.moving else "no sign of work"
        return f"no step for {self.seconds:.0f} s: {what}"


def silence_of(state: SessionState, heard: float, now: float) -> Silence | None:
    """The silence since the last frame of a run, at monotonic second `heard`; None while it is not overdue.

    Frames of a run whose client id another comfytui holds do not come here at all.
    """
    run = state.run
    if run is None or state.jobs[run.prompt_id].owner in state.elsewhere:
        return None
    if (quiet := now - max(heard, run.started)) <= patience(state, run):
        return None
    return Silence(quiet, _moving(state, now))


def patience(state: SessionState, run: Run) -> float:
    """Seconds that a run may go without a frame: a few of its usual steps, and longer while its model loads."""
    job = state.jobs[run.prompt_id]
    if run.first_step is None and run.node is not None and cold(run, job):
        return LOAD_PATIENCE
    times = state.run_times.get(workload_key_of(job))
    step = run.step_seconds or (times.body / max(job.parameters.steps or 1, 1) if times else 0.0)
    return overdue(step)


def stall_of(state: SessionState, now: float) -> Silence | None:
    """The silence as a user sees it: since the last step, or since the run began; steps that are late are none."""
    if state.link.behind:
        return None
    run = state.run
    last = (run.last_step if run.last_step is not None else run.started) if run else 0.0
    return silence_of(state, last, now)


def memory_moved(before: SystemStats | None, after: SystemStats) -> bool:
    """Whether the memory of the box, or of one of its cards, changed visibly between two readings."""
    if before is None or len(before.devices) != len(after.devices):
        return True
    pairs = [(before.ram_free, after.ram_free, after.ram_total)]
    pairs += [(a.vram_free, b.vram_free, b.vram_total) for a, b in zip(before.devices, after.devices, strict=True)]
    return any(abs(old - new) > MOVE * total for old, new, total in pairs)


def _moving(state: SessionState, now: float) -> bool:
    return state.memory_moved is not None and now - state.memory_moved <= STILL
