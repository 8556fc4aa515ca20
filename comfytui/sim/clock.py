"""The simulated server's clock: all time that a run takes passes through it."""

import asyncio

HOUSEKEEPING_SECONDS = 0.005
"""How long ComfyUI stores results after the last frame of a run, and again before the next run."""


class Clock:
    """Waits for each stage of a run; tests replace it to hold the server at an exact step."""

    async def wake(self) -> None:
        """Wait before the next prompt starts; meanwhile the queue shows nothing as running."""
        await asyncio.sleep(HOUSEKEEPING_SECONDS)

    async def settle(self) -> None:
        """Wait between the frame that ends a run and its entry in the history."""
        await asyncio.sleep(HOUSEKEEPING_SECONDS)

    async def step(self, seconds: float) -> None:
        """Wait for one sampling step."""
        await asyncio.sleep(seconds)

    async def load(self, seconds: float) -> None:
        """Wait while a model is loaded or a text is encoded."""
        await asyncio.sleep(seconds)
