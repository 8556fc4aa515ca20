"""One call of one node: what goes in and what comes out."""

from dataclasses import dataclass, field
from typing import Any

from PIL import Image

from comfytui.sim.execution.progress import Progress
from comfytui.sim.execution.runtime_values import Value
from comfytui.sim.execution.validate import Graph
from comfytui.sim.machine import Box


@dataclass(frozen=True, slots=True)
class Result:
    """A node's outputs by slot, and what it shows to the client."""

    values: tuple[Value, ...] = ()
    ui: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Call:
    """A node about to run, its links already followed."""

    kind: str
    node_id: str
    inputs: dict[str, Any]
    box: Box
    progress: Progress
    graph: Graph
    extra_data: dict[str, Any]

    def __getitem__(self, name: str) -> Any:
        return self.inputs[name]

    @property
    def preview_method(self) -> str:
        """How this prompt wants its previews made."""
        return self.box.config.preview_for(self.extra_data.get("preview_method"))

    def report(self, step: int, total: int, preview: Image.Image | None) -> None:
        """Tell of a step; raises InterruptedRunError instead when the run was interrupted."""
        self.box.check_interrupt()
        self.progress.step(self.node_id, step, total, preview)
