"""Converts workflows of the editor for the server, beside the screen's loop, and again for another server."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime
from functools import partial
from random import Random
from typing import Any

from comfytui.comfy.errors import ComfyError, Unreachable
from comfytui.garbage_pause import garbage_collection_paused
from comfytui.sanitize import sanitize
from comfytui.ui.dashboard.context import MAX_MESSAGE, DashboardContext
from comfytui.ui.dashboard.open_workflows import OpenWorkflow
from comfytui.workflow.errors import WorkflowError
from comfytui.workflow.graph import Workflow

Take = Callable[[OpenWorkflow, Workflow], Awaitable[None]]
"""Takes what a workflow was converted to."""


class Conversions:
    """Converts open workflows that have a document to convert.

    Args:
        context: What the dashboard shares.
        take: Takes what a workflow was converted to.
        explain: Called with an open workflow whose note changed: why it is not converted.
    """

    def __init__(self, context: DashboardContext, take: Take, explain: Callable[[OpenWorkflow], object]) -> None:
        self._context = context
        self._take = take
        self._explain = explain

    def start(self, entry: OpenWorkflow) -> None:
        """Convert a workflow for the server that is there now, else as soon as `start` is called again."""
        entry.is_due = False
        if entry.source is not None:
            if not entry.workflow.graph:
                self._note(entry, self._waiting)
            self._context.run(partial(self._convert, entry), f"convert-{id(entry)}")

    @property
    def _waiting(self) -> str:
        return f"Waiting for {self._context.service.server.label} to read the workflow's nodes."

    async def _convert(self, entry: OpenWorkflow) -> None:
        from comfytui.workflow.editor.class_types import class_types

        assert entry.source is not None
        try:
            classes = await asyncio.to_thread(class_types, entry.source.editor)
            definitions = await asyncio.wrap_future(self._context.service.definitions(classes))
            workflow = await asyncio.to_thread(_converted, entry, definitions.classes)
        except Unreachable:
            entry.is_due = True
        except ComfyError as error:
            self._note(entry, f"The definitions of the workflow's nodes could not be read: {error} ctrl+r tries again.")
        except WorkflowError as error:
            self._note(entry, str(error))
        else:
            await self._take(entry, workflow)

    def _note(self, entry: OpenWorkflow, note: str) -> None:
        """Say why a workflow is not converted; one that was, for a server before, stays as it is."""
        if not entry.workflow.graph:
            entry.note = sanitize(note, MAX_MESSAGE)
            if self._context.screen.display:
                self._explain(entry)


def _converted(entry: OpenWorkflow, definitions: Mapping[str, Any]) -> Workflow:
    from comfytui.workflow.conversion import workflow_from

    assert entry.source is not None
    # The same time and the same draws for each server, so that only what the server changes is different.
    now, rng = datetime.fromtimestamp(entry.opened), Random(entry.opened)
    with garbage_collection_paused():
        return workflow_from(entry.source, definitions, now, rng, keep_choices=True)
