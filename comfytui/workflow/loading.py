"""A workflow from a file: JSON in ComfyUI's API format, or a picture that ComfyUI saved."""

import json
from pathlib import Path
from typing import Any, Final

from comfytui.sanitize import sanitize
from comfytui.workflow.graph import Graph, Workflow, workflow_of
from comfytui.workflow.image_metadata import UnreadablePictureError, is_picture, prompt_in

MAX_BYTES: Final = 64 * 2**20
"""The largest file that is read."""

_EXPORT = "open it in ComfyUI and save it with Workflow > Export (API)"
_KEPT = ("class_type", "inputs", "_meta")
"""What a node is sent with; pictures also carry what the server computed, such as `is_changed`."""


class WorkflowError(Exception):
    """Why a file is no workflow, in one sentence that says what to do."""


def load_workflow(path: str | Path) -> Workflow:
    """Return the workflow in a file, named after it; raise WorkflowError."""
    path = Path(path)
    shown = f"'{sanitize(str(path))}'"
    content = _read(path, shown)
    if is_picture(content):
        content = _prompt_of(content, shown)
    try:
        graph = _graph_of(_parse(content, shown), shown)
    except RecursionError:
        raise WorkflowError(f"{shown} is nested too deeply for a workflow: {_EXPORT}.") from None
    return workflow_of(path.stem, graph)


def _read(path: Path, shown: str) -> bytes:
    try:
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
    except FileNotFoundError:
        raise WorkflowError(f"There is no file {shown}: check the path.") from None
    except IsADirectoryError:
        raise WorkflowError(f"{shown} is a directory: give a workflow file inside it.") from None
    except PermissionError:
        raise WorkflowError(f"Permission denied: {shown}. Change its permissions, or give another file.") from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise WorkflowError(f"{shown} cannot be read ({sanitize(reason)}): give another file.") from None
    if len(content) > MAX_BYTES:
        raise WorkflowError(f"{shown} is larger than {MAX_BYTES >> 20} MB: give the workflow's own JSON file.")
    return content


def _prompt_of(content: bytes, shown: str) -> bytes:
    try:
        text = prompt_in(content)
    except UnreadablePictureError as error:
        reason = sanitize(str(error), 100)
        raise WorkflowError(f"{shown} is an image that cannot be read ({reason}): give the original file.") from None
    if text is None:
        raise WorkflowError(f"{shown} is an image without a workflow: give one as ComfyUI saved it, or a JSON file.")
    return text.encode("utf-8", "surrogatepass")


def _parse(content: bytes, shown: str) -> Any:
    try:
        return json.loads(content)
    except json.JSONDecodeError as error:
        place = f"line {error.lineno}, column {error.colno}"
        raise WorkflowError(f"{shown} is not JSON (see {place}): if it is a workflow, {_EXPORT}.") from None
    except UnicodeDecodeError:
        raise WorkflowError(
            f"{shown} is neither UTF-8 text nor an image by ComfyUI: give a JSON or PNG file."
        ) from None
    except ValueError:
        raise WorkflowError(f"{shown} has a number that is too long: correct it, or {_EXPORT} again.") from None


def _graph_of(document: Any, shown: str) -> Graph:
    match document:
        case {"prompt": dict(inner)} if "class_type" not in inner:
            document = inner
    match document:
        case {"nodes": list()}:
            raise WorkflowError(f"{shown} is in the format of ComfyUI's editor: {_EXPORT}.")
        case {}:
            graph = {node_id: _node(node_id, node, shown) for node_id, node in document.items()}
        case _:
            raise _no_workflow(shown)
    if not graph:
        raise WorkflowError(f"{shown} is an empty workflow: add nodes to it in ComfyUI, and export it again.")
    _assert_sendable(graph, shown)
    return graph


def _node(node_id: str, node: Any, shown: str) -> dict[str, Any]:
    match node:
        case {"class_type": str(), "inputs": dict()}:
            return {key: node[key] for key in _KEPT if key in node}
        case {"class_type": _} | {"inputs": _}:
            place = sanitize(node_id, 40)
            raise WorkflowError(f"{shown} is damaged, its node '{place}' lacks a class or inputs: {_EXPORT} again.")
        case _:
            raise _no_workflow(shown)


def _no_workflow(shown: str) -> WorkflowError:
    return WorkflowError(f"{shown} is JSON, but not a workflow: if you expected one, {_EXPORT}.")


def _assert_sendable(graph: Graph, shown: str) -> None:
    """Find what JSON and UTF-8 cannot carry, though Python's parser reads it: NaN, infinity, half surrogates."""
    try:
        json.dumps(graph, allow_nan=False, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        raise WorkflowError(
            f"{shown} has a text with a broken character: correct the text, or {_EXPORT} again."
        ) from None
    except ValueError:
        raise WorkflowError(f"{shown} has a value that is not a number (NaN or infinity): correct it first.") from None
