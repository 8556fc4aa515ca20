"""The simulated machine that nodes run on: memory, files, terminal, clock and interrupt flags."""

import asyncio
import random
from collections.abc import Callable
from dataclasses import dataclass, field

from comfytui.sim.config import SimConfig
from comfytui.sim.files import Files
from comfytui.sim.logs import Logs
from comfytui.sim.memory import Memory, Part

MIN_SLICE_SECONDS = 0.05
"""Shortest time between two changes of the memory figures while a model loads."""
MAX_SLICES = 50
HOUSEKEEPING_SECONDS = 0.005
"""How long ComfyUI stores results after the last frame of a run, and again before the next run."""


class InterruptedRunError(Exception):
    """The running prompt was interrupted."""


class NodeFailedError(Exception):
    """A node failed.

    Args:
        kind: Qualified name of the exception that ComfyUI would report.
        message: The exception's message.
        tips: Advice that ComfyUI appends to the message.
    """

    def __init__(self, kind: str, message: str, tips: str = "") -> None:
        super().__init__(message)
        self.kind = kind
        self.tips = tips


class Clock:
    """Waits for each stage of a run, which takes no other time; tests replace it to hold the server at a step."""

    async def wake(self) -> None:
        """Wait before the next prompt starts; meanwhile the queue shows nothing as running."""
        await asyncio.sleep(HOUSEKEEPING_SECONDS)

    async def store_results(self) -> None:
        """Wait between the frame that ends a run and its entry in the history."""
        await asyncio.sleep(HOUSEKEEPING_SECONDS)

    async def step(self, seconds: float) -> None:
        """Wait for one sampling step."""
        await asyncio.sleep(seconds)

    async def load(self, seconds: float) -> None:
        """Wait while a model is loaded or a text is encoded."""
        await asyncio.sleep(seconds)


@dataclass(slots=True)
class Machine:
    """The state that prompts share and that outlives each of them."""

    config: SimConfig
    files: Files
    logs: Logs
    memory: Memory
    clock: Clock
    interrupted: set[str] = field(default_factory=set)
    """Ids of the running prompts that are to be interrupted."""
    failures: int = 0
    """Number of simulated sampler failures so far."""
    rng: random.Random = field(default_factory=random.Random)

    def check_interrupt(self, prompt_id: str) -> None:
        """Raise InterruptedRunError if an interrupt of this prompt was requested, and reset the request."""
        if prompt_id in self.interrupted:
            self.interrupted.discard(prompt_id)
            raise InterruptedRunError

    async def load_part(self, file: str, part: Part, share: float) -> None:
        """Load a part of a model file, unless it is in memory, within a share of the load time."""
        key = f"{file}/{part.name}"
        if self.memory.load(key, part.mib):
            self.logs.info(f"Requested to load {part.name}")
            await self._load_gradually(share, lambda done: self.memory.grow(key, part.mib, done))
            self.logs.info(f"loaded completely;  {part.mib:.2f} MB loaded, full load: True")

    async def read_model_file(self, file: str, mib: float, share: float) -> None:
        """Read a model file from disk within a share of the load time."""
        self.memory.read_file(file, mib)
        await self._load_gradually(share, lambda done: self.memory.grow_file(file, mib, done))

    async def _load_gradually(self, share: float, grow: Callable[[float], None]) -> None:
        """Wait for a share of the load time, and call `grow` with the progress (0..1) meanwhile."""
        seconds = self.config.load_seconds * share
        slices = max(1, min(MAX_SLICES, int(seconds / MIN_SLICE_SECONDS)))
        for done in range(1, slices + 1):
            await self.clock.load(seconds / slices)
            grow(done / slices)

    def should_fail(self, step: int) -> bool:
        """Return whether a sampler fails after this step, and count the failure."""
        times = self.config.fail_times
        if step != self.config.fail_step or (times is not None and self.failures >= times):
            return False
        self.failures += 1
        return True
