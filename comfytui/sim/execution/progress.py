"""The progress of one prompt's nodes, and the frames that report it."""

from dataclasses import dataclass, field
from typing import Any

from PIL import Image

from comfytui.sim.sockets import Preview, Recipient, Sockets


@dataclass(slots=True)
class NodeProgress:
    """Progress of the nodes of one prompt that have started; each change sends all of them."""

    prompt_id: str
    sockets: Sockets
    recipient: Recipient
    preview_size: int
    nodes: dict[str, dict[str, Any]] = field(default_factory=dict)

    def start(self, node_id: str) -> None:
        """Mark a node as running."""
        self._set(node_id, "running", 0.0, 1.0)

    def finish(self, node_id: str) -> None:
        """Mark a node as finished; a cached one, which never ran, has 1 of 1 steps."""
        known = self.nodes.get(node_id, {"max": 1})
        self._set(node_id, "finished", known["max"], known["max"])

    def step(self, node_id: str, value: int, total: int, image: Image.Image | None) -> None:
        """Send that a node has done `value` of `total` steps, with a preview if `image` is given."""
        self._set(node_id, "running", value, total)
        owner = self.recipient.client_id
        modern = self.sockets.wants_metadata(owner)
        if image is not None and modern:
            metadata = {"node_id": node_id, "prompt_id": self.prompt_id, **_lineage(node_id)}
            self.sockets.send("preview", Preview(image, self.preview_size, metadata), owner)
        reported_node = node_id if self.sockets.capabilities.progress_state else self.recipient.node
        step = {"value": value, "max": total, "prompt_id": self.prompt_id, "node": reported_node}
        self.sockets.send("progress", step, owner)
        if image is not None and not modern:
            self.sockets.send("preview", Preview(image, self.preview_size), owner)

    def _set(self, node_id: str, state: str, value: float, maximum: float) -> None:
        self.nodes[node_id] = {
            "value": value,
            "max": maximum,
            "state": state,
            "node_id": node_id,
            "prompt_id": self.prompt_id,
            **_lineage(node_id),
        }
        if self.sockets.capabilities.progress_state:
            data = {"prompt_id": self.prompt_id, "nodes": dict(self.nodes)}
            self.sockets.send("progress_state", data, self.recipient.client_id)


def _lineage(node_id: str) -> dict[str, str | None]:
    """Return a node's place among subgraphs; there are none here, so it is its own display node."""
    return {"display_node_id": node_id, "parent_node_id": None, "real_node_id": node_id}
