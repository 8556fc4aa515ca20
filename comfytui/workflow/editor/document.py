"""The editor's JSON as typed values: whatever is malformed is left out, and nothing raises."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from math import isfinite
from typing import Any, Final, NamedTuple, TypeAlias

NodeId: TypeAlias = str
"""The id of a node, which the file has as a number or a text."""

LinkId: TypeAlias = str

INPUT_SIDE: Final = "-10"
"""In a subgraph, the node id of the side where its inputs come in."""

OUTPUT_SIDE: Final = "-20"
"""In a subgraph, the node id of the side where its outputs leave."""

ROOT: Final = ""
"""The id of the graph that holds everything, which has none in the file."""

MUTED: Final = 2
BYPASSED: Final = 4

_MAX_SLOTS: Final = 2_000
"""Inputs or outputs of one node that are read."""

_LIST_LINK: Final = ("id", "origin_id", "origin_slot", "target_id", "target_slot", "type")
"""What the places of a link mean where it is a list."""


@dataclass(frozen=True, slots=True)
class Link:
    """One link: from an output of one node to an input of another."""

    id: LinkId
    origin_id: NodeId
    origin_slot: int
    target_id: NodeId
    target_slot: int


class SavedInput(NamedTuple):
    """One input of a node, as saved."""

    name: str
    type: str
    link: LinkId | None
    widget: str | None
    """The name of the widget that the input belongs to."""


class SavedOutput(NamedTuple):
    """One output of a node, as saved."""

    type: str
    links: tuple[LinkId, ...]


@dataclass(frozen=True, slots=True)
class SavedNode:
    """One node, as saved."""

    id: NodeId
    type: str
    mode: int
    inputs: tuple[SavedInput, ...]
    outputs: tuple[SavedOutput, ...]
    properties: Mapping[str, Any] = field(repr=False)
    values: list[Any] | Mapping[str, Any] | None = field(repr=False)
    """What `widgets_values` holds: by position, or by name."""
    title: str | None


@dataclass(frozen=True, slots=True)
class BoundarySlot:
    """One input or output of a subgraph, as saved."""

    name: str
    type: str
    links: tuple[LinkId, ...]


@dataclass(frozen=True, slots=True)
class SavedGraph:
    """The root graph or a subgraph, as saved."""

    id: str
    name: str
    nodes: tuple[SavedNode, ...]
    links: Mapping[LinkId, Link]
    inputs: tuple[BoundarySlot, ...] = ()
    outputs: tuple[BoundarySlot, ...] = ()
    omitted: int = 0
    """How many nodes are malformed and were left out."""


@dataclass(frozen=True, slots=True)
class Document:
    """A whole file of the editor."""

    root: SavedGraph
    subgraphs: Mapping[str, SavedGraph]
    """The definitions by id, in the order of the file, also those inside of others."""
    last_node_id: int
    models: list[Any] = field(repr=False)
    """What the file says of models that it needs, besides what its nodes say."""

    @property
    def omitted(self) -> int:
        """How many nodes of the file are malformed and were left out."""
        return sum(graph.omitted for graph in (self.root, *self.subgraphs.values()))


def read_document(workflow: object) -> Document | None:
    """Return the document that any JSON value holds, or None if it is not in the editor's format."""
    source = _unwrap(workflow)
    if source is None:
        return None
    root = _read_graph(source, ROOT)
    definitions = {each.id: each for each in reversed([*_read_subgraphs(source)])}
    subgraphs = dict(reversed(definitions.items()))
    state = as_mapping(source.get("state"))
    last = next((n for n in (source.get("last_node_id"), state.get("lastNodeId")) if node_number(n) is not None), 0)
    return Document(root, subgraphs, node_number(last) or 0, as_list(source.get("models")))


def as_list(value: object) -> list[Any]:
    """Return a list, or an empty one for any other value."""
    return value if isinstance(value, list) else []


def as_mapping(value: object) -> Mapping[str, Any]:
    """Return an object, or an empty one for any other value."""
    # Whether something is a `Mapping` takes far longer to find out, and nearly all values are one of these.
    if type(value) is dict:
        return value
    return value if value is not None and isinstance(value, Mapping) else {}


def as_text(value: object) -> str | None:
    """Return a text, or None for any other value."""
    return value if isinstance(value, str) else None


def node_number(value: object) -> int | None:
    """Return the number that an id is, or None."""
    if type(value) is int and value.bit_length() <= 64:
        return value
    key = id_text(value)
    digits = key.removeprefix("-") if key else ""
    return int(digits) * (-1 if key and key[0] == "-" else 1) if digits.isascii() and digits.isdigit() else None


def id_text(value: object) -> str | None:
    """Return the id of a node or link as text, or None if it is no id."""
    match value:
        case bool():
            return None
        case int() if value.bit_length() <= 64:
            return str(value)
        case float() if isfinite(value) and value == int(value) and abs(value) < 2**64:
            return str(int(value))
        case str() if 0 < len(value) <= 200:
            return value
        case _:
            return None


def _unwrap(workflow: object) -> Mapping[str, Any] | None:
    for _ in range(3):
        if not isinstance(workflow, Mapping):
            return None
        if isinstance(workflow.get("nodes"), list):
            return workflow
        workflow = workflow.get("workflow")
    return None


def _subgraph_sources(source: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Yield the definitions of a graph and then those inside of them."""
    level = [source]
    while level:
        inner = [
            each
            for graph in level
            for each in as_list(as_mapping(graph.get("definitions")).get("subgraphs"))
            if isinstance(each, Mapping)
        ]
        yield from inner
        level = inner


def _read_subgraphs(source: Mapping[str, Any]) -> Iterator[SavedGraph]:
    for each in _subgraph_sources(source):
        if graph_id := as_text(each.get("id")):
            yield _read_graph(each, graph_id)


def _read_graph(source: Mapping[str, Any], graph_id: str) -> SavedGraph:
    listed = as_list(source.get("nodes"))
    nodes = tuple(node for node in map(_read_node, listed) if node)
    links = (_read_link(each) for each in as_list(source.get("links")))
    return SavedGraph(
        graph_id,
        as_text(source.get("name")) or "",
        nodes,
        {link.id: link for link in links if link},
        tuple(_read_boundary(each) for each in as_list(source.get("inputs"))[:_MAX_SLOTS]),
        tuple(_read_boundary(each) for each in as_list(source.get("outputs"))[:_MAX_SLOTS]),
        len(listed) - len(nodes),
    )


def _read_boundary(source: object) -> BoundarySlot:
    slot = as_mapping(source)
    return BoundarySlot(as_text(slot.get("name")) or "", _type_text(slot.get("type")), _link_ids(slot.get("linkIds")))


def _read_link(source: object) -> Link | None:
    if isinstance(source, list):
        source = dict(zip(_LIST_LINK, source, strict=False))
    link = as_mapping(source)
    link_id, origin = id_text(link.get("id")), id_text(link.get("origin_id"))
    target, origin_slot = id_text(link.get("target_id")), node_number(link.get("origin_slot"))
    target_slot = node_number(link.get("target_slot"))
    if link_id is None or origin is None or origin_slot is None:
        return None
    return Link(link_id, origin, origin_slot, target or "", -1 if target_slot is None else target_slot)


def _read_node(source: object) -> SavedNode | None:
    node = as_mapping(source)
    node_id, class_type = id_text(node.get("id")), as_text(node.get("type"))
    if node_id is None or class_type is None:
        return None
    mode, values = node.get("mode"), node.get("widgets_values")
    return SavedNode(
        node_id,
        class_type,
        mode if isinstance(mode, int) else 0,
        tuple(_read_input(each) for each in as_list(node.get("inputs"))[:_MAX_SLOTS]),
        tuple(_read_output(each) for each in as_list(node.get("outputs"))[:_MAX_SLOTS]),
        as_mapping(node.get("properties")),
        values if isinstance(values, list | Mapping) else None,
        as_text(node.get("title")) or None,
    )


def _read_input(source: object) -> SavedInput:
    slot = as_mapping(source)
    widget = as_text(as_mapping(slot.get("widget")).get("name"))
    return SavedInput(as_text(slot.get("name")) or "", _type_text(slot.get("type")), id_text(slot.get("link")), widget)


def _read_output(source: object) -> SavedOutput:
    slot = as_mapping(source)
    return SavedOutput(_type_text(slot.get("type")), _link_ids(slot.get("links")))


def _type_text(value: object) -> str:
    return value if isinstance(value, str) else "COMBO" if isinstance(value, list) else "*"


def _link_ids(value: object) -> tuple[LinkId, ...]:
    return tuple(key for key in map(id_text, as_list(value)) if key is not None)
