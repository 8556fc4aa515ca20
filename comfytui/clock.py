"""The clock that the connection and the service read; a test may pass another one than the system's."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Clock:
    """A time source, with a way to wait."""

    monotonic: Callable[[], float] = time.monotonic
    """Seconds of a clock that never goes back, for durations."""
    wall: Callable[[], float] = time.time
    """Seconds since 1970, for what outlives the process."""
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep


SYSTEM_CLOCK = Clock()
