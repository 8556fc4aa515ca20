"""Graphs as users have them, in ComfyUI's API format."""

from typing import Any

Graph = dict[str, Any]


def node(class_type: str, **inputs: Any) -> dict[str, Any]:
    """Return a node; a link is a list `[node id, output index]`."""
    return {"class_type": class_type, "inputs": inputs}
