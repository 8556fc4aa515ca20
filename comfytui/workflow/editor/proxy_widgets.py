"""Values of instances as files had them until 2026: `proxyWidgets` names widgets inside, which become inputs."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import count
from typing import Final, TypeAlias

from comfytui.workflow.editor.document import INPUT_SIDE, Link, LinkId, NodeId
from comfytui.workflow.editor.json_values import as_list
from comfytui.workflow.editor.nodes import BoundaryInput, EditorGraph, Input, Kind, Node
from comfytui.workflow.editor.subgraphs import MAX_HOST_INPUTS, add_host_input

Entry: TypeAlias = tuple[NodeId, str, NodeId | None]
"""The id of a node inside of the subgraph, the name of one of its widgets, and, if it is an instance, whose widget."""

_PREFIX: Final = re.compile(r"\s*(\d+)\s*:\s*")
"""The id of a node before the name of a widget, from an instance inside of an instance."""

_MAX_ENTRIES: Final = 2_000
"""Entries of one instance, and inputs of one subgraph, up to which new inputs are made."""


def migrate_proxy_widgets(graph: EditorGraph, graphs: Mapping[str, EditorGraph]) -> None:
    """Turn what the instances of a graph say in `proxyWidgets` into inputs of their subgraphs, with their values."""
    for host in graph.nodes.values():
        if host.kind is Kind.INSTANCE:
            values = as_list(host.saved.values)
            subgraph = graphs[host.saved.type]
            for position, entry in enumerate(_entries(host)):
                slot = _host_input(host, subgraph, entry)
                value = values[position] if position < len(values) else None
                if slot and slot.host and value is not None:
                    slot.host.value = value


def _entries(host: Node) -> Sequence[Entry]:
    """Return the entries of an instance: none if any of them is malformed."""
    entries = as_list(host.saved.properties.get("proxyWidgets"))
    is_valid = all(
        isinstance(entry, list) and len(entry) in {2, 3} and all(isinstance(each, str) for each in entry)
        for entry in entries
    )
    if not is_valid:
        return []
    return [(entry[0], entry[1], entry[2] if len(entry) > 2 else None) for entry in entries[:_MAX_ENTRIES]]


def _host_input(host: Node, subgraph: EditorGraph, entry: Entry) -> Input | None:
    """Return the input of an instance that stands for a widget inside; it may be a new one."""
    node_id, name, owner = entry
    if node_id == "-1":
        return next((slot for slot in host.inputs if slot.name == name), None)
    node = subgraph.nodes.get(node_id)
    if node is None:
        return None
    if node.kind is Kind.PRIMITIVE:
        index = _adopt_primitive(subgraph, node, name)
    else:
        slot = _widget_slot(node, name, owner)
        index = _index_for(subgraph, node, slot) if slot else None
    return host.inputs[index] if index is not None and 0 <= index < len(host.inputs) else None


def _index_for(subgraph: EditorGraph, node: Node, slot: Input) -> int | None:
    """Return the index of the subgraph's input that stands for a widget, after adding it if there is none."""
    link = subgraph.link_of(slot)
    if link and link.origin_id == INPUT_SIDE:
        return link.origin_slot
    if len(subgraph.inputs) >= _MAX_ENTRIES:
        return None
    added = Link(_free_link_id(subgraph), INPUT_SIDE, len(subgraph.inputs), node.id, node.inputs.index(slot))
    subgraph.connect(node, slot, added)
    return _add_input(subgraph, slot.widget or slot.name, slot.type, [added])


def _adopt_primitive(subgraph: EditorGraph, primitive: Node, name: str) -> int | None:
    """Return the index of the input that feeds what a primitive fed; None if that is nothing."""
    if primitive.id in subgraph.adopted:
        return subgraph.adopted[primitive.id]
    links = [link for link in subgraph.links_from(primitive) if subgraph.targets.get(link.id)]
    if not links or len(subgraph.inputs) >= _MAX_ENTRIES:
        return None
    moved = [replace(link, origin_id=INPUT_SIDE, origin_slot=len(subgraph.inputs)) for link in links]
    subgraph.links |= {link.id: link for link in moved}
    subgraph.by_origin.pop(primitive.id)
    index = _add_input(subgraph, primitive.saved.title or name, primitive.output_type(0), moved)
    subgraph.adopted[primitive.id] = index
    return index


def _add_input(subgraph: EditorGraph, name: str, slot_type: str, links: list[Link]) -> int:
    """Add an input to a subgraph and to all its instances."""
    index, taken = len(subgraph.inputs), {each.name for each in subgraph.inputs}
    free = name if name not in taken else next(f"{name}_{n}" for n in count(1) if f"{name}_{n}" not in taken)
    subgraph.inputs.append(BoundaryInput(free, slot_type, [link.id for link in links]))
    for host in subgraph.instances:
        if len(host.inputs) == index < MAX_HOST_INPUTS // len(subgraph.instances):
            add_host_input(host, subgraph, index)
    return index


def _free_link_id(subgraph: EditorGraph) -> LinkId:
    number = len(subgraph.links)
    while f"proxy:{number}" in subgraph.links:
        number += 1
    return f"proxy:{number}"


def _widget_slot(node: Node, name: str, owner: NodeId | None) -> Input | None:
    """Return the input that belongs to a widget, or None if there is no such widget or it has no input.

    Args:
        node: The node inside of the subgraph.
        name: The name of the widget; ids may stand before it.
        owner: Which node further inside has the widget, if the node is an instance and the file says so.
    """
    while True:
        named = [slot for slot in node.inputs if _stands_for(slot, node, name)]
        owned = [
            slot for slot in node.inputs if slot.host and (slot.host.node_id, slot.host.widget.name) == (owner, name)
        ]
        if named or owned:
            return next(iter(owned or named))
        prefix = _PREFIX.match(name)
        if prefix is None:
            return None
        name, owner = name[prefix.end() :], prefix[1]


def _stands_for(slot: Input, node: Node, name: str) -> bool:
    return slot.name == name if slot.host else slot.widget == name and name in node.widgets
