"""A workflow: a graph with a name, and the places in it that a form can set."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, TypeVar

from comfytui.sanitize import sanitize
from comfytui.workflow.fields import Field, Key, Slot, Value, find_fields, seed_keys
from comfytui.workflow.nodes import Graph

__all__ = ["Graph", "Workflow", "classes_of", "seed_labels", "warning_for", "workflow_of"]


@dataclass(frozen=True, slots=True)
class Workflow:
    """A graph that can be queued; `fields` has the slots of each field that the graph has, the one to show first."""

    name: str
    graph: Graph = field(repr=False)
    fields: Mapping[Key, tuple[Slot, ...]] = field(repr=False)


def workflow_of(name: str, graph: Graph) -> Workflow:
    """Name a graph and find its fields."""
    return Workflow(name, graph, find_fields(graph))


def classes_of(graph: object) -> Mapping[str, str]:
    """Return the class of each node by its id, for any JSON value."""
    if not isinstance(graph, Mapping):
        return MappingProxyType({})
    classes = {
        node_id: node["class_type"]
        for node_id, node in graph.items()
        if isinstance(node_id, str) and isinstance(node, Mapping) and isinstance(node.get("class_type"), str)
    }
    return MappingProxyType(classes)


def seed_labels(workflow: Workflow) -> Mapping[Key, str]:
    """Return what to call the node of each seed on the screen, `#3 Hires pass`: its id, and its title or class."""
    return {key: _node_label(workflow, workflow.fields[key][0]) for key in seed_keys(workflow.fields)}


def _node_label(workflow: Workflow, slot: Slot) -> str:
    match workflow.graph[slot.node_id]:
        case {"_meta": {"title": str() as title}} if sanitize(title):
            name = title
        case _:
            name = slot.class_type
    return f"#{sanitize(slot.node_id, 12)} {sanitize(name, 40)}"


def warning_for(workflow: Workflow) -> str | None:
    """Return what the user should know before asking for several images, in one sentence."""
    if Field.SEED in workflow.fields:
        return None
    return (
        "This workflow has no seed to vary: the server answers an equal prompt from its cache and makes no new image."
    )


AnyKey = TypeVar("AnyKey", bound=Key)


def read_values(workflow: Workflow) -> dict[Key, Value]:
    """Return what the graph has now in each of its fields."""
    return {
        key: workflow.graph[slots[0].node_id]["inputs"][slots[0].input_name] for key, slots in workflow.fields.items()
    }


def apply_values(workflow: Workflow, values: Mapping[AnyKey, Value]) -> Graph:
    """Return a new graph with the values in every slot of their fields; what the graph does not have is left out.

    The workflow's own graph stays as it is; nodes that do not change are shared with it.
    """
    graph: dict[str, Any] = dict(workflow.graph)
    for key, value in values.items():
        for slot in workflow.fields.get(key, ()):
            node = graph[slot.node_id]
            graph[slot.node_id] = {**node, "inputs": {**node["inputs"], slot.input_name: value}}
    return graph
