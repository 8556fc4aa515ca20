"""A clock that holds the simulated server until a test lets it proceed."""

import asyncio

from comfytui.sim.machine import Clock


class Gate(Clock):
    """Blocks each start of a job, each load and each sampling step until it is allowed."""

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
        """Let jobs start; models do not load yet."""
        self._may_wake.set()

    async def let_steps(self, count: int) -> None:
        """Let models load and `count` more steps pass; return when the sampler is blocked at the next step."""
        self._may_wake.set()
        self._may_load.set()
        async with self._moved:
            self._allowed += count
            self._moved.notify_all()
            await self._moved.wait_for(lambda: self._begun > self._allowed)

    async def let_all(self) -> None:
        """Block nothing any more."""
        self._may_wake.set()
        self._may_load.set()
        async with self._moved:
            self._free = True
            self._moved.notify_all()

    async def hold(self) -> None:
        """Block everything from now on."""
        self._may_wake.clear()
        self._may_load.clear()
        async with self._moved:
            self._free = False
            self._allowed = self._begun
