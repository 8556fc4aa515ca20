"""Compare the graph of a job with an open workflow: where only values differ, the workflow's form can show them."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from comfytui.workflow.annotations import restore_templates
from comfytui.workflow.field_keys import FieldKey, FieldValue, node_key
from comfytui.workflow.graph import Graph, Workflow, apply_values, read_values
from comfytui.workflow.nodes import NODE_SWITCH, Node, nodes_of


def same_shape(graph: object, other: object) -> bool:
    """Return whether two graphs have the same nodes, classes, inputs and links, so that only values differ."""
    nodes, others = nodes_of(graph), nodes_of(other)
    return nodes.keys() == others.keys() and all(_same_node(node, others[node.id]) for node in nodes.values())


def recalled_values(graph: Graph, workflow: Workflow) -> Mapping[FieldKey, FieldValue] | None:
    """Return the values that turn a workflow's graph into another graph; titles of nodes do not count.

    Args:
        graph: The other graph.
        workflow: The workflow.

    Returns:
        The values that differ by their keys, or None if values that a form can set are not all that differs.
    """
    graph = restore_templates(graph)
    off = _switched_off(graph, workflow)
    base = _without_nodes(workflow, off)
    if not base.graph or not same_shape(graph, base.graph):
        return None
    own = read_values(base)
    try:
        read = read_values(replace(base, graph=graph))
    except (KeyError, TypeError):  # a part of a value that the other graph does not have
        return None
    fields = {key: value for key, value in read.items() if _differs(value, own[key])}
    others = dict(_differences(apply_values(base, fields), graph))
    in_fields = {(slot.node_id, slot.input_name) for slots in base.fields.values() for slot in slots}
    if not in_fields.isdisjoint(others):
        return None  # a field of several slots, which have different values there
    pairs = [*((value, own[key]) for key, value in fields.items()), *others.values()]
    values = {**off, **fields, **{node_key(*place): value for place, (_, value) in others.items()}}
    return values if all(_same_kind(*pair) for pair in pairs) else None


def _switched_off(graph: Graph, workflow: Workflow) -> Mapping[FieldKey, FieldValue]:
    """Return the switches of nodes that a graph does not have, since they were off."""
    return {
        key: False
        for key, slots in workflow.fields.items()
        if any(slot.input_name == NODE_SWITCH and slot.node_id not in graph for slot in slots)
    }


def _without_nodes(workflow: Workflow, off: Mapping[FieldKey, FieldValue]) -> Workflow:
    """Return a workflow without the nodes that are switched off, and without their fields."""
    graph = apply_values(workflow, off)
    fields = {key: slots for key, slots in workflow.fields.items() if all(slot.node_id in graph for slot in slots)}
    return replace(workflow, graph=graph, fields=fields)


def _same_node(node: Node, other: Node) -> bool:
    return (
        node.class_type == other.class_type
        and node.inputs.keys() == other.inputs.keys()
        and node.links.keys() == other.links.keys()
        and all(node.inputs[name] == other.inputs[name] for name in node.links)
    )


def _differences(graph: Graph, other: Graph) -> Iterator[tuple[tuple[str, str], tuple[Any, Any]]]:
    """Yield the id and the input's name of each value that differs in two graphs of one shape, with both values."""
    for node_id, node in graph.items():
        inputs = other[node_id]["inputs"]
        for name, value in node["inputs"].items():
            if _differs(value, inputs[name]):
                yield (node_id, name), (value, inputs[name])


def _differs(value: object, other: object) -> bool:
    return value != other or isinstance(value, bool) != isinstance(other, bool)


def _same_kind(value: object, other: object) -> bool:
    """Return whether two values are both texts, switches or numbers, so that one control can show either."""
    kinds: tuple[type | tuple[type, ...], ...] = (str, bool, (int, float))
    return any(isinstance(value, kind) and isinstance(other, kind) for kind in kinds) and isinstance(
        value, bool
    ) == isinstance(other, bool)
