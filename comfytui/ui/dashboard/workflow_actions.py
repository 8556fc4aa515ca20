"""Actions on the open workflows: show one in the form, with its draft, and put the form before it back."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, cast

from textual.app import ScreenStackError
from textual.css.query import NoMatches

from comfytui.ui.dashboard.context import DashboardContext
from comfytui.ui.dashboard.conversions import Conversions
from comfytui.ui.dashboard.finding_notes import FindingNotes
from comfytui.ui.dashboard.form_swap import show_exactly, swap_form
from comfytui.ui.dashboard.graph_checks import GraphChecks
from comfytui.ui.dashboard.open_workflows import OpenWorkflow, OpenWorkflows
from comfytui.ui.drafts import FormTexts
from comfytui.ui.form.form import PromptForm
from comfytui.workflow.graph import Workflow

if TYPE_CHECKING:
    from comfytui.ui.app import ComfyApp


@dataclass(frozen=True, slots=True)
class Replaced:
    """A form that was replaced, and what replaced it."""

    entry: OpenWorkflow
    texts: FormTexts
    new_texts: FormTexts
    """What the new form held before it was edited."""
    shown: OpenWorkflow
    """The workflow that the new form shows."""
    draft: FormTexts | None
    """What the draft of that workflow held before; None if the workflow was opened for the new form."""


class WorkflowActions:
    """Owns the open workflows, and swaps the form.

    Args:
        context: What the dashboard shares.
        form_changed: Called when another form is shown.
        keep_batch: Called with a form before it is replaced, to keep a batch that waits in it.
    """

    def __init__(
        self,
        context: DashboardContext,
        form_changed: Callable[[], object],
        keep_batch: Callable[[PromptForm], object],
    ) -> None:
        self._context = context
        self._form_changed = form_changed
        self._keep_batch = keep_batch
        self._timings = context.options.timings.form
        self.open = OpenWorkflows(context.options.workflow, context.options.drafts)
        self._notes = FindingNotes(context, self.open)
        self._conversions = Conversions(context, self._take_converted, self._notes.show)
        self._checks = GraphChecks(context, self._take_findings)
        self._draft_scheduled = False
        self._replaced: Replaced | None = None

    # The form

    def first_form(self) -> PromptForm:
        """Return the form to begin with, with the stored draft unless the user starts afresh."""
        entry = self.open.shown
        stored = self._stored_draft(entry.workflow)
        entry.draft.set_initial(stored)
        self._context.form = form = PromptForm(entry.workflow, stored, is_stored=True)
        form.border_title = self.open.title()
        return form

    def begin(self) -> None:
        """Take the content of the form before it is edited, and warn about a workflow that may not work."""
        entry = self.open.shown
        if entry.source is None:
            entry.draft.set_initial(self._context.form.texts())
            self._notes.warn(entry, entry.draft.texts)
        self._conversions.start(entry)

    async def open_workflow(self, workflow: Workflow, texts: FormTexts | None = None) -> None:
        """Show a workflow in the form; what the form holds is kept as the draft of its own workflow. Only in a worker.

        ctrl+z puts the form before it back, as long as the new one is not edited.

        Args:
            workflow: The workflow; one with the same graph that is open already is shown instead.
            texts: The texts of the controls that differ from the workflow's values; None for its draft.
        """
        if entry := self.open.find(workflow):
            await self._show(entry, texts)
            return
        stored = await asyncio.to_thread(self._stored_draft, workflow) if texts is None else texts
        entry = self.open.add(workflow)
        entry.draft.set_initial(stored)
        await self._show(entry, stored, opened=True, is_stored=texts is None)
        if entry.source is None:
            self._notes.warn(entry, entry.draft.texts)
            if texts is None:
                entry.draft.set_initial(entry.draft.texts)
        self._conversions.start(entry)
        self._checks.start(entry)

    async def show(self, entry: OpenWorkflow) -> None:
        """Show a workflow that is open, with its draft. Only in a worker."""
        await self._show(entry, None)

    async def _show(
        self, entry: OpenWorkflow, texts: FormTexts | None, *, opened: bool = False, is_stored: bool = False
    ) -> None:
        async def swap() -> None:
            if entry is self.open.shown and texts is None:
                return
            before, draft = self.open.shown, None if opened else entry.draft.texts
            self._keep_batch(self._context.form)
            shown = entry.draft.texts if texts is None else texts
            old_texts = await self._swap(entry, shown, exactly=texts is None, is_stored=is_stored)
            self._replaced = Replaced(before, old_texts, self._texts(), entry, draft)

        await self._between_keys(swap)

    async def _swap(
        self, entry: OpenWorkflow, texts: FormTexts, *, exactly: bool, is_stored: bool = False
    ) -> FormTexts:
        """Show a workflow with these texts, and return those of the form before it, which are its draft from now on."""
        old_texts = self._texts()
        self.open.shown.draft.update(old_texts)
        form = PromptForm(entry.workflow, texts, is_stored=is_stored)
        is_same, self.open.shown = entry is self.open.shown, entry
        form.border_title = self.open.title()
        await swap_form(self._context, form, same_workflow=is_same)
        if not self._context.screen.display:  # It closes, and half of the form is gone.
            return old_texts
        if exactly:
            show_exactly(form, texts)
        entry.draft.update(self._texts())
        self._notes.show(entry)
        self._schedule_writing()
        self._form_changed()
        return old_texts

    def _texts(self) -> FormTexts:
        """Return what the form holds; one without fields yet has the draft that will fill them."""
        shown = self.open.shown
        return self._context.form.texts() if shown.workflow.graph else shown.draft.texts

    def convert_again(self) -> None:
        """Convert the workflows of the editor for the server that answers now."""
        for entry in self.open:
            self._conversions.start(entry)
            self._checks.start(entry)

    def convert_due(self) -> None:
        """Convert the workflows for which the server could not be asked before, or the form not be replaced."""
        for entry in self.open:
            if entry.is_due and (self._context.is_on_top or not entry.workflow.graph):
                self._conversions.start(entry)

    async def _take_converted(self, entry: OpenWorkflow, workflow: Workflow) -> None:
        """Show what a workflow was converted to, with what was typed in its form."""

        async def swap() -> None:
            before = entry.workflow
            if (before.graph, before.findings) == (workflow.graph, workflow.findings):
                return
            if before.graph and entry is self.open.shown and not self._context.is_on_top:
                entry.is_due = True  # What the dialog edits would be gone.
                return
            entry.workflow = workflow
            if entry is not self.open.shown:
                return
            form = self._context.form
            texts = form.texts() if before.graph else entry.draft.texts
            await self._swap(entry, texts, exactly=bool(before.graph), is_stored=not before.graph)
            if form.awaits_choices:
                self._context.form.submit()
            if self._replaced:
                self._replaced = replace(self._replaced, new_texts=self._texts())
            if not before.graph:
                self._notes.warn(entry, self._texts())

        await self._between_keys(swap)

    def _take_findings(self, entry: OpenWorkflow, workflow: Workflow) -> None:
        """Take a workflow with the same graph and other findings."""
        entry.workflow = workflow
        if entry is self.open.shown:
            self._context.form.workflow = workflow
        self._notes.show(entry)

    async def fill(self, texts: FormTexts) -> None:
        """Show other content in the form; ctrl+z puts the old one back. Only in a worker."""
        await self._show(self.open.shown, texts)

    @property
    def can_undo(self) -> bool:
        """Whether the form replaced another one and was not edited since."""
        return self._replaced is not None

    def undo(self) -> None:
        """Put the form back that the present one replaced, and close the workflow that was opened for it."""

        async def swap_back() -> None:
            if replaced := self._replaced:
                self._replaced = None
                if replaced.draft is None:
                    self.open.remove(replaced.shown)
                self._keep_batch(self._context.form)
                await self._swap(replaced.entry, replaced.texts, exactly=True)
                if replaced.draft is not None and replaced.shown is not replaced.entry:
                    replaced.shown.draft.update(replaced.draft)

        self._context.run(partial(self._between_keys, swap_back), "undo")

    async def _between_keys(self, swap: Callable[[], Awaitable[None]]) -> None:
        app = cast("ComfyApp", self._context.screen.app)

        async def swap_unless_closing() -> None:
            if self._context.screen.display:
                try:
                    await swap()
                except (NoMatches, ScreenStackError):
                    # While the program ends, widgets go one after another, the innermost first.
                    if app.is_running:
                        raise

        await app.run_between_keys(swap_unless_closing)

    # Drafts

    def _stored_draft(self, workflow: Workflow) -> FormTexts:
        options = self._context.options
        return {} if options.fresh else options.drafts.read(workflow)

    def follow_edit(self) -> None:
        """Take what was typed, and write it after a delay instead of at every key."""
        texts = self._texts()
        if self._replaced and texts != self._replaced.new_texts:
            self._replaced = None
        if self.open.shown.draft.update(texts):
            self._schedule_writing()
        if self.open.shown.workflow.findings:
            self._notes.show(self.open.shown)

    def _schedule_writing(self) -> None:
        if not self._draft_scheduled:
            self._draft_scheduled = True
            self._context.screen.set_timer(self._timings.draft_delay, self._start_writing)

    def _start_writing(self) -> None:
        self._draft_scheduled = False
        for entry in self.open:
            entry.draft.flush_in_thread()

    def flush_drafts(self) -> None:
        """Write drafts that are not written yet, from any thread; may block for as long as the disk does."""
        for entry in tuple(self.open):
            entry.draft.flush()

    def close(self) -> None:
        """Write the drafts, without waiting for a disk that hangs."""
        threads = [entry.draft.flush_in_thread() for entry in self.open]
        for thread in threads:
            thread.join(self._timings.disk)
