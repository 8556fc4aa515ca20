"""The dialog with the presets of the open workflow: load, save, rename and delete them."""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Final

from textual.binding import Binding, BindingType

from comfytui.presets import NAME_LIMIT, Preset, PresetError, PresetExists, Presets, TransientPresets
from comfytui.ui.dashboard.context import DashboardContext
from comfytui.ui.dashboard.workflow_actions import WorkflowActions
from comfytui.ui.drafts import identity_of
from comfytui.ui.screens.picker import PickerScreen
from comfytui.ui.widgets.entry_search import Entry, EntryGroup, Search

SAVE_AS: Final = "Save what the form holds as"
SAVE: Final = f"{SAVE_AS}…"
HEADING: Final = "Presets: enter loads, F2 renames, F8 deletes"


@dataclass(frozen=True, slots=True)
class Choice:
    """What to do with a preset."""

    action: str
    """`load`, `save`, `rename` or `delete`."""
    name: str = ""
    """Its name; empty to ask for one."""


class PresetSearch(Search[Choice]):
    """Finds presets by their names; its first entry saves one, under the name that is typed if there is one."""

    def __init__(self, groups: Sequence[EntryGroup[Choice]], query: str, earlier: Search[Choice] | None = None) -> None:
        if name := query.strip():
            as_typed = Entry(f"{SAVE_AS} “{name}”", Choice("save", name))
            groups = [EntryGroup(entries=[as_typed, *presets]) for _, *presets in (each.entries for each in groups)]
        super().__init__(groups, query, earlier)

    def _rank(self, text: str) -> int:
        # Behind the presets, so that enter loads the one whose name is being typed.
        return 3 if text.startswith(SAVE_AS.lower()) else super()._rank(text)


class PresetScreen(PickerScreen):
    """A list of presets with keys that rename and delete them."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("f2", "change('rename')", "Rename", key_display="F2", priority=True, id="preset-rename"),
        Binding("f8", "change('delete')", "Delete", key_display="F8", priority=True, id="preset-delete"),
    ]

    def action_change(self, action: str) -> None:
        """Return the preset under the cursor with what to do with it."""
        entry = self.entries.highlighted
        if entry is not None and entry.value.action == "load":
            self.dismiss(Entry(entry.title, Choice(action, entry.value.name)))


class PresetPicker:
    """Lists the presets of the workflow that is shown, and does what the user chooses."""

    def __init__(self, context: DashboardContext, workflows: WorkflowActions) -> None:
        self._context = context
        self._workflows = workflows
        folder, workflow = context.options.journal, identity_of(workflows.open.shown.workflow)
        self._presets = (
            TransientPresets(context.presets.setdefault(workflow, {})) if folder is None else Presets(folder, workflow)
        )

    async def choose(self) -> None:
        """Ask what to do, do it, and ask again unless the form was filled in; only in a worker."""
        while (choice := await self._ask()) is not None:
            try:
                match choice.action:
                    case "load":
                        await self._load(choice.name)
                        return
                    case "save":
                        await self._save(choice.name)
                        return
                    case "rename":
                        await self._rename(choice.name)
                    case "delete":
                        await self._delete(choice.name)
            except PresetError as error:
                self._context.notify(str(error), "error")

    async def _ask(self) -> Choice | None:
        presets = await asyncio.to_thread(self._presets.all)
        entries = [Entry(SAVE, Choice("save")), *(_entry(preset) for preset in presets)]
        entry = await self._context.ask(PresetScreen(HEADING, [EntryGroup(entries=entries)], search=PresetSearch))
        return None if entry is None else entry.value

    async def _name(self, heading: str, proposal: str = "") -> str | None:
        """Ask for a name."""
        dialog: PickerScreen = PickerScreen(
            heading,
            query=proposal,
            typed=lambda text: text[:NAME_LIMIT],
            empty="Type a name, then enter.",
            placeholder="name",
        )
        entry: Entry[Any] | None = await self._context.ask(dialog)
        return None if entry is None else str(entry.value)

    async def _load(self, name: str) -> None:
        texts = await asyncio.to_thread(self._presets.load, name)
        if texts is None:
            raise PresetError(f"The preset {name} cannot be read any more.")
        await self._workflows.fill(texts)

    async def _save(self, typed: str) -> None:
        if (name := typed[:NAME_LIMIT] or await self._name(SAVE_AS)) is None:
            return
        texts = self._context.form.texts()
        try:
            saved = await asyncio.to_thread(self._presets.save, name, texts)
        except PresetExists as error:
            if not await self._context.confirm(f"{error} Replace it?"):
                return
            saved = await asyncio.to_thread(lambda: self._presets.save(name, texts, replace=True))
        self._context.notify(f"Saved the preset {saved}.")

    async def _rename(self, name: str) -> None:
        if (new_name := await self._name(f"New name of {name}", name)) is not None:
            await asyncio.to_thread(self._presets.rename, name, new_name)

    async def _delete(self, name: str) -> None:
        if await self._context.confirm(f"Delete the preset {name}?"):
            await asyncio.to_thread(self._presets.delete, name)


def _entry(preset: Preset) -> Entry[Choice]:
    saved = time.strftime("%Y-%m-%d %H:%M", time.localtime(preset.saved))
    return Entry(preset.name, Choice("load", preset.name), saved)
