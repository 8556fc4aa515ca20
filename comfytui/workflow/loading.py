"""Load a workflow from a file: JSON in ComfyUI's API format, or an image that ComfyUI saved."""

import json
from pathlib import Path
from typing import Any, Final

from comfytui.sanitize import sanitize
from comfytui.workflow.graph import Graph, Workflow, is_too_deep, workflow_of
from comfytui.workflow.image_metadata import ImageMetadataError, extract_prompt, is_image
from comfytui.workflow.nodes import NODE_KEYS

MAX_FILE_BYTES: Final = 64 * 2**20
"""The size of the largest file that is read."""

_EXPORT = "open it in ComfyUI and save it with Workflow > Export (API)"


class WorkflowError(Exception):
    """A file or document is not a workflow; the message is one sentence that says what to do."""


def load_workflow(path: str | Path) -> Workflow:
    """Return the workflow in a file, named after the file.

    Raises:
        WorkflowError: The file cannot be read, has no workflow, or has one that cannot be sent.
    """
    path = Path(path)
    quoted = f"'{sanitize(str(path))}'"
    content = _read(path, quoted)
    if is_image(content):
        content = _prompt_of(content, quoted)
    try:
        document = _parse(content, quoted)
    except RecursionError:
        raise _too_deep(quoted) from None
    return workflow_of(path.stem, graph_from_json(document, quoted))


def graph_from_json(document: object, described: str) -> Graph:
    """Return the graph in a JSON document.

    Args:
        document: The parsed document.
        described: What the messages call it.

    Raises:
        WorkflowError: It is not a graph, or one that cannot be sent.
    """
    if is_too_deep(document):
        raise _too_deep(described)
    return _graph_of(document, described)


def _too_deep(quoted: str) -> WorkflowError:
    return WorkflowError(f"{quoted} is nested too deeply for a workflow: {_EXPORT}.")


def _read(path: Path, quoted: str) -> bytes:
    try:
        with path.open("rb") as file:
            content = file.read(MAX_FILE_BYTES + 1)
    except FileNotFoundError:
        raise WorkflowError(f"There is no file {quoted}: check the path.") from None
    except IsADirectoryError:
        raise WorkflowError(f"{quoted} is a directory: give a workflow file inside it.") from None
    except PermissionError:
        raise WorkflowError(f"Permission denied: {quoted}. Change its permissions, or give another file.") from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise WorkflowError(f"{quoted} cannot be read ({sanitize(reason)}): give another file.") from None
    if len(content) > MAX_FILE_BYTES:
        raise WorkflowError(f"{quoted} is larger than {MAX_FILE_BYTES >> 20} MB: give the workflow's own JSON file.")
    return content


def _prompt_of(content: bytes, quoted: str) -> bytes:
    try:
        text = extract_prompt(content)
    except ImageMetadataError as error:
        reason = sanitize(str(error), 100)
        raise WorkflowError(f"{quoted} is an image that cannot be read ({reason}): give the original file.") from None
    if text is None:
        raise WorkflowError(f"{quoted} is an image without a workflow: give one as ComfyUI saved it, or a JSON file.")
    return text.encode("utf-8", "surrogatepass")


def _parse(content: bytes, quoted: str) -> Any:
    try:
        return json.loads(content)
    except json.JSONDecodeError as error:
        place = f"line {error.lineno}, column {error.colno}"
        raise WorkflowError(f"{quoted} is not JSON (see {place}): if it is a workflow, {_EXPORT}.") from None
    except UnicodeDecodeError:
        raise WorkflowError(
            f"{quoted} is neither UTF-8 text nor an image by ComfyUI: give a JSON or PNG file."
        ) from None
    except ValueError:
        raise WorkflowError(f"{quoted} has a number that is too long: correct it, or {_EXPORT} again.") from None


def _graph_of(document: Any, quoted: str) -> Graph:
    match document:
        case {"prompt": dict(inner)} if "class_type" not in inner:
            document = inner
    match document:
        case {"nodes": list()}:
            raise WorkflowError(f"{quoted} is in the format of ComfyUI's editor: {_EXPORT}.")
        case {}:
            graph = {node_id: _node(node_id, node, quoted) for node_id, node in document.items()}
        case _:
            raise _not_a_workflow(quoted)
    if not graph:
        raise WorkflowError(f"{quoted} is an empty workflow: add nodes to it in ComfyUI, and export it again.")
    _check_sendable(graph, quoted)
    return graph


def _node(node_id: str, node: Any, quoted: str) -> dict[str, Any]:
    match node:
        case {"class_type": str(), "inputs": dict()}:
            return {key: node[key] for key in NODE_KEYS if key in node}
        case {"class_type": _} | {"inputs": _}:
            place = sanitize(node_id, 40)
            raise WorkflowError(f"{quoted} is damaged, its node '{place}' lacks a class or inputs: {_EXPORT} again.")
        case _:
            raise _not_a_workflow(quoted)


def _not_a_workflow(quoted: str) -> WorkflowError:
    return WorkflowError(f"{quoted} is JSON, but not a workflow: if you expected one, {_EXPORT}.")


def _check_sendable(graph: Graph, quoted: str) -> None:
    """Reject NaN, infinity and lone surrogates, which Python's parser reads, but JSON or UTF-8 cannot hold."""
    try:
        json.dumps(graph, allow_nan=False, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        raise WorkflowError(
            f"{quoted} has a text with a broken character: correct the text, or {_EXPORT} again."
        ) from None
    except ValueError:
        raise WorkflowError(f"{quoted} has a value that is not a number (NaN or infinity): correct it first.") from None
