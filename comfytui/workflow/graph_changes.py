"""What a graph changes in another one: of the open workflow's file, or of an earlier prompt."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from comfytui.sanitize import sanitize
from comfytui.workflow.annotations import templates_of
from comfytui.workflow.graph import Graph
from comfytui.workflow.nodes import given_title, nodes_of

ABSENT: Final = object()
"""The value of an input that a node does not have."""
MAX_TITLE: Final = 60
"""Characters of a node's title."""


@dataclass(frozen=True, slots=True)
class InputChange:
    """One input with another value than before."""

    node_id: str
    title: str
    """The title of the node, else its class; safe to print."""
    input_name: str
    old: Any
    new: Any
    """Either is `ABSENT` if the node does not have the input."""
    template: str | None = None
    """What the new value was drawn from; None if it stands as it was written."""


def changed_inputs(before: Graph, after: Graph) -> Iterator[InputChange]:
    """Yield the inputs that differ, in the order of the nodes; all inputs of a node that only one of them has.

    A text that was drawn from a template differs if either of the two does.
    """
    templates = templates_of(after)
    for node_id in dict.fromkeys([*after, *before]):
        old, new = _inputs(before, node_id), _inputs(after, node_id)
        title = _title(after if node_id in after else before, node_id)
        for name in dict.fromkeys([*new, *old]):
            values = old.get(name, ABSENT), new.get(name, ABSENT)
            template = templates.get((node_id, name))
            if values[0] != values[1] or type(values[0]) is not type(values[1]) or template not in (None, values[0]):
                yield InputChange(node_id, title, name, *values, template)


def _inputs(graph: Graph, node_id: str) -> dict[str, Any]:
    nodes = nodes_of({node_id: graph.get(node_id)})
    return dict(nodes[node_id].inputs) if nodes else {}


def _title(graph: Graph, node_id: str) -> str:
    if title := given_title(graph[node_id], MAX_TITLE):
        return title
    match graph[node_id]:
        case {"class_type": str() as name}:
            return sanitize(name, MAX_TITLE)
    return f"#{sanitize(node_id, 12)}"
