"""Convert workflows that are given in the editor's format, with the definitions of the session's server."""

import asyncio
from collections.abc import Mapping, Sequence
from datetime import datetime
from random import Random
from typing import Any, Final

from comfytui.garbage_pause import garbage_collection_paused
from comfytui.service.thread import ServiceThread
from comfytui.workflow.conversion import obstacles, workflow_from
from comfytui.workflow.documents import WorkflowDocument
from comfytui.workflow.editor.class_types import class_types
from comfytui.workflow.errors import WorkflowError
from comfytui.workflow.graph import Workflow
from comfytui.workflow.unconverted import document_to_convert

MAX_REASONS: Final = 5
"""Reasons why a workflow cannot be queued that an error names."""


async def with_graph(service: ServiceThread, workflow: Workflow, rng: Random) -> Workflow:
    """Return a workflow that can be queued: one that has no graph yet is converted.

    Args:
        service: The session with the server.
        workflow: The workflow.
        rng: Draws the alternatives of dynamic prompts.

    Raises:
        ComfyError: The server cannot be asked for the definitions of the nodes.
        WorkflowError: The workflow cannot be queued on this server; the message is a few sentences.
    """
    document = document_to_convert(workflow)
    if document is None:
        return workflow
    types = await asyncio.to_thread(class_types, document.editor)
    definitions = await definitions_of(service, types)
    converted = await asyncio.to_thread(_converted, document, definitions, rng)
    if reasons := obstacles(converted):
        raise WorkflowError(_joined(reasons))
    return converted


async def definitions_of(service: ServiceThread, types: frozenset[str]) -> Mapping[str, Mapping[str, Any]]:
    """Return the definitions of some node classes by class, and perhaps of others.

    Raises:
        ComfyError: The server cannot be asked, and what it had is not known.
    """
    return (await asyncio.wrap_future(service.definitions(types))).classes


def _converted(document: WorkflowDocument, definitions: Mapping[str, Any], rng: Random) -> Workflow:
    with garbage_collection_paused():
        return workflow_from(document, definitions, datetime.now(), rng, keep_choices=True)


def _joined(reasons: Sequence[str]) -> str:
    more = len(reasons) - MAX_REASONS
    return " ".join(reasons[:MAX_REASONS]) + (f" There are {more} more reasons." if more > 0 else "")
