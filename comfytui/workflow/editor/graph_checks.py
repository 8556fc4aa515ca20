"""What to tell of a graph in the API format before it is sent: classes, models and files that the server lacks."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any, Final

from comfytui.workflow.editor.checks import check_classes, check_values
from comfytui.workflow.editor.choices import KnownModels
from comfytui.workflow.editor.document import Document, NodeId, SavedNode
from comfytui.workflow.editor.findings import Finding, FindingLog
from comfytui.workflow.editor.input_definitions import ClassDefinition, ClassDefinitions
from comfytui.workflow.editor.json_values import as_mapping, as_text
from comfytui.workflow.editor.nodes import Kind, Node, Widget
from comfytui.workflow.editor.reading import read_document

_OF_CONVERSIONS: Final = "misplaced_value"
"""The kind of findings about values that a conversion may have put in a wrong place."""


def check_graph(graph: Mapping[str, Any], object_info: Mapping[str, Any], editor: object = None) -> tuple[Finding, ...]:
    """Return what the user should know of a graph. Nothing blocks it: the server has the last word.

    Args:
        graph: The graph in the API format.
        object_info: The server's definitions of its classes; those that are missing are taken for unknown.
        editor: What the editor saved with the graph, which may say where its packs and models are to be had.
    """
    document, definitions, log = read_document(editor), ClassDefinitions(object_info), FindingLog()
    nodes = dict(_nodes(graph, definitions, document))
    check_classes(nodes, log)
    check_values(nodes, graph, KnownModels(document), log)
    return tuple(replace(each, blocks=False) for each in log.all() if each.kind != _OF_CONVERSIONS)


def _nodes(
    graph: Mapping[str, Any], definitions: ClassDefinitions, document: Document | None
) -> Iterator[tuple[NodeId, Node]]:
    saved = {(str(each.id), each.type): each.properties for each in (document.root.nodes if document else ())}
    for node_id, source in graph.items():
        class_type, inputs = as_text(as_mapping(source).get("class_type")), as_mapping(source).get("inputs")
        if class_type is None or not isinstance(inputs, Mapping):
            continue
        definition = definitions.get(class_type)
        title = as_text(as_mapping(source.get("_meta")).get("title"))
        properties = saved.get((node_id, class_type), {})
        node = SavedNode(node_id, class_type, 0, (), (), properties, None, title)
        kind = Kind.UNKNOWN if definition is None else Kind.CLASS
        yield node_id, Node(node, kind, definition, widgets=_widgets(definition, inputs))


def _widgets(definition: ClassDefinition | None, inputs: Mapping[str, Any]) -> dict[str, Widget]:
    """Return the widgets that have a value; an empty choice is still to be made, by the form or the user."""
    declared = definition.inputs if definition else ()
    return {
        each.name: Widget(each.name, inputs[each.name], each)
        for each in declared
        if each.is_widget and inputs.get(each.name) not in (None, "")
    }
