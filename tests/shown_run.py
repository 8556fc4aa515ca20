"""What a session knows of the run that is shown."""

from comfytui.session.runs.stall import Stall, current_stall
from comfytui.session.state import SessionState, shown_run


def step_of(state: SessionState) -> int:
    """Return the step of the run that is shown; 0 without one."""
    run = shown_run(state)
    return run.step if run else 0


def running_id(state: SessionState) -> str | None:
    """Return the prompt_id of the run that is shown."""
    run = shown_run(state)
    return run.prompt_id if run else None


def stall_of(state: SessionState, now: float) -> Stall | None:
    """Return the stall of the run that is shown, if it has one."""
    return current_stall(state, shown_run(state), now)
