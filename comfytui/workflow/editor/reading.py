"""Read the JSON that the editor saves: whatever is malformed is left out, and nothing raises."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from comfytui.workflow.editor.document import (
    ROOT,
    BoundarySlot,
    Document,
    Link,
    LinkId,
    SavedGraph,
    SavedInput,
    SavedNode,
    SavedOutput,
)
from comfytui.workflow.editor.json_values import as_list, as_mapping, as_text, id_text, node_number

_MAX_SLOTS: Final = 2_000
"""Inputs or outputs of one node that are read."""

_LIST_LINK: Final = ("id", "origin_id", "origin_slot", "target_id", "target_slot", "type")
"""What the places of a link mean where it is a list."""


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
