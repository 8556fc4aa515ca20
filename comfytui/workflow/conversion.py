"""Make workflows of documents: what is only in the editor's format is converted for a server."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime
from random import Random
from typing import Any, Final

from comfytui.workflow.document_checks import check_sendable
from comfytui.workflow.documents import WorkflowDocument
from comfytui.workflow.editor.convert import convert
from comfytui.workflow.field_keys import FieldKey, is_node_key
from comfytui.workflow.graph import Workflow, slot_of_key, workflow_of
from comfytui.workflow.prompt_text.rendering import with_literal_prompts

MAX_WARNINGS: Final = 100
"""Warnings that are told one by one."""


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
        file_names=conversion.file_names,
    )
    return with_literal_prompts(workflow) if keep_choices else workflow


def warnings(workflow: Workflow, given: Iterable[FieldKey]) -> tuple[str, ...]:
    """Return what the user should know of a workflow that can be queued, in a sentence each.

    Args:
        workflow: The workflow.
        given: The keys of values that are set in place of the workflow's: what was found of these is left out.
    """
    replaced = {
        (slot.node_id, slot.input_name)
        for key in given
        for slot in workflow.fields.get(key, [slot_of_key(workflow.graph, key)] if is_node_key(key) else [])
        if slot is not None
    }
    messages = [
        finding.message
        for finding in workflow.findings
        if not finding.blocks
        and not all((node_id, finding.input_name) in replaced for node_id in (finding.node_id, *finding.more_nodes))
    ]
    more = len(messages) - MAX_WARNINGS
    return (*messages[:MAX_WARNINGS], *([f"There are {more} more warnings."] if more > 0 else ()))


def obstacles(workflow: Workflow) -> tuple[str, ...]:
    """Return why a workflow cannot be queued, whatever values are set, in a sentence each; nothing if it can."""
    blocking = tuple(finding.message for finding in workflow.findings if finding.blocks)
    if not blocking and not workflow.graph:
        return ("There is nothing to queue: every node is muted, bypassed or a note.",)
    return blocking
