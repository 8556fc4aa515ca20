"""The simulated machine as a node sees it: memory, files, terminal, time and the interrupt flag."""

import random
from collections.abc import Callable
from dataclasses import dataclass, field

from comfytui.sim.clock import RunTimes
from comfytui.sim.config import SimConfig
from comfytui.sim.files import Files
from comfytui.sim.logs import Logs
from comfytui.sim.memory import Memory, Part

SHORTEST_SLICE = 0.05
"""Seconds; the figures of the memory move no more often while a model loads."""
MOST_SLICES = 50


class InterruptedRunError(Exception):
    """Somebody interrupted the running prompt."""


class NodeFailedError(Exception):
    """A node raised; `kind` is the full name of the exception that ComfyUI would report, `tips` its advice."""

    def __init__(self, kind: str, message: str, tips: str = "") -> None:
        super().__init__(message)
        self.kind = kind
        self.tips = tips


@dataclass(slots=True)
class Box:
    """Everything that outlives a prompt."""

    config: SimConfig
    files: Files
    logs: Logs
    memory: Memory
    pace: RunTimes
    interrupted: bool = False
    failures: int = 0
    """Samplers that have failed on purpose."""
    rng: random.Random = field(default_factory=random.Random)

    def check_interrupt(self) -> None:
        """Raise InterruptedRunError once when an interrupt was asked for."""
        if self.interrupted:
            self.interrupted = False
            raise InterruptedRunError

    async def bring(self, file: str, part: Part, share: float) -> None:
        """Load a part of a model file if it is not in memory, which takes a share of the load time."""
        key = f"{file}/{part.name}"
        if self.memory.load(key, part.mib):
            self.logs.info(f"Requested to load {part.name}")
            await self._fill(share, lambda done: self.memory.grow(key, part.mib, done))
            self.logs.info(f"loaded completely;  {part.mib:.2f} MB loaded, full load: True")

    async def read(self, file: str, mib: float, share: float) -> None:
        """Read a model file from the disk, which takes a share of the load time."""
        self.memory.read_file(file, mib)
        await self._fill(share, lambda done: self.memory.grow_file(file, mib, done))

    async def _fill(self, share: float, grow: Callable[[float], None]) -> None:
        """Let a part of the load time pass, and the memory fill meanwhile."""
        seconds = self.config.load_seconds * share
        slices = max(1, min(MOST_SLICES, int(seconds / SHORTEST_SLICE)))
        for done in range(1, slices + 1):
            await self.pace.load(seconds / slices)
            grow(done / slices)

    def should_fail(self, step: int) -> bool:
        """Return whether a sampler is to run out of memory after this step, and count it."""
        times = self.config.fail_times
        if step != self.config.fail_step or (times is not None and self.failures >= times):
            return False
        self.failures += 1
        return True
