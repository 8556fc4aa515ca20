"""Workflows of the editor before the definitions of a server's nodes are known: they have a name, and no graph yet."""

from dataclasses import replace

from comfytui.workflow.documents import WorkflowDocument
from comfytui.workflow.graph import Workflow, workflow_of


def workflow_to_open(document: WorkflowDocument) -> Workflow:
    """Return the workflow of a document; its graph is empty if the document is still to be converted."""
    return replace(workflow_of(document.name, document.graph or {}), editor=document.editor)


def document_to_convert(workflow: Workflow) -> WorkflowDocument | None:
    """Return what a workflow without a graph is to be converted from, None for one with a graph."""
    return None if workflow.graph else WorkflowDocument(workflow.name, editor=workflow.editor)
