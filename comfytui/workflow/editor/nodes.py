"""Graphs of the editor while they are converted: nodes with the inputs and widgets of their class."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Any, Final

from comfytui.workflow.editor.document import BYPASSED, INPUT_SIDE, MUTED, BoundarySlot, Link, LinkId, NodeId, SavedNode
from comfytui.workflow.editor.input_definitions import ANY_TYPE, MATCH_TYPE, MISSING, ClassDefinition, InputDefinition


class Kind(Enum):
    """What a node is to the conversion."""

    CLASS = auto()
    """Runs on the server."""
    UNKNOWN = auto()
    """Would run on a server that has its class."""
    INSTANCE = auto()
    """Stands for the nodes of a subgraph."""
    PRIMITIVE = auto()
    """Sets the widgets that it is linked to."""
    REROUTE = auto()
    """Passes on what its only input is linked to."""
    SETTER = auto()
    """Gives its input a name."""
    GETTER = auto()
    """Passes on what the setter of the same name is linked to."""
    NOTE = auto()
    """Is only text for the reader."""


RUNNING_KINDS: Final = frozenset({Kind.CLASS, Kind.UNKNOWN})
"""The kinds whose nodes are sent."""


@dataclass(slots=True)
class Widget:
    """One widget of a node."""

    name: str
    value: object
    definition: InputDefinition | None = None
    """None for a widget that only the editor has."""
    is_sent: bool = True
    listed: list[Any] | None = None
    """The choices that the node itself gives."""

    @property
    def choices(self) -> list[Any] | None:
        """The choices, where there are some."""
        return self.listed or (self.definition.choices if self.definition else None)


@dataclass(slots=True)
class HostValue:
    """The value that an instance has for one of the inputs of its subgraph."""

    value: object
    widget: Widget
    """The widget inside whose value it replaces."""
    node_id: NodeId
    """The node of that widget, however deep inside."""

    @property
    def sent(self) -> object:
        """The value as it is sent: instead of no choice, the first."""
        choices = self.widget.choices
        return choices[0] if self.value is None and choices else self.value


@dataclass(slots=True)
class Input:
    """One input of a node, with or without a link."""

    name: str
    type: str
    link: LinkId | None = None
    widget: str | None = None
    """The name of the widget that gives the value where nothing is linked."""
    host: HostValue | None = None
    """Of an instance: its own value for the input."""


@dataclass(slots=True)
class Node:
    """One node."""

    saved: SavedNode
    kind: Kind
    definition: ClassDefinition | None
    inputs: list[Input] = field(default_factory=list)
    widgets: dict[str, Widget] = field(default_factory=dict)

    @property
    def id(self) -> NodeId:
        """The id, unique over all graphs."""
        return self.saved.id

    @property
    def is_muted(self) -> bool:
        """Whether the node is not sent and gives nothing."""
        return self.saved.mode == MUTED

    @property
    def is_bypassed(self) -> bool:
        """Whether the node is not sent and passes on what its inputs are linked to."""
        return self.saved.mode == BYPASSED

    @property
    def title(self) -> str:
        """The name that the user sees."""
        return self.saved.title or (self.definition.display_name if self.definition else self.saved.type)

    def output_type(self, slot: int) -> str:
        """Return the type of an output; `*` if it is not known."""
        if self.definition and 0 <= slot < len(self.definition.outputs) and self.definition.outputs[slot] != MATCH_TYPE:
            return self.definition.outputs[slot]
        return self.saved.outputs[slot].type if 0 <= slot < len(self.saved.outputs) else ANY_TYPE

    def value_of(self, name: str) -> object:
        """Return the value of a widget, or of an instance's input; raises KeyError if there is none."""
        hosts = (slot.host for slot in self.inputs if slot.host and slot.name == name)
        value = (next(hosts, None) or self.widgets[name]).value
        if value is MISSING:
            raise KeyError(name)
        return value


@dataclass(slots=True)
class BoundaryInput:
    """One input of a subgraph."""

    name: str
    type: str
    links: list[LinkId]


@dataclass(slots=True)
class EditorGraph:
    """The root graph or a subgraph."""

    id: str
    name: str
    nodes: dict[NodeId, Node]
    links: dict[LinkId, Link]
    inputs: list[BoundaryInput]
    outputs: tuple[BoundarySlot, ...]
    saved_widget_links: set[LinkId | None] = field(default_factory=set)
    """The links that led to widgets when the file was saved; the server's classes may have those no more."""
    targets: dict[LinkId, list[tuple[Node, Input]]] = field(default_factory=dict)
    """The inputs that name each link: more than one only in malformed files."""
    by_origin: dict[NodeId, list[Link]] = field(default_factory=dict)
    """The links that leave each node."""
    adopted: dict[NodeId, int] = field(default_factory=dict)
    """The index of the input that took over what a primitive fed."""
    instances: list[Node] = field(default_factory=list)
    """The nodes, in all graphs, that stand for this one."""

    def link_of(self, slot: Input) -> Link | None:
        """Return the link of an input, or None."""
        return self.links.get(slot.link) if slot.link is not None else None

    def links_from(self, node: Node) -> list[Link]:
        """Return the links that leave a node: in the order of its first output, then any others."""
        listed = node.saved.outputs[0].links if node.saved.outputs else ()
        leaving = {link.id: link for link in self.by_origin.get(node.id, ())}
        ordered = dict.fromkeys(link_id for link_id in listed if link_id in leaving) | dict.fromkeys(leaving)
        return [leaving[link_id] for link_id in ordered]

    def targets_from(self, index: int) -> Iterator[tuple[Node, Input]]:
        """Yield what an input of this subgraph is linked to inside."""
        for link_id in self.inputs[index].links:
            if (link := self.links.get(link_id)) and link.origin_id == INPUT_SIDE:
                yield from self.targets.get(link_id, ())

    def stood_for_widget(self, index: int) -> bool:
        """Whether an input of this subgraph had a value when the file was saved, which still holds its place."""
        return not self.saved_widget_links.isdisjoint(self.inputs[index].links)

    def connect(self, node: Node, slot: Input, link: Link) -> None:
        """Link an input, instead of what it was linked to."""
        if slot.link is not None:
            self.targets[slot.link] = [each for each in self.targets.get(slot.link, ()) if each[1] is not slot]
        slot.link = link.id
        self.links[link.id] = link
        self.targets.setdefault(link.id, []).append((node, slot))
