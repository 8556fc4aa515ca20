"""The list of completions below the cursor of a prompt."""

from rich.text import Text
from textual.geometry import Offset
from textual.widgets import OptionList
from textual.widgets.option_list import Option

from comfytui.sanitize import sanitize
from comfytui.workflow.prompt_text.completion import Entry

MAX_NAME = 60
"""Characters of an entry that are shown."""


class CompletionList(OptionList, can_focus=False):
    """Entries of which one is highlighted; the prompt keeps the focus and moves the highlight."""

    def __init__(self) -> None:
        super().__init__(markup=False, compact=True)
        self.entries: list[Entry] = []

    @property
    def is_open(self) -> bool:
        """Whether entries are shown."""
        return bool(self.entries)

    @property
    def chosen(self) -> Entry | None:
        """The highlighted entry."""
        return self.entries[self.highlighted] if self.entries and self.highlighted is not None else None

    def show(self, entries: list[Entry], cursor: Offset) -> None:
        """Show entries below the cursor, the first one highlighted; none closes the list."""
        self.absolute_offset = cursor
        if entries != self.entries:
            self.entries = entries
            self.set_options([Option(_label(entry)) for entry in entries])
            self.highlighted = 0 if entries else None
        self.display = bool(entries)

    def show_detail(self, name: str, detail: str) -> None:
        """Show a detail at the highlighted entry if it has this name."""
        entry = self.chosen
        if entry and entry.name == name and detail and self.highlighted is not None:
            self.replace_option_prompt_at_index(self.highlighted, _label(entry._replace(detail=detail)))

    def move(self, step: int) -> None:
        """Move the highlight; the first entry follows the last."""
        if self.entries:
            self.highlighted = ((self.highlighted or 0) + step) % len(self.entries)


def _label(entry: Entry) -> Text:
    label = Text(sanitize(entry.title or entry.name, MAX_NAME), no_wrap=True, overflow="ellipsis")
    return label.append(f"  {entry.detail}", "dim") if entry.detail else label
