"""Make workflows of documents: what is only in the editor's format is converted for a server."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from random import Random
from typing import Any

from comfytui.workflow.document_checks import check_sendable
from comfytui.workflow.documents import WorkflowDocument
from comfytui.workflow.editor.convert import convert
from comfytui.workflow.graph import Workflow, workflow_of
from comfytui.workflow.prompt_text.rendering import with_literal_prompts


def workflow_from(
    document: WorkflowDocument,
    object_info: Mapping[str, Any],
    now: datetime,
    rng: Random,
    *,
    keep_choices: bool = False,
) -> Workflow:
    """Return the workflow of a document; `findings` says what is wrong with the conversion, if there was one.

    Args:
        document: The document. Its graph is taken as it is; without one, the editor's format is converted.
        object_info: The server's node definitions by class, at least of those in the document that it has.
        now: The local time, for dates in file names.
        rng: Draws the alternatives of dynamic prompts.
        keep_choices: Whether they are kept, to be drawn for each image; the prompts of the graph are templates then.

    Raises:
        WorkflowError: A value cannot be sent.
    """
    if document.graph is not None:
        return replace(workflow_of(document.name, document.graph), editor=document.editor)
    conversion = convert(document.editor, object_info, now=now, rng=rng, keep_choices=keep_choices)
    check_sendable(conversion.graph, "The workflow")
    workflow = replace(
        workflow_of(document.name, conversion.graph),
        editor=document.editor,
        findings=conversion.findings,
        promoted=conversion.promoted,
        templates=conversion.templates,
    )
    return with_literal_prompts(workflow) if keep_choices else workflow


def obstacles(workflow: Workflow) -> tuple[str, ...]:
    """Return why a workflow cannot be queued, whatever values are set, in a sentence each; nothing if it can."""
    blocking = tuple(finding.message for finding in workflow.findings if finding.blocks)
    if not blocking and not workflow.graph:
        return ("There is nothing to queue: every node is muted, bypassed or a note.",)
    return blocking
