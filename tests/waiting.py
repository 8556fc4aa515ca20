"""Waiting on conditions."""

import asyncio
import time
from collections.abc import Callable

PATIENCE = 30.0
"""Seconds until a condition that should come true is given up: generous, since only a failure waits that long."""


async def eventually(
    condition: Callable[[], object],
    what: str = "the condition",
    patience: float = PATIENCE,
    *,
    pause: float = 0.01,
) -> None:
    """Wait until a condition holds; `pause` is for one that takes long to look at."""
    over = time.monotonic() + patience
    while not condition():
        assert time.monotonic() < over, f"{what} did not come true within {patience:.0f} s"
        await asyncio.sleep(pause)
