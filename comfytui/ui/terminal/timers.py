"""One-shot timers that always fire, even on a busy machine."""

from typing import Any

from textual.message_pump import MessagePump
from textual.timer import Timer


class OneShotTimers(MessagePump):
    """Mixin for apps and screens whose `set_timer` always calls back.

    A Textual timer skips ticks that it is too late for, and a one-shot timer has a single tick: if the process is held
    up for as long as the delay just as the timer starts, the callback never runs. On a busy machine this happens to the
    1 ms of a paint that is due and to the 8 ms of a resize, and both then wait for the callback for ever.
    """

    def set_timer(self, *args: Any, **options: Any) -> Timer:
        """Call a function once after a delay, or as soon as possible after it.

        Args:
            args: Passed on to Textual's `set_timer`.
            options: Passed on to Textual's `set_timer`.

        Returns:
            The timer, already started.
        """
        timer = super().set_timer(*args, **options)
        timer._skip = False  # Read by the timer's task, which the event loop has not started yet.
        return timer
