"""Detects stalls: how long a run may go without a frame, and whether the server works meanwhile."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from comfytui.session.run_times import workload_key_of
from comfytui.session.runs.run import may_be_loading, stall_threshold
from comfytui.session.state import Run, SessionState

if TYPE_CHECKING:
    from comfytui.comfy.protocol.models import SystemStats

MEMORY_CHANGE_SHARE = 0.01
"""Share of a memory that has to change; less is noise."""


@dataclass(frozen=True, slots=True)
class Stall:
    """A run of mine that has brought nothing for `seconds`."""

    seconds: float
    memory_changing: bool
    """Whether the server's memory changed lately."""

    def __str__(self) -> str:
        what = "memory still moving, loading a model?" if self.memory_changing else "no sign of work"
        return f"no step for {self.seconds:.0f} s: {what}"


def stall_since(state: SessionState, run: Run, last: float, now: float) -> Stall | None:
    """Return the stall of a run; None if it has none.

    Frames of a run whose client id another comfytui holds do not arrive here at all, so that it has none.

    Args:
        state: The session's state.
        run: The run.
        last: When it last brought what the caller counts (a step, or any frame), in monotonic seconds.
        now: The current monotonic second.
    """
    if state.jobs[run.prompt_id].owner in state.held_elsewhere:
        return None
    if (seconds := now - max(last, run.first_seen)) <= stall_timeout(state, run):
        return None
    return Stall(seconds, _memory_is_changing(state, now))


def stall_timeout(state: SessionState, run: Run) -> float:
    """Return the seconds that a run may go without a frame: a few usual steps, and longer while its model loads."""
    job = state.jobs[run.prompt_id]
    if run.first_step_at is None and run.node is not None and may_be_loading(run, job):
        return state.timings.load_stall
    times = state.run_times.get(workload_key_of(job))
    step = run.step_seconds or (times.after_first_step / max(job.parameters.steps or 1, 1) if times else 0.0)
    return stall_threshold(step, state.timings.min_stall)


def current_stall(state: SessionState, run: Run | None, now: float) -> Stall | None:
    """Return the stall of a run to show: since its last step, or since it began; None while frames are late."""
    if run is None or state.link.lag_seconds:
        return None
    return stall_since(state, run, run.first_seen if run.last_step_at is None else run.last_step_at, now)


def memory_changed(before: "SystemStats | None", after: "SystemStats") -> bool:
    """Return whether the memory of the server, or of one of its devices, changed visibly between two readings."""
    if before is None or len(before.devices) != len(after.devices):
        return True
    pairs = [(before.ram_free, after.ram_free, after.ram_total)]
    pairs += [(a.vram_free, b.vram_free, b.vram_total) for a, b in zip(before.devices, after.devices, strict=True)]
    return any(abs(old - new) > MEMORY_CHANGE_SHARE * total for old, new, total in pairs)


def _memory_is_changing(state: SessionState, now: float) -> bool:
    return state.memory_changed_at is not None and now - state.memory_changed_at <= state.timings.memory_still
