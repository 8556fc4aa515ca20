"""The traceback that is printed when the application fails, without secrets."""

from typing import TYPE_CHECKING

from rich.console import Console
from rich.segment import Segments

from comfytui.service.thread import ServiceThread

if TYPE_CHECKING:
    from rich.traceback import Trace


def crash_report(console: Console) -> Segments:
    """Return the traceback of the current exception.

    Unlike Textual's own it has no local variables, which contain headers and tokens.
    """
    from rich.traceback import Traceback

    traceback = Traceback(width=None)
    _hide_secrets(traceback.trace)
    return Segments(console.render(traceback, console.options))


def _hide_secrets(trace: "Trace") -> None:
    """Remove secrets from the error messages of a traceback."""
    for stack in trace.stacks:
        stack.exc_value = ServiceThread.without_secrets(stack.exc_value)
        stack.notes = list(map(ServiceThread.without_secrets, stack.notes))
        for each in stack.exceptions:
            _hide_secrets(each)
