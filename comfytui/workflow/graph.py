"""A workflow: a graph with a name and the fields that a form can set."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, TypeAlias, TypeVar

from comfytui.sanitize import sanitize
from comfytui.workflow.annotations import restore_templates, templates_of
from comfytui.workflow.branches import Branches
from comfytui.workflow.field_keys import Field, FieldKey, FieldValue, is_node_key, seed_keys, split_node_key
from comfytui.workflow.fields import find_fields
from comfytui.workflow.lora_fields import without_nodes
from comfytui.workflow.node_inputs import NO_DEFINITIONS, set_value
from comfytui.workflow.nodes import NODE_KEYS, NODE_SWITCH, Slot, given_title, is_integer, nodes_of, value_at

if TYPE_CHECKING:
    from comfytui.workflow.editor.findings import Finding

Graph: TypeAlias = Mapping[str, Any]
"""ComfyUI's API format: node id → `{"class_type": …, "inputs": {name: value or [node id, output index]}}`."""

MAX_DEPTH: Final = 200
"""Levels of lists and objects in a graph: Python's encoder takes a few hundred more, fewer where the stack is deep."""

AnyKey = TypeVar("AnyKey", bound=FieldKey)


@dataclass(frozen=True, slots=True)
class Workflow:
    """A graph that can be queued, and its fields."""

    name: str
    graph: Graph = field(repr=False)
    fields: Mapping[FieldKey, tuple[Slot, ...]] = field(repr=False)
    """The slots of each field of the graph, first the one whose value to show."""
    editor: Mapping[str, Any] | None = field(default=None, repr=False)
    """The editor's format that the graph was converted from, or that was saved with it."""
    findings: tuple["Finding", ...] = field(default=(), repr=False)
    """What the user should know of the conversion."""
    promoted: tuple[Slot, ...] = field(default=(), repr=False)
    """The slots that the editor shows as inputs of subgraphs, in their order."""
    templates: tuple[Slot, ...] = field(default=(), repr=False)
    """Texts that are templates in the graph: they are expanded for each image, unless another text is given."""
    file_names: tuple[Slot, ...] = field(default=(), repr=False)
    """File names in which the dates between `%` are filled in when a batch is queued."""


def workflow_of(name: str, graph: Graph) -> Workflow:
    """Return a workflow with this name, with the graph as its user wrote it and the graph's fields."""
    classes, noted = classes_of(graph), templates_of(graph)
    templates = tuple(Slot(node_id, name, classes[node_id]) for node_id, name in noted if node_id in classes)
    graph = restore_templates(graph)
    return Workflow(name, graph, find_fields(graph), templates=templates)


def classes_of(graph: object) -> Mapping[str, str]:
    """Return the class of each node by its id; the graph may be any JSON value."""
    if not isinstance(graph, Mapping):
        return MappingProxyType({})
    classes = {
        node_id: node["class_type"]
        for node_id, node in graph.items()
        if isinstance(node_id, str) and isinstance(node, Mapping) and isinstance(node.get("class_type"), str)
    }
    return MappingProxyType(classes)


def seed_labels(workflow: Workflow) -> Mapping[FieldKey, str]:
    """Return the label of each seed, such as `#3 Hires pass`: the id of its node, and the node's title or class."""
    return {key: node_label(workflow, workflow.fields[key][0]) for key in seed_keys(workflow.fields)}


def node_label(workflow: Workflow, slot: Slot) -> str:
    """Return the label of a slot's node: its id, and its title or class."""
    title = given_title(workflow.graph[slot.node_id], 40) or sanitize(slot.class_type, 40)
    return f"#{sanitize(slot.node_id, 12)} {title}"


def seed_warning(workflow: Workflow) -> str | None:
    """Return a warning if several images of the workflow would be equal, else None."""
    if Field.SEED in workflow.fields:
        return None
    return (
        "This workflow has no seed to vary: the server answers an equal prompt from its cache and makes no new image."
    )


def read_values(workflow: Workflow) -> dict[FieldKey, FieldValue]:
    """Return the value of each field of the graph."""
    return {key: value_at(workflow.graph, slots[0]) for key, slots in workflow.fields.items()}


def apply_values(
    workflow: Workflow, values: Mapping[AnyKey, FieldValue], object_info: Mapping[str, Any] = NO_DEFINITIONS
) -> Graph:
    """Return a copy of the graph with values set: of fields in every slot, then of single inputs of nodes.

    Args:
        workflow: The workflow. Its graph is not modified; the copy shares its unchanged nodes.
        values: The value of each key; keys that the graph does not have are ignored. A LoRA that is off is bypassed.
        object_info: The server's response to `/object_info`, for choices that decide which inputs their node has. They
            are set first; of the inputs that another choice brings, those keep their value that have it too.
    """
    # The inputs that a choice adds have longer names than the choice.
    inputs = sorted(filter(is_node_key, values), key=len)
    graph, branches = workflow.graph, Branches(object_info)
    for key in inputs if object_info else ():
        if named := slot_of_key(graph, key):
            graph, branches = branches.choose(graph, named, values[key])
    bypassed: list[Slot] = []
    for key, value in values.items():
        for slot in workflow.fields.get(key, ()):
            if slot.input_name == NODE_SWITCH:
                bypassed += [] if value else [slot]
            elif branches.accept(graph, slot, value):
                graph = set_value(graph, NO_DEFINITIONS, slot, _fitting(value, value_at(graph, slot)))
    for key in inputs:
        if (named := slot_of_key(graph, key)) and branches.accept(graph, named, values[key]):
            graph = set_value(graph, object_info, named, values[key])
    return without_nodes(graph, bypassed)


def _fitting(value: FieldValue, old: object) -> FieldValue:
    """Return a value as the graph has it: a whole number without a fraction where an integer stands now."""
    return int(value) if isinstance(value, float) and is_integer(old) and value.is_integer() else value


def slot_of_key(graph: Graph, key: FieldKey) -> Slot | None:
    """Return the input of a node that a key names, or None if the graph has no such node, or if the input is linked."""
    node_id, name = split_node_key(key)
    node = nodes_of({node_id: graph.get(node_id)}).get(node_id)
    if node is None or not name or name in node.links:
        return None
    container, _, member = name.partition(".")
    if name not in node.inputs and isinstance(node.inputs.get(container), Mapping):
        return Slot(node_id, container, node.class_type, member)
    return Slot(node_id, name, node.class_type)


def is_too_deep(document: object) -> bool:
    """Return whether a JSON document has more than `MAX_DEPTH` levels of lists and objects."""
    level = [document]
    for _ in range(MAX_DEPTH + 1):
        containers = [each for each in level if isinstance(each, dict | list)]
        if not containers:
            return False
        level = [value for each in containers for value in (each.values() if isinstance(each, dict) else each)]
    return True


def sendable_graph(graph: object) -> Graph | None:
    """Return a graph that came from a server as a client sends it, without the server's additions.

    Returns:
        The graph, or None if the value is not a graph, or not valid JSON in UTF-8, or nested too deeply.
    """
    nodes = nodes_of(graph)
    if not isinstance(graph, dict) or not nodes or len(nodes) != len(graph) or is_too_deep(graph):
        return None
    sent = {node_id: {key: graph[node_id][key] for key in NODE_KEYS if key in graph[node_id]} for node_id in nodes}
    try:
        # Python's parser reads NaN, infinity and lone surrogates, which cannot be sent.
        json.dumps(sent, allow_nan=False, ensure_ascii=False).encode()
    except ValueError:
        return None
    return sent
