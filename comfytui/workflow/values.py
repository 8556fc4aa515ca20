"""The values of a workflow's fields, read and set."""

from collections.abc import Mapping
from typing import Any, TypeVar

from comfytui.workflow.fields import Key, Value
from comfytui.workflow.graph import Graph, Workflow

AnyKey = TypeVar("AnyKey", bound=Key)


def current(workflow: Workflow) -> dict[Key, Value]:
    """Return what the graph has now in each of its fields."""
    return {
        field: workflow.graph[slots[0].node_id]["inputs"][slots[0].input_name]
        for field, slots in workflow.fields.items()
    }


def fill(workflow: Workflow, values: Mapping[AnyKey, Value]) -> Graph:
    """Return a new graph with the values in every slot of their fields; what the graph does not have is left out.

    The workflow's own graph stays as it is; nodes that do not change are shared with it.
    """
    graph: dict[str, Any] = dict(workflow.graph)
    for field, value in values.items():
        for slot in workflow.fields.get(field, ()):
            node = graph[slot.node_id]
            graph[slot.node_id] = {**node, "inputs": {**node["inputs"], slot.input_name: value}}
    return graph
