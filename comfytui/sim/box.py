"""The simulated machine as a node sees it: memory, files, terminal, time and the interrupt flag."""

import random
from dataclasses import dataclass, field

from comfytui.sim.config import SimConfig
from comfytui.sim.files import Files
from comfytui.sim.logs import Logs
from comfytui.sim.memory import Memory, Part
from comfytui.sim.pace import Pace


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
    pace: Pace
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
        if self.memory.load(f"{file}/{part.name}", part.mib):
            self.logs.info(f"Requested to load {part.name}")
            await self.pace.load(self.config.load_seconds * share)
            self.logs.info(f"loaded completely;  {part.mib:.2f} MB loaded, full load: True")

    def should_fail(self, step: int) -> bool:
        """Return whether a sampler is to run out of memory after this step, and count it."""
        times = self.config.fail_times
        if step != self.config.fail_step or (times is not None and self.failures >= times):
            return False
        self.failures += 1
        return True
