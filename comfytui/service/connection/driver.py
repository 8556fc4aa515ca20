"""Drives the state machine of the connection: brings its inputs one after another, and wakes it in time."""

import asyncio
from collections import deque
from collections.abc import Callable
from contextlib import suppress

from comfytui.clock import SYSTEM_CLOCK, Clock
from comfytui.session.connection.connection import Connection
from comfytui.session.connection.effects import Effect
from comfytui.session.connection.inputs import Input, TimerDue
from comfytui.session.connection.machine import step
from comfytui.session.state import SessionState
from comfytui.timings import DEFAULT, Timings


class ConnectionDriver:
    """Holds the state of the connection.

    Args:
        carry_out: Carries out what the connection wants.
        timings: How long the connection waits for what.
        clock: The time source.
    """

    def __init__(
        self, carry_out: Callable[[Effect], None], timings: Timings = DEFAULT, clock: Clock = SYSTEM_CLOCK
    ) -> None:
        self._carry_out = carry_out
        self._clock = clock
        self._inputs: deque[Input] = deque()
        self._changed = asyncio.Event()  # set, and replaced, at each change
        self._rescheduled = asyncio.Event()  # set when it is to be woken at another time
        self.connection = Connection(timings=timings)
        """The state of the connection; only `take` changes it."""

    def take(self, given: Input) -> None:
        """Step with an input and carry out what follows; inputs that come up meanwhile are taken after it."""
        self._inputs.append(given)
        if len(self._inputs) > 1:
            return
        try:
            while self._inputs:
                self._step(self._inputs[0])
                self._inputs.popleft()
        finally:
            self._inputs.clear()

    def _step(self, given: Input) -> None:
        before = self.connection
        self.connection, effects = step(before, given, self._clock.monotonic())
        if self.connection is not before:
            changed, self._changed = self._changed, asyncio.Event()
            changed.set()
            if self.connection.wake_at != before.wake_at:
                self._rescheduled.set()
        for effect in effects:
            self._carry_out(effect)

    async def until(self, condition: Callable[[Connection], bool]) -> None:
        """Wait until the connection fulfils a condition."""
        while not condition(self.connection):
            await self._changed.wait()

    async def run_timer(self, session: Callable[[], SessionState]) -> None:
        """Step forever whenever the connection is to be woken; `session` returns the session's state."""
        while True:
            self._rescheduled.clear()
            wake_at = self.connection.wake_at
            delay = None if wake_at is None else wake_at - self._clock.monotonic()
            if delay is not None and delay <= 0:
                self.take(TimerDue(session()))
                continue
            # Not wait_for: in Python 3.11 it swallows a cancellation that comes together with the event.
            with suppress(TimeoutError):
                async with asyncio.timeout(delay):
                    await self._rescheduled.wait()
