"""Check that parsed JSON is a workflow, in the API format or the editor's."""

import json
from collections.abc import Mapping
from typing import Any

from comfytui.sanitize import sanitize
from comfytui.workflow.errors import WorkflowError
from comfytui.workflow.graph import Graph, is_too_deep
from comfytui.workflow.json_text import SAVE_AGAIN, too_deep
from comfytui.workflow.nodes import NODE_KEYS


def checked_editor(document: object, described: str) -> Mapping[str, Any]:
    """Return a document if it is in the editor's format; only that its nodes are a list is checked.

    Raises:
        WorkflowError: It is not, or nested too deeply, or has no nodes.
    """
    match document:
        case {"nodes": []}:
            raise _empty(described)
        case dict() if isinstance(nodes := document.get("nodes"), list) and any(map(_is_editor_node, nodes)):
            if is_too_deep(document):
                raise too_deep(described)
            return document
        case _:
            raise not_a_workflow(described)


def _is_editor_node(node: object) -> bool:
    return isinstance(node, dict) and isinstance(node.get("type"), str)


def checked_graph(document: object, described: str) -> Graph:
    """Return the graph that a document in the API format is, without what the server adds to nodes.

    Raises:
        WorkflowError: It is not a graph, or one that cannot be sent.
    """
    if not isinstance(document, dict):
        raise not_a_workflow(described)
    if is_too_deep(document):
        raise too_deep(described)
    graph = {node_id: _node(node_id, node, described) for node_id, node in document.items()}
    if not graph:
        raise _empty(described)
    check_sendable(graph, described)
    return graph


def _node(node_id: str, node: Any, described: str) -> dict[str, Any]:
    """Return a node as a client sends it: the server adds values such as `is_changed`."""
    match node:
        case {"class_type": str(), "inputs": dict()}:
            return {key: node[key] for key in NODE_KEYS if key in node}
        case {"class_type": _} | {"inputs": _}:
            place = sanitize(node_id, 40)
            raise WorkflowError(f"{described} is damaged, its node '{place}' lacks a class or inputs: {SAVE_AGAIN}.")
        case _:
            raise not_a_workflow(described)


def _empty(described: str) -> WorkflowError:
    return WorkflowError(f"{described} is an empty workflow: add nodes to it in ComfyUI, and save it again.")


def not_a_workflow(described: str) -> WorkflowError:
    """Return the error of JSON that is something else."""
    return WorkflowError(f"{described} is JSON, but not a workflow: if you expected one, {SAVE_AGAIN}.")


def check_sendable(graph: Graph, described: str) -> None:
    """Reject NaN, infinity and lone surrogates, which Python's parser reads, but JSON or UTF-8 cannot hold.

    Raises:
        WorkflowError: The graph has one of them.
    """
    try:
        json.dumps(graph, allow_nan=False, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        raise WorkflowError(
            f"{described} has a text with a broken character: correct the text, or {SAVE_AGAIN}."
        ) from None
    except ValueError:
        raise WorkflowError(
            f"{described} has a value that is not a number (NaN or infinity): correct it first."
        ) from None
