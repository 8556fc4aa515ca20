"""A workflow: a graph with a name, and the places in it that a form can set."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from comfytui.workflow.fields import Field, Slot, find_fields
from comfytui.workflow.nodes import Graph

__all__ = ["Graph", "Workflow", "classes_of", "warning_for", "workflow_of"]


@dataclass(frozen=True, slots=True)
class Workflow:
    """A graph that can be queued; `fields` has the slots of each field that the graph has, the one to show first."""

    name: str
    graph: Graph = field(repr=False)
    fields: Mapping[Field, tuple[Slot, ...]] = field(repr=False)


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


def warning_for(workflow: Workflow) -> str | None:
    """Return what the user should know before asking for several images, in one sentence."""
    if Field.SEED in workflow.fields:
        return None
    return (
        "This workflow has no seed to vary: the server answers an equal prompt from its cache and makes no new image."
    )
