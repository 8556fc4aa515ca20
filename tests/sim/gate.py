"""A pace that stands still until a test lets it pass."""

import asyncio

from comfytui.sim.clock import Clock


class Gate(Clock):
    """Holds the server before each wake, load and step for which there is no leave."""

    def __init__(self) -> None:
        self._may_wake = asyncio.Event()
        self._may_load = asyncio.Event()
        self._free = False
        self._allowed = 0
        self._begun = 0
        self._moved = asyncio.Condition()

    async def wake(self) -> None:
        await self._may_wake.wait()

    async def load(self, seconds: float) -> None:
        await self._may_load.wait()

    async def step(self, seconds: float) -> None:
        async with self._moved:
            mine = self._begun
            self._begun += 1
            self._moved.notify_all()
            await self._moved.wait_for(lambda: self._free or mine < self._allowed)

    def let_start(self) -> None:
        """Let jobs start; their models do not load yet."""
        self._may_wake.set()

    async def let_steps(self, count: int) -> None:
        """Let models load and so many more steps pass, until the sampler stands before the one after."""
        self._may_wake.set()
        self._may_load.set()
        async with self._moved:
            self._allowed += count
            self._moved.notify_all()
            await self._moved.wait_for(lambda: self._begun > self._allowed)

    async def let_all(self) -> None:
        """Hold nothing any more."""
        self._may_wake.set()
        self._may_load.set()
        async with self._moved:
            self._free = True
            self._moved.notify_all()

    async def hold(self) -> None:
        """Hold everything from here on."""
        self._may_wake.clear()
        self._may_load.clear()
        async with self._moved:
            self._free = False
            self._allowed = self._begun
