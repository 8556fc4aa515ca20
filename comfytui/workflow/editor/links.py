"""Where a link comes from in the end: through reroutes, bypassed nodes and the sides of subgraphs."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final, TypeAlias

from comfytui.sanitize import sanitize
from comfytui.workflow.editor.document import INPUT_SIDE, LinkId, NodeId
from comfytui.workflow.editor.findings import Finding, FindingLog
from comfytui.workflow.editor.input_definitions import ANY_TYPE
from comfytui.workflow.editor.json_values import as_list
from comfytui.workflow.editor.nodes import RUNNING_KINDS, EditorGraph, HostValue, Input, Kind, Node


@dataclass(eq=False, slots=True)
class Place:
    """One graph as it is expanded: the root, or a subgraph in place of one instance."""

    graph: EditorGraph
    prefix: str = ""
    """What stands before the ids of its nodes, such as `3:12:`."""
    parent: "Place | None" = None
    host: Node | None = None
    """The instance, a node of the parent's graph; None for the root."""
    children: dict[NodeId, "Place"] = field(default_factory=dict)
    """The places of the instances in it, by the id of the instance."""


@dataclass(frozen=True, slots=True)
class LinkedTo:
    """The output of a node that is sent."""

    node_id: NodeId
    slot: int


@dataclass(frozen=True, slots=True)
class SetBy:
    """A value that an instance has for an input of its subgraph."""

    place: Place
    """Where the instance is."""
    host: Node
    index: int
    value: HostValue


Origin: TypeAlias = LinkedTo | SetBy | None
"""What an input gets: None is nothing, so that the value of its own widget counts."""

_Step: TypeAlias = tuple[Place, LinkId, str]
"""A link on the way, and the type that is asked for."""


class LinkResolver:
    """Follows links; each piece of the way is walked once, however many inputs lead over it."""

    def __init__(self, log: FindingLog) -> None:
        self._log = log
        self._known = dict[_Step, Origin]()
        self._setters = dict[str, dict[str, Node]]()

    def origin(self, place: Place, node: Node, slot: Input) -> Origin:
        """Return what an input of a node gets."""
        if slot.link is None:
            return None
        asked = slot.type
        way = list[_Step]()
        on_way = set[_Step]()
        result: Origin = None
        while slot.link is not None:
            step = (place, slot.link, asked)
            if step in self._known:
                result = self._known[step]
                break
            if step in on_way:
                node_id = f"{place.prefix}{node.id}"
                message = f"The links through node {sanitize(node_id, 60)} go in a circle: they are left out."
                self._log.add(Finding("circle", message, node_id))
                break
            on_way.add(step)
            way.append(step)
            found = self._upstream(place, node, slot, asked)
            if not isinstance(found, _Next):
                result = found
                break
            place, node, slot, asked = found.place, found.node, found.slot, found.asked
        for step in way:
            self._known[step] = result
        return result

    def _upstream(self, place: Place, node: Node, slot: Input, asked: str) -> "Origin | _Next":
        """Go over one link: return where it comes from, or the input further up that decides."""
        link = place.graph.link_of(slot)
        if link and link.origin_id == INPUT_SIDE and place.host and place.parent:
            return self._outside(place.parent, place.host, link.origin_slot, asked)
        origin = place.graph.nodes.get(link.origin_id) if link else None
        if link is None or origin is None:
            node_id = f"{place.prefix}{node.id}"
            where = f"{sanitize(slot.name, 60)} of node {sanitize(node_id, 60)}"
            message = f"The link to the input {where} comes from nowhere: it counts as not linked."
            self._log.add(Finding("broken_link", message, node_id, input_name=slot.name))
            return None
        return self._from_output(place, origin, link.origin_slot, asked)

    @staticmethod
    def _outside(place: Place, host: Node, index: int, asked: str) -> "Origin | _Next":
        if not 0 <= index < len(host.inputs):
            return None
        slot = host.inputs[index]
        if place.graph.link_of(slot):
            return _Next(place, host, slot, asked)
        return SetBy(place, host, index, slot.host) if slot.host else None

    def _from_output(self, place: Place, origin: Node, index: int, asked: str) -> "Origin | _Next":
        while origin.kind is Kind.INSTANCE and not (origin.is_muted or origin.is_bypassed):
            inner = place.children.get(origin.id)
            outputs = inner.graph.outputs if inner else ()
            links = outputs[index].links if 0 <= index < len(outputs) else ()
            link = (
                next((inner.graph.links[each] for each in links if each in inner.graph.links), None) if inner else None
            )
            source = inner.graph.nodes.get(link.origin_id) if inner and link else None
            if inner is None or link is None or source is None:
                return None
            place, origin, index = inner, source, link.origin_slot
        if origin.is_muted:
            return None
        if origin.is_bypassed:
            slot = _passed_on(origin, index, asked)
            return _Next(place, origin, slot, slot.type) if slot else None
        if origin.kind is Kind.GETTER:
            return self._from_setter(place, origin, asked)
        if origin.kind is Kind.REROUTE:
            return _Next(place, origin, origin.inputs[0], asked) if origin.inputs else None
        return LinkedTo(f"{place.prefix}{origin.id}", index) if origin.kind in RUNNING_KINDS else None

    def _from_setter(self, place: Place | None, getter: Node, asked: str) -> "_Next | None":
        name = _link_name(getter)
        while place is not None and name is not None:
            graph = place.graph
            if graph.id not in self._setters:
                setters = [node for node in graph.nodes.values() if node.kind is Kind.SETTER]
                self._setters[graph.id] = {_link_name(node) or "": node for node in reversed(setters)}
            if (setter := self._setters[graph.id].get(name)) and setter.inputs:
                return _Next(place, setter, setter.inputs[0], asked)
            place = place.parent
        message = (
            f"Node {sanitize(getter.id, 60)} gets “{sanitize(name or '', 60)}”, which no node sets: it gives nothing."
        )
        self._log.add(Finding("broken_link", message))
        return None


@dataclass(frozen=True, slots=True)
class _Next:
    """An input further up whose link is to be followed."""

    place: Place
    node: Node
    slot: Input
    asked: str


def _link_name(node: Node) -> str | None:
    name = next(iter(as_list(node.saved.values)), None)
    return name if isinstance(name, str) and name else None


def _passed_on(node: Node, index: int, asked: str) -> Input | None:
    """Return the input of a bypassed node that goes out at an output, for an input of the type that is asked for."""
    inputs = node.inputs
    opposite = inputs[index] if 0 <= index < len(inputs) else None
    if asked == ANY_TYPE:
        return opposite or next(iter(inputs), None)
    given = node.output_type(index)

    def fitting() -> Iterator[Input]:
        return (slot for slot in inputs if _fits(slot.type, asked) and _fits(slot.type, given))

    if opposite and _fits(opposite.type, asked) and _fits(opposite.type, given):
        return opposite
    return next((slot for slot in inputs if slot.type == asked), None) or next(fitting(), None)


_WILDCARDS: Final = frozenset({"", ANY_TYPE})


def _fits(one: str, other: str) -> bool:
    """Whether a link between two types is allowed."""
    if one == other or one in _WILDCARDS or other in _WILDCARDS:
        return True
    ones, others = one.lower().split(","), other.lower().split(",")
    return any(each in others or each in _WILDCARDS for each in ones) or not _WILDCARDS.isdisjoint(others)
