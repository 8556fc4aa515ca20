"""Convert a workflow in the editor's format to a graph that can be queued."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from random import Random
from typing import Any

from comfytui.workflow.editor.checks import check_classes, check_document, check_values
from comfytui.workflow.editor.choices import KnownModels
from comfytui.workflow.editor.expand import Sender, drop_loose_links, expand, is_too_large, sent_nodes
from comfytui.workflow.editor.findings import Finding, FindingLog
from comfytui.workflow.editor.input_definitions import ClassDefinitions
from comfytui.workflow.editor.node_ids import make_ids_unique
from comfytui.workflow.editor.nodes import EditorGraph, Node
from comfytui.workflow.editor.primitives import push_primitives
from comfytui.workflow.editor.proxy_widgets import migrate_proxy_widgets
from comfytui.workflow.editor.reading import read_document
from comfytui.workflow.editor.subgraphs import build_graph, restoring_order
from comfytui.workflow.editor.text_replacements import TextReplacer
from comfytui.workflow.nodes import Slot


@dataclass(frozen=True, slots=True)
class Conversion:
    """What became of a workflow."""

    graph: Mapping[str, Any] = field(repr=False)
    """The graph in the API format; empty if the workflow cannot be converted."""
    findings: tuple[Finding, ...] = ()
    """What the user should know; if one of them blocks, the graph cannot be queued."""
    promoted: tuple[Slot, ...] = ()
    """The inputs that the workflow shows on its top-level subgraphs."""
    templates: tuple[Slot, ...] = ()
    """The texts whose choices are kept, in the syntax of `prompt_text`: they are to be made for each image."""
    file_names: tuple[Slot, ...] = ()
    """The file names in which dates are kept: they are to be filled in when the graph is sent."""


def convert(
    workflow: object, object_info: Mapping[str, Any], *, now: datetime, rng: Random, keep_choices: bool = False
) -> Conversion:
    """Return the graph that the editor would send for a workflow. Never raises, whatever the JSON is.

    Args:
        workflow: The workflow in the editor's format, as JSON. It is not modified; the graph shares values with it.
        object_info: The server's node definitions, at least those of the classes in the workflow.
        now: The local time, for dates in file names.
        rng: Chooses in dynamic prompts.
        keep_choices: Whether such choices are kept in the graph, and dates in file names; else they are made, and the
            graph can be sent.
    """
    log = FindingLog()
    document = read_document(workflow)
    if document is None:
        log.add(Finding("not_a_workflow", "This is no workflow of the editor: it has no list of nodes.", None, True))
        return Conversion({}, log.all())
    check_document(document, log)
    definitions = ClassDefinitions(object_info)
    graphs = dict[str, EditorGraph]()
    for saved in restoring_order(make_ids_unique(document), log):
        graphs[saved.id] = build_graph(saved, definitions, graphs)
        migrate_proxy_widgets(graphs[saved.id], graphs)
    root = graphs.pop(document.root.id)
    if is_too_large(graphs, root):
        message = "The workflow is too large to be converted: its subgraphs hold each other too often."
        log.add(Finding("too_large", message, None, True))
        return Conversion({}, log.all())

    def all_nodes() -> Iterator[Node]:
        for each in (root, *graphs.values()):
            yield from each.nodes.values()

    replacer = TextReplacer(all_nodes, now)
    for each in (*graphs.values(), root):
        push_primitives(each, replacer.replace)
    sender = Sender(TextReplacer(all_nodes, None) if keep_choices else replacer, rng, log, keep_choices=keep_choices)
    sent = {node_id: (place, node) for place in expand(root, graphs) for node_id, node in sent_nodes(place)}
    graph = {node_id: sender.send(place, node_id, node) for node_id, (place, node) in sent.items()}
    drop_loose_links(graph)
    nodes = {node_id: node for node_id, (_, node) in sent.items()}
    check_classes(nodes, log)
    check_values(nodes, graph, KnownModels(document), log)
    file_names = tuple(sender.file_names) if keep_choices else ()
    return Conversion(graph, log.all(), sender.promoted(root), tuple(sender.templates), file_names)
