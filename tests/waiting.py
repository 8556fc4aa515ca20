"""Waiting for conditions."""

import asyncio
import time
from collections.abc import Callable

PATIENCE = 30.0
"""Seconds to wait for a condition: generous, since only a failure waits that long."""


async def eventually(
    condition: Callable[[], object],
    what: str = "the condition",
    patience: float = PATIENCE,
    *,
    pause: float = 0.01,
) -> None:
    """Wait until a condition holds.

    Args:
        condition: Called repeatedly until it returns something true.
        what: Name of the condition, for the failure.
        patience: Seconds after which it fails.
        pause: Seconds between two calls; longer for a condition that is expensive to check.
    """
    over = time.monotonic() + patience
    while not condition():
        assert time.monotonic() < over, f"{what} did not come true within {patience:.0f} s"
        await asyncio.sleep(pause)
