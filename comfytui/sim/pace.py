"""The one place where the simulated server lets time pass."""

import asyncio


class Pace:
    """How simulated time passes; a test replaces it to hold the server at an exact step."""

    async def wake(self) -> None:
        """Pass the moment between a prompt's arrival in the queue and its start."""
        await asyncio.sleep(0)

    async def step(self, seconds: float) -> None:
        """Pass the time of one sampling step."""
        await asyncio.sleep(seconds)

    async def load(self, seconds: float) -> None:
        """Pass the time of loading a model or encoding a text."""
        await asyncio.sleep(seconds)
