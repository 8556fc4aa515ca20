"""The dialog that opens a workflow, or switches to one that is open."""

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import Any

from textual.worker import Worker

from comfytui.comfy.errors import ComfyError, Unreachable
from comfytui.ui.dashboard import workflow_sources as sources
from comfytui.ui.dashboard.context import DashboardContext
from comfytui.ui.dashboard.open_workflows import OpenWorkflow
from comfytui.ui.dashboard.pages import PageSwitcher
from comfytui.ui.dashboard.workflow_actions import WorkflowActions
from comfytui.ui.dashboard.workflow_sources import Browse, Source, Target
from comfytui.ui.folders import is_folder
from comfytui.ui.screens.picker import PickerScreen
from comfytui.ui.typed_path import typed_path
from comfytui.ui.widgets.entry_search import Entry, EntryGroup
from comfytui.ui.widgets.filter_list import FilterList
from comfytui.workflow.errors import WorkflowError

TITLE = "Open a workflow: choose one, or type the path of a file"
EMPTY = "Nothing is here. Type the path of a file, or press tab for another list."
BROWSE_TITLE = "Open a workflow"
LOADING = "Reading the list…"


class WorkflowPicker:
    """Lists the workflows that can be opened, and opens the one that is chosen."""

    def __init__(self, context: DashboardContext, workflows: WorkflowActions, pages: PageSwitcher) -> None:
        self._context = context
        self._workflows = workflows
        self._pages = pages
        self._typed = ""
        """What was typed in the dialog, if it was taken."""
        self._dialog: PickerScreen | None = None

    async def choose(self) -> None:
        """Ask for a workflow and show it in the form; again after a path that cannot be opened. Only in a worker."""
        while (entry := await self._ask(self._typed)) is not None:
            if await self._open(entry.value) or not self._typed:
                return

    async def _ask(self, typed: str) -> Entry[Target] | None:
        """Ask for a workflow, with a text that was typed before."""
        self._typed = ""
        context, workflows = self._context, self._workflows
        groups = [
            sources.open_group([*workflows.open], workflows.open.shown),
            sources.files_group(context, (), loading=True),
            EntryGroup[Target](sources.SAVED, note=LOADING, loading=True),
            EntryGroup[Target](sources.TEMPLATES, note=LOADING, loading=True),
            sources.jobs_group(context),
        ]
        self._dialog = PickerScreen(
            TITLE,
            groups,
            load=self._load,
            describe=_describe,
            query=typed,
            typed=self._take_typed,
            empty=EMPTY,
        )
        entry = await context.ask(self._dialog)
        self._dialog = None
        return entry

    def _take_typed(self, text: str) -> Source:
        self._typed = text
        return sources.file_source(self._context, typed_path(text))

    async def _load(self, shown: FilterList) -> None:
        self.read_again()
        await self._add_recent(shown)

    def read_again(self) -> None:
        """Read the server's lists, again if they were read before, while the dialog is open."""
        if self._dialog is not None and self._dialog.is_running:
            read = partial(self._read_server, self._dialog.entries)
            _: Worker[None] = self._dialog.run_worker(read, group="server-lists", exclusive=True)

    async def _read_server(self, shown: FilterList) -> None:
        _set_group(shown, sources.jobs_group(self._context))
        await asyncio.gather(
            self._add(shown, sources.SAVED, sources.saved_group),
            self._add(shown, sources.TEMPLATES, sources.template_group),
        )

    async def _add_recent(self, shown: FilterList) -> None:
        paths = await asyncio.to_thread(self._context.options.recent.read)
        _set_group(shown, sources.files_group(self._context, paths))

    async def _add(
        self, shown: FilterList, name: str, read: Callable[[DashboardContext], Awaitable[EntryGroup[Target]]]
    ) -> None:
        try:
            group = await read(self._context)
        except ComfyError as error:
            later = " It is read as soon as the server answers." if isinstance(error, Unreachable) else ""
            group = EntryGroup(name, note=f"The list could not be read: {error}{later}")
        _set_group(shown, group)

    async def _open(self, target: Target) -> bool:
        """Show a workflow, and return whether there is nothing more to ask: it is shown, or none was taken."""
        if isinstance(target, OpenWorkflow):
            self._pages.show_form()
            await self._workflows.show(target)
            return True
        if (source := await self._file_of(target)) is None:
            return True
        try:
            workflow = await source.read()
        except (WorkflowError, ComfyError) as error:
            self._context.notify(str(error), "error")
            return False
        self._pages.show_form()
        await self._workflows.open_workflow(workflow)
        if source.path:
            await asyncio.to_thread(self._context.options.recent.add, source.path)
        return True

    async def _file_of(self, target: Source | Browse) -> Source | None:
        """Return a source; where it is a folder, ask for a file in it, and return None if the user takes none."""
        if isinstance(target, Source):
            if not target.path or not await asyncio.to_thread(is_folder, Path(target.path)):
                return target
            target = Browse(Path(target.path))
        # Imported late: most workflows are opened without it.
        from comfytui.ui.screens.browse import BrowseScreen

        entry = await self._context.ask(BrowseScreen(BROWSE_TITLE, target.folder))
        return None if entry is None else sources.file_source(self._context, entry.value)


def _set_group(shown: FilterList, group: EntryGroup[Target]) -> None:
    if shown.is_complete:
        shown.set_group(group)


async def _describe(entry: Entry[Any]) -> str:
    return entry.value.about if isinstance(entry.value, Source) else ""
