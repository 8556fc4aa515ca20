"""The action that fills the form with what a job was made of."""

import asyncio
from collections.abc import Mapping
from functools import partial

from comfytui.session.model import Job
from comfytui.ui.dashboard.context import DashboardContext
from comfytui.ui.dashboard.job_graphs import graph_for, title_of
from comfytui.ui.dashboard.pages import PageSwitcher
from comfytui.ui.dashboard.workflow_actions import WorkflowActions
from comfytui.ui.form import rows
from comfytui.workflow.fields import FieldKey, FieldValue
from comfytui.workflow.graph import Graph, Workflow, workflow_of
from comfytui.workflow.input_specs import text_of
from comfytui.workflow.recall import recalled_values
from comfytui.workflow.seeds import SeedMode

MAX_NAME = 40
"""Characters of the name of a recalled workflow."""


class RecallActions:
    """Shows the graphs of jobs in the form.

    Args:
        context: What the dashboard shares.
        workflows: The open workflows.
        pages: Which part of the dashboard is used.
    """

    def __init__(self, context: DashboardContext, workflows: WorkflowActions, pages: PageSwitcher) -> None:
        self._context = context
        self._workflows = workflows
        self._pages = pages

    def recall_selected(self) -> None:
        """Fill the form with what the selected job was made of."""
        if job := self._context.panel.selected_job():
            self.recall(job)
        else:
            self._context.notify("Select a job first.")

    def recall(self, job: Job) -> None:
        """Fill the form with what a job was made of, whoever made it and however it ended.

        If an open workflow differs from the job's graph only in values, it is shown with these; else the graph is
        opened as a workflow of its own.
        """
        self._context.run(partial(self._recall, job), "recall")

    async def _recall(self, job: Job) -> None:
        graph = await graph_for(self._context, job, "The form cannot show this job")
        if graph is None:
            return
        # Imported late: the first paint does not need them.
        from comfytui.workflow.prompt_text.literal import as_sent, literal_texts
        from comfytui.workflow.prompt_text.wildcards import load_wildcards

        wildcards = await asyncio.to_thread(load_wildcards, self._context.options.wildcards)
        if match := self._best_match(graph):
            workflow, values = match
            values = {**values, **literal_texts(graph, workflow, wildcards)}
        else:
            workflow, values = as_sent(graph, workflow_of(self._name(job), graph), wildcards), {}
        await self._workflows.open_workflow(workflow, _texts(values))
        self._pages.show_form()
        self._context.notify("The form shows what this job was made of. ctrl+z puts back what it held before.")

    def _best_match(self, graph: Graph) -> tuple[Workflow, Mapping[FieldKey, FieldValue]] | None:
        """Return the open workflow whose form can show a graph, the shown one first, and the values that differ."""
        shown = self._workflows.open.shown
        for entry in (shown, *self._workflows.open):
            values = recalled_values(graph, entry.workflow)
            if values is not None:
                return entry.workflow, values
        return None

    def _name(self, job: Job) -> str:
        title = title_of(self._context, job) or job.prompt_id
        return title if len(title) <= MAX_NAME else f"{title[: MAX_NAME - 1]}…"


def _texts(values: Mapping[FieldKey, FieldValue]) -> Mapping[str, str]:
    """Return the texts of the form: the values that differ, and one image with the very seeds."""
    texts = {key: text_of(value) for key, value in values.items()}
    return {**texts, rows.SEED_MODE_ID: SeedMode.FIXED.value, rows.IMAGES_ID: "1"}
