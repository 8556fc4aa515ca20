"""A workflow as the editor saves it, as typed values, which `reading` makes of the JSON."""

from collections.abc import Mapping
from dataclasses import dataclass, field
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
