"""The one place where the simulated server lets time pass."""

import asyncio

HOUSEKEEPING_SECONDS = 0.005
"""Time that ComfyUI takes after the last frame of a run, and again before the next one, to put results away."""


class RunTimes:
    """How simulated time passes; a test replaces it to hold the server at an exact step."""

    async def wake(self) -> None:
        """Pass the moment before the next prompt starts, in which the queue shows nothing as running."""
        await asyncio.sleep(HOUSEKEEPING_SECONDS)

    async def settle(self) -> None:
        """Pass the moment between the frame that states an end and its entry in the history."""
        await asyncio.sleep(HOUSEKEEPING_SECONDS)

    async def step(self, seconds: float) -> None:
        """Pass the time of one sampling step."""
        await asyncio.sleep(seconds)

    async def load(self, seconds: float) -> None:
        """Pass the time of loading a model or encoding a text."""
        await asyncio.sleep(seconds)
