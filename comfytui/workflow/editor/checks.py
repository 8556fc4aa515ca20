"""What to tell of a converted workflow: classes that the server lacks, and values that it will not take."""

import re
from collections.abc import Mapping
from typing import Any, Final, TypeAlias

from comfytui.sanitize import sanitize
from comfytui.workflow.editor.choices import KnownModels, is_offered
from comfytui.workflow.editor.document import Document, NodeId
from comfytui.workflow.editor.editor_widgets import CUSTOM_COMBO
from comfytui.workflow.editor.findings import Finding, FindingLog
from comfytui.workflow.editor.input_definitions import MISSING, InputDefinition
from comfytui.workflow.editor.json_values import as_mapping
from comfytui.workflow.editor.missing_choices import MissingChoices
from comfytui.workflow.editor.nodes import Kind, Node
from comfytui.workflow.editor.packs import is_of_core, pack_of
from comfytui.workflow.editor.viewports import VIEWPORT_CLASSES
from comfytui.workflow.nodes import is_number

SentNodes: TypeAlias = Mapping[NodeId, Node]
"""The nodes that are sent, by their id in the graph."""

_MADE_BY_BROWSER: Final[Mapping[str, str]] = {
    "LOAD_3D": "a picture of the scene",
    "LOAD_3D_ADVANCED": "a picture of the scene",
    "WEBCAM": "a picture of the camera",
    "AUDIO_RECORD": "a recording",
    "PAINTER": "what is painted on it",
}
"""What only a browser can make, by the type of the widget."""

_SUBGRAPH_ID: Final = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)

_LINKED_BY_JAVASCRIPT: Final = "Everywhere"


def check_document(document: Document, log: FindingLog) -> None:
    """Tell of nodes that could not be read."""
    if document.omitted:
        has, is_ = ("node of the file has", "is") if document.omitted == 1 else ("nodes of the file have", "are")
        message = f"{document.omitted} {has} no id or class and {is_} left out."
        log.add(Finding("malformed_node", message))


def check_classes(nodes: SentNodes, log: FindingLog) -> None:
    """Tell of classes that the server lacks, and of what is special about those that it has."""
    by_class = dict[str, list[tuple[NodeId, Node]]]()
    for node_id, node in nodes.items():
        by_class.setdefault(node.saved.type, []).append((node_id, node))
    for class_type, found in by_class.items():
        node_id, node = found[0]
        where = _label(node_id, node) + (f" and {len(found) - 1} more" if len(found) > 1 else "")
        if node.kind is Kind.UNKNOWN:
            log.add(_unknown_class(node_id, node, where))
        if _LINKED_BY_JAVASCRIPT in class_type:
            message = f"Links that {where} makes exist in the browser alone: inputs may be missing."
            log.add(Finding("javascript_links", message, node_id))
        if node.definition and node.definition.is_deprecated:
            log.add(Finding("deprecated", f"The class of {where} is deprecated: a later server may lack it.", node_id))
        if node.definition and node.definition.is_paid:
            log.add(Finding("paid", f"The server calls a paid service for {where}.", node_id))


def check_values(nodes: SentNodes, graph: Mapping[str, Any], models: KnownModels, log: FindingLog) -> None:
    """Tell of values that the server will refuse, or that are not where they belong."""
    missing = MissingChoices()
    for node_id, node in nodes.items():
        inputs = graph[node_id]["inputs"]
        for name, widget in node.widgets.items():
            value = inputs.get(name, MISSING)
            if widget.definition is not None and not isinstance(value, list):
                _check_value(node_id, node, widget.definition, value, missing, log)
    missing.tell(models, log)


def _check_value(
    node_id: NodeId, node: Node, definition: InputDefinition, value: object, missing: MissingChoices, log: FindingLog
) -> None:
    made = _MADE_BY_BROWSER.get(definition.widget_type)
    if made and node.saved.type not in VIEWPORT_CLASSES:
        message = f"Only a browser makes {made} for {_label(node_id, node)}: what is sent may be old or empty."
        log.add(Finding("browser_value", message, node_id, input_name=definition.name))
    if value is MISSING:
        return
    if not _has_type(value, definition.widget_type):
        log.add(_misplaced(node_id, node, definition))
    elif definition.choices is not None and node.saved.type != CUSTOM_COMBO:
        _check_choice(node_id, node, definition, value, missing)


def _check_choice(
    node_id: NodeId, node: Node, definition: InputDefinition, value: object, missing: MissingChoices
) -> None:
    chosen = as_mapping(value).get("__value__")
    for each in chosen if isinstance(chosen, list) else [value]:
        if not is_offered(each, definition):
            label = _label(node_id, node)
            missing.add(each, definition, class_type=node.saved.type, node_id=node_id, label=label)


def _has_type(value: object, widget_type: str) -> bool:
    match widget_type:
        case "INT" | "FLOAT":
            return is_number(value)
        case "BOOLEAN":
            return isinstance(value, bool)
        case "STRING":
            return isinstance(value, str)
        case _:
            return True


def _misplaced(node_id: NodeId, node: Node, definition: InputDefinition) -> Finding:
    pack = pack_of(node)
    reason = f"the JavaScript of {pack}" if pack else "JavaScript of its pack"
    what = f"The value of {sanitize(definition.name, 60)} in {_label(node_id, node)} is no {definition.widget_type}"
    message = f"{what}: {reason} may have added widgets, so check the values of this node."
    return Finding("misplaced_value", message, node_id, input_name=definition.name)


def _unknown_class(node_id: NodeId, node: Node, where: str) -> Finding:
    name = sanitize(node.saved.type, 80)
    if node.saved.type.startswith(("workflow>", "workflow/")):
        message = f"Open the workflow in ComfyUI and save it, which makes a subgraph of the group node {where}."
        return Finding("group_node", message, node_id, blocks=True)
    if _SUBGRAPH_ID.fullmatch(node.saved.type):
        return Finding(
            "missing_subgraph", f"The file lacks the subgraph that {where} stands for.", node_id, blocks=True
        )
    if is_of_core(node):
        reason = "the server is too old for it, or it was removed from ComfyUI"
    elif pack := pack_of(node):
        reason = f"it is in the pack {pack}"
    else:
        reason = "the file does not say which pack has it"
    return Finding("unknown_class", f"The server lacks the class {name} of {where}: {reason}.", node_id, blocks=True)


def _label(node_id: NodeId, node: Node) -> str:
    return f"node {sanitize(node_id, 60)} “{sanitize(node.title, 60)}”"
