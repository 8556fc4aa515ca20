"""What a file holds: a graph in ComfyUI's API format, the editor's format, or both."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from typing import Any

from comfytui.sanitize import sanitize
from comfytui.workflow.document_checks import checked_editor, checked_graph, not_a_workflow
from comfytui.workflow.errors import WorkflowError
from comfytui.workflow.graph import Graph, Workflow, workflow_of
from comfytui.workflow.json_text import SAVE_AGAIN, parse_json
from comfytui.workflow.wrappers import unwrap


@dataclass(frozen=True, slots=True)
class WorkflowDocument:
    """What a file holds; one of the formats is not None."""

    name: str
    """Of the file, without its folder and suffix."""
    graph: Graph | None = field(default=None, repr=False)
    """The graph in API format, which needs no conversion."""
    editor: Mapping[str, Any] | None = field(default=None, repr=False)
    """The workflow in the editor's format, as it is in the file: of it, only `nodes` is known to be a list."""
    is_sent: bool = False
    """Whether the graph is what a server got, as pictures have it, so that the braces in its prompts are text."""


def load_document(path: str | Path) -> WorkflowDocument:
    """Return the workflow in a file: JSON in either format, or an image, video, sound or model that ComfyUI saved.

    Of other files than JSON, only the metadata are read.

    Raises:
        WorkflowError: The file cannot be read, has no workflow, or has one that cannot be used.
    """
    from comfytui.workflow.document_files import document_in
    from comfytui.workflow.opening import open_file

    path = Path(path)
    quoted = _quoted(path)
    with open_file(path, quoted) as (file, size):
        return document_from_json(*document_in(file, size, path.stem, quoted))


def document_from_bytes(content: bytes, name: str, described: str) -> WorkflowDocument:
    """Return the workflow in the content of a file, see `load_document`.

    Args:
        content: The content.
        name: The name of the document.
        described: What the messages call the file.

    Raises:
        WorkflowError: It has no workflow, or one that cannot be used.
    """
    from comfytui.workflow.document_files import document_in

    return document_from_json(*document_in(BytesIO(content), len(content), name, described))


def document_from_json(document: object, name: str, described: str, is_sent: bool = False) -> WorkflowDocument:
    """Return the workflow in a parsed JSON document, which may be wrapped, see `unwrap`.

    Args:
        document: The document.
        name: The name of the workflow.
        described: What the messages call the document.
        is_sent: Whether the graph in it is what a server got.

    Raises:
        WorkflowError: It is not a workflow, or one that cannot be used.
    """
    prompt, workflow = unwrap(document)
    graph: Graph | None = None
    failure: WorkflowError | None = None
    if prompt is not None:
        try:
            graph = checked_graph(_parsed(prompt, described), described)
        except WorkflowError as error:
            failure = error
    editor: Mapping[str, Any] | None = None
    if workflow is not None:
        try:
            editor = checked_editor(_parsed(workflow, described), described)
        except WorkflowError as error:
            failure = failure or error
    if graph is None and editor is None:
        raise failure or not_a_workflow(described)
    return WorkflowDocument(name, graph, editor, is_sent)


def graph_from_json(document: object, described: str) -> Graph:
    """Return the graph in a JSON document, see `document_from_json`.

    Raises:
        WorkflowError: It is not a graph, or one that cannot be sent.
    """
    return _only_graph(document_from_json(document, "", described), described)


def load_workflow(path: str | Path) -> Workflow:
    """Return the workflow in a file, named after the file; one that is only in the editor's format is refused.

    Raises:
        WorkflowError: The file cannot be read, has no workflow, or has one that cannot be sent.
    """
    document = load_document(path)
    return workflow_of(document.name, _only_graph(document, _quoted(path)))


def _quoted(path: str | Path) -> str:
    return f"'{sanitize(str(path))}'"


def _only_graph(document: WorkflowDocument, described: str) -> Graph:
    if document.graph is None:
        raise WorkflowError(
            f"{described} is in the format of ComfyUI's editor: {SAVE_AGAIN} with Workflow > Export (API)."
        )
    return document.graph


def _parsed(value: object, described: str) -> object:
    """Return the value of a text that is JSON in a document, else the value itself."""
    return parse_json(value.encode("utf-8", "surrogatepass"), described) if isinstance(value, str) else value
