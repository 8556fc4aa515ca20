"""Timers that fire once, for certain, also on a busy machine."""

from typing import Any

from textual.message_pump import MessagePump
from textual.timer import Timer


class OneShotTimers(MessagePump):
    """Mixin for apps and screens whose `set_timer` always calls back.

    A timer of Textual skips the times that it is too late for. One that fires once has nothing but its first time: if
    the process is held up for as long as the delay just as the timer starts, its callback never comes. With the 1 ms of
    a paint that is due, or the 8 ms of a resize, a busy machine is enough, and both wait for that callback for ever.
    """

    def set_timer(self, *args: Any, **options: Any) -> Timer:
        """Call a function after a delay, or as soon as possible after it.

        Args:
            args: As those of Textual's `set_timer`.
            options: Likewise.

        Returns:
            The timer, which has begun.
        """
        timer = super().set_timer(*args, **options)
        timer._skip = False  # Read by its task, which the event loop has not started yet.
        return timer
