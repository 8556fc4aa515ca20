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
    input_name: str | None
    """The name of the input; None for a node that is bypassed."""
    old: Any
    new: Any
    """Either is `ABSENT` if the node does not have the input."""
    template: str | None = None
    """What the new value was drawn from; None if it stands as it was written."""


def changed_inputs(before: Graph, after: Graph) -> Iterator[InputChange]:
    """Yield the inputs that differ, in the order of the nodes; all inputs of a node that only one of them has.

    A node that is bypassed is one change, with the links that lead around it. A text that was drawn from a template
    differs if either of the two does.
    """
    templates, bypassed = templates_of(after), _bypassed(before, after)
    for node_id in dict.fromkeys([*after, *before]):
        if node_id in bypassed:
            yield InputChange(node_id, _title(before, node_id), None, True, ABSENT)
            continue
        old, new = _inputs(before, node_id), _inputs(after, node_id)
        title = _title(after if node_id in after else before, node_id)
        for name in dict.fromkeys([*new, *old]):
            values = old.get(name, ABSENT), new.get(name, ABSENT)
            template = templates.get((node_id, name))
            if _source(values[0]) in bypassed:
                continue
            if values[0] != values[1] or type(values[0]) is not type(values[1]) or template not in (None, values[0]):
                yield InputChange(node_id, title, name, *values, template)


def _bypassed(before: Graph, after: Graph) -> set[str]:
    """Return the nodes that are left out, and around which a link leads now."""
    found: set[str] = set()
    left_out = before.keys() - after.keys()
    for node_id in after if left_out else ():
        new = _inputs(after, node_id)
        for name, value in _inputs(before, node_id).items():
            if (source := _source(value)) in left_out and _source(new.get(name)) not in {None, source}:
                found.add(source or "")
    return found


def _source(value: Any) -> str | None:
    """Return the node that a link comes from, None if a value is no link."""
    match value:
        case [str() as node_id, int()]:
            return node_id
    return None


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
