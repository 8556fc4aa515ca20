"""A dialog that returns a file of this machine: folder by folder, or by a path that is typed."""

import asyncio
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

from rich.text import Text
from textual.binding import Binding, BindingType

from comfytui.sanitize import sanitize
from comfytui.ui.folders import FolderEntry, first_readable, is_folder, read_folder
from comfytui.ui.screens.picker import PickerScreen
from comfytui.ui.typed_path import typed_path
from comfytui.ui.widgets.entry_search import Entry, EntryGroup
from comfytui.ui.widgets.filter_list import FilterList
from comfytui.ui.widgets.text import cut_left

MAX_PATH = 200
"""Characters of a path in the title, which is cut at its width."""
MAX_MESSAGE = 300
FRAME = 8
"""Cells of the title's line that the frame takes."""


class BrowseScreen(PickerScreen):
    """Returns an entry whose value is the path of a file, or None if the dialog was closed.

    Args:
        heading: What the file is for, in a few words.
        folder: The folder to begin with; if it cannot be read, the nearest above it.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("alt+up", "up", "Folder above", priority=True, id="browse-up"),
    ]

    def __init__(self, heading: str, folder: Path) -> None:
        super().__init__(
            heading,
            [EntryGroup[Path](note="Reading the folder…", loading=True)],
            load=self._begin,
            typed=self._typed_path,
            empty="The folder is empty. Type a path, or press alt+up.",
        )
        self._heading = heading
        self._folder = folder.absolute()

    def _typed_path(self, text: str) -> Path:
        return self._folder / typed_path(text)

    async def _begin(self, _: FilterList) -> None:
        try:
            self._show(*await asyncio.to_thread(first_readable, self._folder))
        except OSError as error:
            self._refuse(self._folder, error)

    def take(self, entry: Entry[Any]) -> None:
        """Open a folder, or return a file."""
        self._work(partial(self._take_path, entry))

    def action_up(self) -> None:
        """Open the folder above."""
        self.entries.take_query(self.entries.query_text)
        self._work(partial(self._open, self._folder.parent))

    def _work(self, work: Any) -> None:
        self.run_worker(work, group="load", exclusive=True)

    async def _take_path(self, entry: Entry[Path]) -> None:
        path = entry.value
        if path.name == "..":
            await self._open(self._folder.parent)
        elif await asyncio.to_thread(is_folder, path):
            await self._open(path)
        else:
            self.dismiss(entry)

    async def _open(self, folder: Path) -> None:
        """Show a folder, or say why it cannot be read and stay."""
        try:
            entries = await asyncio.to_thread(read_folder, folder)
        except OSError as error:
            self._refuse(folder, error)
        else:
            self._show(folder, entries)

    def _refuse(self, folder: Path, error: OSError) -> None:
        reason = (error.strerror or "it cannot be read").lower()
        text = sanitize(f"The folder {folder.name or folder} cannot be opened: {reason}.", MAX_MESSAGE)
        self.notify(text, severity="error", markup=False)

    def _show(self, folder: Path, found: list[FolderEntry]) -> None:
        """Show what is in a folder, with the cursor on the folder below it that was shown before, else on the first."""
        if not self.entries.is_complete:
            return
        before, self._folder = self._folder, folder
        above = [] if folder == folder.parent else [Entry("../", folder / "..", "folder above")]
        entries = [*above, *(Entry(_title(each), each.path, each.detail) for each in found)]
        left = next((index for index, each in enumerate(entries) if each.value == before), None)
        first = min(len(above), len(entries) - 1)
        self.entries.replace_groups([EntryGroup(entries=entries)], current=first if left is None else left)
        self.entries.border_title = Text(self._heading_of(folder))

    def _heading_of(self, folder: Path) -> str:
        """Return the heading with the end of the path, which says more than its beginning."""
        room = self.entries.size.width - FRAME - len(self._heading)
        path = sanitize(str(folder)[-MAX_PATH:], MAX_PATH)
        return f"{self._heading}: {cut_left(path, max(1, room))}"


def _title(entry: FolderEntry) -> str:
    return f"{entry.path.name}/" if entry.is_folder else entry.path.name
