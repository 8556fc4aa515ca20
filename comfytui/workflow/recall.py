"""Compare the graph of a job with an open workflow: where only values differ, the workflow's form can show them."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from comfytui.workflow.field_keys import node_key
from comfytui.workflow.fields import FieldKey, FieldValue
from comfytui.workflow.graph import Graph, Workflow, apply_values, read_values
from comfytui.workflow.nodes import Node, nodes_of


def same_shape(graph: object, other: object) -> bool:
    """Return whether two graphs have the same nodes, classes, inputs and links, so that only values differ."""
    nodes, others = nodes_of(graph), nodes_of(other)
    return nodes.keys() == others.keys() and all(_same_node(node, others[node.id]) for node in nodes.values())


def recalled_values(
    graph: Graph, workflow: Workflow, can_set: Callable[[FieldKey], bool]
) -> Mapping[FieldKey, FieldValue] | None:
    """Return the values that turn a workflow's graph into another graph; titles of nodes do not count.

    Args:
        graph: The other graph.
        workflow: The workflow.
        can_set: Whether the form can set a value, by its key.

    Returns:
        The values that differ by their keys, or None if values that the form can set are not all that differs.
    """
    if not workflow.graph or not same_shape(graph, workflow.graph):
        return None
    own = read_values(workflow)
    try:
        read = read_values(replace(workflow, graph=graph))
    except (KeyError, TypeError):  # a part of a value that the other graph does not have
        return None
    values = {key: value for key, value in read.items() if _differs(value, own[key])}
    rest = dict(_differences(apply_values(workflow, values), graph))
    in_fields = {(slot.node_id, slot.input_name) for slots in workflow.fields.values() for slot in slots}
    if not in_fields.isdisjoint(rest):
        return None  # a field of several slots, which have different values there
    values |= {node_key(*place): value for place, (_, value) in rest.items()}
    is_possible = all(_same_kind(*pair) for pair in rest.values()) and all(
        _same_kind(values[key], own[key]) for key in values.keys() & own.keys()
    )
    return values if is_possible and all(map(can_set, values)) else None


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


def text_of(value: FieldValue) -> str:
    """Return a value as it is typed in a form."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)
