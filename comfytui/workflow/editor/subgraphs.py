"""The graphs of a document: their nodes, in which order they are restored, and what instances have for values."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Final

from comfytui.sanitize import sanitize
from comfytui.workflow.editor.document import ROOT, Document, SavedGraph, SavedNode
from comfytui.workflow.editor.findings import Finding, FindingLog
from comfytui.workflow.editor.input_definitions import ClassDefinitions
from comfytui.workflow.editor.json_values import as_list, as_mapping
from comfytui.workflow.editor.nodes import BoundaryInput, EditorGraph, HostValue, Input, Kind, Node
from comfytui.workflow.editor.restore import restore_node

MAX_HOST_INPUTS: Final = 100_000
"""Inputs of all instances of one subgraph together."""


def restoring_order(document: Document, log: FindingLog) -> Sequence[SavedGraph]:
    """Return the graphs, each after those that it holds instances of; the root is last.

    Instances that lead back to their own graph are left out, with a finding.
    """
    graphs = {ROOT: document.root, **document.subgraphs}
    ordered = dict[str, SavedGraph]()
    open_graphs = dict[str, list[SavedNode]]()
    stack: list[tuple[str, Iterator[SavedNode]]] = []

    def enter(graph_id: str) -> None:
        open_graphs[graph_id] = []
        stack.append((graph_id, iter(graphs[graph_id].nodes)))

    for start in graphs:
        if start not in ordered:
            enter(start)
        while stack:
            graph_id, nodes = stack[-1]
            for node in nodes:
                is_instance = node.type in document.subgraphs
                if is_instance and node.type in open_graphs:
                    name = sanitize(document.subgraphs[node.type].name or node.type, 60)
                    log.add(Finding("circle", f"The subgraph “{name}” contains itself: it cannot be run.", None, True))
                    continue
                open_graphs[graph_id].append(node)
                if is_instance and node.type not in ordered:
                    enter(node.type)
                    break
            else:
                stack.pop()
                ordered[graph_id] = replace(graphs[graph_id], nodes=tuple(open_graphs.pop(graph_id)))
    root = ordered.pop(ROOT)
    return [*ordered.values(), root]


def build_graph(saved: SavedGraph, definitions: ClassDefinitions, graphs: Mapping[str, EditorGraph]) -> EditorGraph:
    """Return a graph with all nodes restored.

    Args:
        saved: The graph in the file.
        definitions: The classes of the server.
        graphs: The subgraphs that were built before, by id: all that this one has instances of.
    """
    nodes = {each.id: restore_node(each, definitions, graphs) for each in saved.nodes}
    inputs = [BoundaryInput(each.name, each.type, [*each.links]) for each in saved.inputs]
    widget_links = {slot.link for each in saved.nodes for slot in each.inputs if slot.widget is not None}
    graph = EditorGraph(
        saved.id, saved.name, nodes, dict(saved.links), inputs, saved.outputs, saved_widget_links=widget_links
    )
    for link in graph.links.values():
        graph.by_origin.setdefault(link.origin_id, []).append(link)
    for node in nodes.values():
        if node.kind is Kind.INSTANCE:
            _restore_instance(node, graphs[node.saved.type])
        for slot in node.inputs:
            if slot.link is not None:
                graph.targets.setdefault(slot.link, []).append((node, slot))
    return graph


def add_host_input(host: Node, subgraph: EditorGraph, index: int) -> None:
    """Add an input of a subgraph to an instance of it, with the value that its node inside has.

    The index is that of the input behind those which the instance has.
    """
    boundary = subgraph.inputs[index]
    host.inputs.append(Input(boundary.name, boundary.type, host=_inner_value(subgraph, index)))


def _restore_instance(host: Node, subgraph: EditorGraph) -> None:
    saved_links = dict[str, Iterator[str | None]]()
    by_name = dict[str, list[str | None]]()
    for each in host.saved.inputs:
        by_name.setdefault(each.name, []).append(each.link)
    subgraph.instances.append(host)
    room = MAX_HOST_INPUTS // len(subgraph.instances)
    for index, boundary in enumerate(subgraph.inputs[:room]):
        add_host_input(host, subgraph, index)
        links = saved_links.setdefault(boundary.name, iter(by_name.get(boundary.name, ())))
        host.inputs[index].link = next(links, None)
    own = (slot.host for index, slot in enumerate(host.inputs) if slot.host or subgraph.stood_for_widget(index))
    for value, host_value in zip(as_list(host.saved.values), own, strict=False):
        if host_value is not None:
            host_value.value = value
    _apply_quarantine(host)


def _apply_quarantine(host: Node) -> None:
    """Set the values that the editor put aside when it could not tell whose they are."""
    kept = dict[str, object]()
    for each in as_list(host.saved.properties.get("proxyWidgetErrorQuarantine")):
        entry = as_mapping(each)
        match entry.get("originalEntry"):
            case ["-1", str() as name, *_] if "hostValue" in entry:
                kept.setdefault(name, entry["hostValue"])
    for slot in host.inputs if kept else ():
        if slot.host and slot.name in kept:
            slot.host.value = kept[slot.name]


def _inner_value(subgraph: EditorGraph, index: int) -> HostValue | None:
    """Return the value of the first widget, or of the first instance's input, that an input is linked to inside."""
    for node, slot in subgraph.targets_from(index):
        if slot.widget is not None and slot.widget in node.widgets:
            widget = node.widgets[slot.widget]
            return HostValue(widget.value, widget, node.id)
        if slot.host:
            return HostValue(slot.host.value, slot.host.widget, slot.host.node_id)
    return None
