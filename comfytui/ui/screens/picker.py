"""A dialog that returns one entry of a list of any length."""

from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Any, ClassVar

from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.events import Click
from textual.screen import ModalScreen

from comfytui.sanitize import sanitize
from comfytui.ui.widgets.entry_search import Entry, EntryGroup
from comfytui.ui.widgets.filter_list import FilterList

MAX_HEADING = 60
"""Characters of the title that are shown."""

Load = Callable[[FilterList], Awaitable[None]]
"""Adds groups, with `FilterList.set_group`, that take time to read."""


class PickerScreen(ModalScreen[Entry[Any] | None]):
    """Returns the entry that the user takes, or None if the dialog was closed.

    Args:
        heading: What is chosen.
        groups: The entries that are known.
        load: Adds others, in a worker; it handles its errors itself, as the note of a group.
        options: Further arguments of `FilterList`.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "dismiss(None)", "Close", key_display="esc", id="picker-close"),
    ]

    def __init__(
        self, heading: str, groups: Sequence[EntryGroup[Any]] = (), *, load: Load | None = None, **options: Any
    ) -> None:
        super().__init__()
        self.entries = FilterList(groups, **options)
        """The list."""
        self.entries.border_title = Text(sanitize(heading, MAX_HEADING))
        self._load = load

    @property
    def list_keys(self) -> list[tuple[str, str]]:
        """The keys of the list and what they do, for the help."""
        keys = [("enter", "Take the entry under the cursor"), ("up, down", "Go to another entry (page keys too)")]
        return [*keys, ("tab, left, right", "Go to another list")] if self.entries.has_tabs else keys

    def compose(self) -> ComposeResult:
        """Compose the list."""
        yield self.entries

    def on_mount(self) -> None:
        """Read what takes time."""
        if self._load is not None:
            self.run_worker(partial(self._load, self.entries), group="load")

    @on(FilterList.Chosen)
    def _take(self, event: FilterList.Chosen) -> None:
        event.stop()
        self.take(event.entry)

    def take(self, entry: Entry[Any]) -> None:
        """Return an entry."""
        self.dismiss(entry)

    def on_click(self, event: Click) -> None:
        """Close the dialog when its surroundings are clicked."""
        if event.widget is self:
            self.dismiss(None)
