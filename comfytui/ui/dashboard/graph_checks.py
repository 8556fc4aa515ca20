"""Checks graphs in the API format against the server's node definitions, beside the screen's loop."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from functools import partial

from comfytui.comfy.errors import ComfyError
from comfytui.service.class_definitions import definitions_for
from comfytui.ui.dashboard.context import DashboardContext
from comfytui.ui.dashboard.open_workflows import OpenWorkflow
from comfytui.workflow.builtin import txt2img
from comfytui.workflow.graph import Workflow, classes_of


class GraphChecks:
    """Checks open workflows that have a graph of their own.

    Args:
        context: What the dashboard shares.
        take: Takes what was found in a workflow, if that is something else than before.
    """

    def __init__(self, context: DashboardContext, take: Callable[[OpenWorkflow, Workflow], object]) -> None:
        self._context = context
        self._take = take

    def start(self, entry: OpenWorkflow) -> None:
        """Check a workflow for the server that is there now."""
        # What every server has needs no check, and the start is not to wait for more requests.
        is_builtin = entry.workflow.graph == txt2img().graph
        if entry.source is None and not entry.has_findings and not is_builtin:
            self._context.run(partial(self._check, entry), f"check-{id(entry)}")

    async def _check(self, entry: OpenWorkflow) -> None:
        workflow, service = entry.workflow, self._context.service
        classes = frozenset(classes_of(workflow.graph).values())
        try:
            definitions = await asyncio.wrap_future(service.call(lambda backend: definitions_for(backend, classes)))
        except ComfyError:
            return  # The form says that its choices could not be read; the check follows with the next connection.
        # Imported late: the first paint does not need it.
        from comfytui.workflow.editor.graph_checks import check_graph

        findings = await asyncio.to_thread(check_graph, workflow.graph, definitions, workflow.editor)
        if findings != workflow.findings and workflow is entry.workflow and self._context.screen.display:
            self._take(entry, replace(workflow, findings=findings))
