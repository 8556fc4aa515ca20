"""Which nodes of a graph the server runs."""

from collections.abc import Mapping
from typing import Any

from comfytui.workflow.nodes import nodes_of


def used_nodes(graph: object, object_info: Mapping[str, Any]) -> frozenset[str]:
    """Return the ids of the nodes that an output depends on, which are those that the server checks and runs.

    Args:
        graph: Any JSON value.
        object_info: The server's response to `/object_info`; classes that it lacks are no outputs.
    """
    nodes = nodes_of(graph)
    pending = [node for node in nodes.values() if _is_output(object_info.get(node.class_type))]
    used = {node.id for node in pending}
    while pending:
        for source in pending.pop().links.values():
            if source in nodes and source not in used:
                used.add(source)
                pending.append(nodes[source])
    return frozenset(used)


def _is_output(definition: object) -> bool:
    return isinstance(definition, Mapping) and definition.get("output_node") is True
