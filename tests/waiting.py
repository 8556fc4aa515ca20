"""Waiting for conditions."""

import asyncio
import time
from collections.abc import Callable

TIMEOUT = 60.0
"""Seconds to wait for a condition: generous, since only a failure waits that long."""


async def eventually(
    condition: Callable[[], object],
    what: str = "the condition",
    within: float = TIMEOUT,
    *,
    pause: float = 0.01,
) -> None:
    """Wait until a condition holds.

    Args:
        condition: Called repeatedly until it returns something true.
        what: Name of the condition, for the failure.
        within: Seconds after which it fails.
        pause: Seconds between two calls; longer for a condition that is expensive to check.
    """
    over = time.monotonic() + within
    while not condition():
        assert time.monotonic() < over, f"{what} did not come true within {within:.0f} s"
        await asyncio.sleep(pause)


def wait_until(condition: Callable[[], object], what: str = "the condition") -> None:
    """Wait until a condition holds, in a test or a thread without an event loop.

    Args:
        condition: Called repeatedly until it returns something true.
        what: Name of the condition, for the failure.
    """
    over = time.monotonic() + TIMEOUT
    while not condition():
        assert time.monotonic() < over, f"{what} did not come true within {TIMEOUT:.0f} s"
        time.sleep(0.01)
