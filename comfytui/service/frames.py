"""What the service makes of frames, besides handing them to the reducer."""

from comfytui.comfy.events import (
    Event,
    Executed,
    Executing,
    ExecutionCached,
    ExecutionError,
    ExecutionInterrupted,
    ExecutionStart,
    ExecutionSuccess,
    Progress,
    ProgressState,
    Status,
)

RUN_FRAMES = (
    ExecutionStart,
    ExecutionCached,
    Executing,
    Progress,
    ProgressState,
    Executed,
    ExecutionSuccess,
    ExecutionError,
    ExecutionInterrupted,
)
"""Frames that are sent to the socket of whoever submitted the prompt."""


def of_a_run(event: Event) -> bool:
    """Whether a frame proves that frames of runs get through; the greeting after a reconnect names no prompt."""
    return isinstance(event, RUN_FRAMES) and event.prompt_id is not None


def worth_a_look(event: Event) -> bool:
    """Whether the queue or the history may tell more than the frame does."""
    match event:
        case Status() | ExecutionSuccess() | ExecutionError() | ExecutionInterrupted() | Executing(node=None):
            return True
        case _:
            return False
