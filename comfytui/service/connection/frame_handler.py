"""What the service makes of frames, besides handing them to the reducer."""

from comfytui.comfy.protocol.events import (
    Event,
    Executing,
    ExecutionError,
    ExecutionInterrupted,
    ExecutionSuccess,
    Status,
)
from comfytui.session.jobs.execution import EndFrame, RunFrame


def of_a_run(event: Event) -> bool:
    """Whether a frame proves that frames of runs get through; the greeting after a reconnect names no prompt."""
    return isinstance(event, RunFrame | EndFrame) and event.prompt_id is not None


def worth_a_look(event: Event) -> bool:
    """Whether the queue or the history may tell more than the frame does."""
    match event:
        case Status() | ExecutionSuccess() | ExecutionError() | ExecutionInterrupted() | Executing(node=None):
            return True
        case _:
            return False
