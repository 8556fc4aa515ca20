"""Ids that are unique over the root graph and all subgraphs, given as the editor gives them."""

from collections.abc import Mapping
from dataclasses import replace

from comfytui.workflow.editor.document import Document, Link, NodeId, SavedGraph, SavedNode
from comfytui.workflow.editor.json_values import as_list, node_number


def make_ids_unique(document: Document) -> Document:
    """Return a document in which each node has an id of its own.

    A node whose id was met before gets the next number after the last one of the file and the highest so far, those of
    the root left aside. The links of its graph, and what instances of the graph say about the node, follow.
    """
    ids = _Ids(document.last_node_id)
    root, _ = _renumber(document.root, ids)
    ids.last = document.last_node_id
    subgraphs = dict[str, SavedGraph]()
    renamed = dict[str, Mapping[NodeId, NodeId]]()
    for graph_id, graph in document.subgraphs.items():
        subgraphs[graph_id], changes = _renumber(graph, ids)
        if changes:
            renamed[graph_id] = changes
    if renamed:
        root = _correct_instances(root, renamed)
        subgraphs = {graph_id: _correct_instances(graph, renamed) for graph_id, graph in subgraphs.items()}
    return replace(document, root=root, subgraphs=subgraphs)


class _Ids:
    """The ids given so far."""

    def __init__(self, last: int) -> None:
        self.last = last
        self.used = set[NodeId]()

    def take(self, node_id: NodeId) -> NodeId:
        """Return the id if it is free, else the next free number."""
        if node_id in self.used:
            self.last += 1
            while str(self.last) in self.used:
                self.last += 1
            node_id = str(self.last)
        elif (number := node_number(node_id)) is not None:
            self.last = max(self.last, number)
        self.used.add(node_id)
        return node_id


def _renumber(graph: SavedGraph, ids: _Ids) -> tuple[SavedGraph, Mapping[NodeId, NodeId]]:
    nodes = list[SavedNode]()
    changes = dict[NodeId, NodeId]()
    met = set[NodeId]()
    for node in graph.nodes:
        node_id = ids.take(node.id)
        if node_id != node.id and node.id not in met:
            changes[node.id] = node_id
        met.add(node.id)
        nodes.append(node if node_id == node.id else replace(node, id=node_id))
    if len(nodes) == len(met) and not changes:
        return graph, changes
    links = {link.id: _relink(link, changes) for link in graph.links.values()} if changes else graph.links
    return replace(graph, nodes=tuple(nodes), links=links), changes


def _relink(link: Link, changes: Mapping[NodeId, NodeId]) -> Link:
    origin, target = (changes.get(node_id, node_id) for node_id in (link.origin_id, link.target_id))
    return replace(link, origin_id=origin, target_id=target)


def _correct_instances(graph: SavedGraph, renamed: Mapping[str, Mapping[NodeId, NodeId]]) -> SavedGraph:
    nodes = tuple(_correct_proxies(node, renamed[node.type]) if node.type in renamed else node for node in graph.nodes)
    return replace(graph, nodes=nodes)


def _correct_proxies(node: SavedNode, changes: Mapping[NodeId, NodeId]) -> SavedNode:
    entries = as_list(node.properties.get("proxyWidgets"))
    corrected = [
        [changes.get(entry[0], entry[0]), *entry[1:]]
        if isinstance(entry, list) and entry and isinstance(entry[0], str)
        else entry
        for entry in entries
    ]
    return replace(node, properties={**node.properties, "proxyWidgets": corrected}) if entries else node
