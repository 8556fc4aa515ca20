"""What comfytui notes in the nodes of a graph that it sends: the template of a text, the cell of an axis, added nodes.

The notes are in `_meta`, beside the title of the node, and so wherever the graph is: in the queue and the history, in
the journal and in the files of images. The server does not read them.
"""

from collections.abc import Mapping
from typing import Any, Final, TypeAlias

Link: TypeAlias = tuple[str, int]
"""An output: the id of its node, and its index."""

CellValue: TypeAlias = str | int | float
Cell: TypeAlias = tuple[tuple[str, CellValue], ...]
"""The values that distinguish an image in its batch, with their labels."""

NOTES_KEY: Final = "comfytui"
"""The key of the notes in a node's `_meta`."""
TEMPLATES: Final = "templates"
"""Templates of the node's texts, by the names of the inputs."""
CELL: Final = "cell"
"""Values that distinguish the image in its batch, by their labels."""
INSERTED: Final = "inserted"
"""Whether the node was added, for a LoRA tag."""

MAX_DOUBLINGS: Final = 40
"""How often the number of added nodes in a row that are taken out can double."""
MAX_TEXT: Final = 100_000
"""Characters of the longest template that is read."""
MAX_VALUES: Final = 8
"""Values of one cell that are read."""
MAX_LABEL: Final = 60
"""Characters of a label that are read."""
MAX_VALUE: Final = 200
"""Characters of a value that are read."""
MAX_NUMBER: Final = 2**63 - 1
"""The largest number, which all readers of JSON accept."""
_MAPPINGS: Final = (dict, Mapping)
"""Of both checks, the first one is fast: nodes of all jobs of a queue are looked at."""


def annotated(node: Mapping[str, Any], kind: str, notes: Mapping[str, Any]) -> dict[str, Any]:
    """Return a node with notes of one kind added to those that it has."""
    meta = node.get("_meta")
    meta = meta if isinstance(meta, Mapping) else {}
    own = _notes(node)
    return {**node, "_meta": {**meta, NOTES_KEY: {**own, kind: {**_mapping(own.get(kind)), **notes}}}}


def without_notes(node: Any) -> Any:
    """Return a node without notes; the same node if it has none."""
    if not _notes(node):
        return node
    return {**node, "_meta": {key: value for key, value in node["_meta"].items() if key != NOTES_KEY}}


def templates_of(graph: object) -> dict[tuple[str, str], str]:
    """Return the templates of a graph's texts, by the ids of the nodes and the names of the inputs."""
    return {
        (node_id, name): template
        for node_id, node in _mapping(graph).items()
        if isinstance(node_id, str)
        for name, template in _mapping(_notes(node).get(TEMPLATES)).items()
        if isinstance(template, str) and len(template) <= MAX_TEXT
    }


def is_inserted(node: object) -> bool:
    """Return whether comfytui added a node to the graph."""
    return bool(_notes(node).get(INSERTED))


def copy_cells(graph: Mapping[str, Any], other: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return another graph with the notes of the cell that a graph has, at the nodes that both have."""
    cells = {node_id: cell for node_id, node in graph.items() if (cell := _mapping(_notes(node).get(CELL)))}
    noted = {node_id: annotated(other[node_id], CELL, cell) for node_id, cell in cells.items() if node_id in other}
    return {**other, **noted} if noted else other


def cell_of(graph: object) -> Cell:
    """Return the labels and values that distinguish an image in its batch; empty if it is not one of several cells."""
    values: list[tuple[str, CellValue]] = []
    for notes in filter(None, map(_notes, _mapping(graph).values())):
        for label, value in _mapping(notes.get(CELL)).items():
            if isinstance(label, str) and isinstance(value, str | int | float) and len(values) < MAX_VALUES:
                values.append((label[:MAX_LABEL], _cell_value(value)))
    return tuple(values)


def _cell_value(value: str | float) -> CellValue:
    """Return a value as it is typed: a whole number without a fraction; what JSON has no number for is a text."""
    if isinstance(value, str | bool) or not -MAX_NUMBER <= value <= MAX_NUMBER:
        return str(value)[:MAX_VALUE]
    return int(value) if value == int(value) else value


def restore_templates(graph: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return a graph as its user wrote it: with the templates as texts, and without notes and added nodes."""
    if not any(map(_notes, graph.values())):
        return graph
    nodes: dict[str, Any] = dict(graph)
    for (node_id, name), template in templates_of(graph).items():
        node = nodes[node_id]
        if isinstance(inputs := node.get("inputs"), Mapping) and isinstance(inputs.get(name), str):
            nodes[node_id] = {**node, "inputs": {**inputs, name: template}}
    inserted = {node_id: node for node_id, node in nodes.items() if is_inserted(node)}
    ends = {link: end for node_id, node in inserted.items() for link, end in _sources(node_id, node)}
    for _ in range(MAX_DOUBLINGS):
        if not any(end in ends for end in ends.values()):
            break
        ends = {link: ends.get(end, end) for link, end in ends.items()}
    return {node_id: without_notes(relinked(node, ends)) for node_id, node in nodes.items() if node_id not in inserted}


def _sources(node_id: str, node: Mapping[str, Any]) -> list[tuple[Link, Link]]:
    """Return the outputs of a node that loads a LoRA, each with the output that it changes."""
    inputs = node.get("inputs")
    inputs = inputs if isinstance(inputs, Mapping) else {}
    return [
        ((node_id, output), link) for output, name in enumerate(("model", "clip")) if (link := _link(inputs.get(name)))
    ]


def relinked(node: Any, ends: Mapping[Link, Link]) -> Any:
    """Return a node whose links to some outputs go to others instead; the same node if it has none of them."""
    inputs = node.get("inputs") if isinstance(node, Mapping) else None
    if not isinstance(inputs, Mapping):
        return node
    changed = {name: [*ends[link]] for name, value in inputs.items() if (link := _link(value)) and link in ends}
    return {**node, "inputs": {**inputs, **changed}} if changed else node


def _link(value: object) -> Link | None:
    """Return the output that an input is linked to, or None if its value is no link."""
    if isinstance(value, list) and len(value) == 2 and isinstance(value[0], str) and isinstance(value[1], int):
        return value[0], value[1]
    return None


def _notes(node: object) -> Mapping[str, Any]:
    meta = node.get("_meta") if isinstance(node, _MAPPINGS) else None
    return _mapping(meta.get(NOTES_KEY)) if isinstance(meta, _MAPPINGS) and NOTES_KEY in meta else {}


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, _MAPPINGS) else {}
