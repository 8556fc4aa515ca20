"""Workflows of the editor before the definitions of a server's nodes are known: they have a name, and no graph yet."""

from dataclasses import replace
from typing import TYPE_CHECKING

from comfytui.workflow.graph import Workflow, workflow_of

if TYPE_CHECKING:
    from comfytui.workflow.documents import WorkflowDocument


def workflow_to_open(document: "WorkflowDocument") -> Workflow:
    """Return the workflow of a document; its graph is empty if the document is still to be converted."""
    return replace(workflow_of(document.name, document.graph or {}), editor=document.editor)


def document_to_convert(workflow: Workflow) -> "WorkflowDocument | None":
    """Return what a workflow without a graph is to be converted from, None for one with a graph."""
    if workflow.graph:
        return None
    # Imported late: the first paint of a graph does not need it.
    from comfytui.workflow.documents import WorkflowDocument

    return WorkflowDocument(workflow.name, editor=workflow.editor)
