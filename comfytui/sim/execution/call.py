"""The call of a node: its inputs and its result."""

from dataclasses import dataclass, field
from typing import Any

from PIL import Image

from comfytui.sim.execution.progress import NodeProgress
from comfytui.sim.execution.runtime_values import Value
from comfytui.sim.execution.validate import Graph
from comfytui.sim.machine import Machine


@dataclass(frozen=True, slots=True)
class NodeResult:
    """A node's outputs by slot, and its UI output for the client."""

    values: tuple[Value, ...] = ()
    ui: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class NodeCall:
    """A node to run, its links replaced by their values."""

    kind: str
    node_id: str
    inputs: dict[str, Any]
    machine: Machine
    progress: NodeProgress
    graph: Graph
    extra_data: dict[str, Any]

    def __getitem__(self, name: str) -> Any:
        return self.inputs[name]

    @property
    def preview_method(self) -> str:
        """The preview method of this prompt."""
        return self.machine.config.preview_for(self.extra_data.get("preview_method"))

    def report_step(self, step: int, total: int, preview: Image.Image | None) -> None:
        """Send the progress after a step.

        Raises:
            InterruptedRunError: If the run was interrupted; nothing is sent then.
        """
        self.machine.check_interrupt(self.progress.prompt_id)
        self.progress.step(self.node_id, step, total, preview)
