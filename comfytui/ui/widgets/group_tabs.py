"""One line with the names of groups, of which one is chosen."""

from collections.abc import Sequence

from rich.cells import cell_len, set_cell_size
from rich.segment import Segment
from textual import events
from textual.message import Message
from textual.strip import Strip
from textual.widget import Widget

from comfytui.sanitize import sanitize

MAX_LABEL = 30
"""Characters of a name that are shown."""


class GroupTabs(Widget):
    """The names of groups in one line, which scrolls to the chosen one where they do not fit."""

    COMPONENT_CLASSES = {"group-tabs--tab", "group-tabs--chosen"}  # noqa: RUF012

    class Chosen(Message):
        """Posted when a group is clicked."""

        def __init__(self, index: int) -> None:
            super().__init__()
            self.index = index

    def __init__(self) -> None:
        super().__init__()
        self._labels: Sequence[str] = ()
        self._chosen = 0

    def show(self, labels: Sequence[str], chosen: int) -> None:
        """Show these names; one of them is chosen."""
        if (labels, chosen) != (self._labels, self._chosen):
            self._labels, self._chosen = labels, chosen
            self.refresh()

    def render_line(self, y: int) -> Strip:
        """Render the names from the first one with which the chosen one is in view."""
        width = self.size.width
        if y:
            return Strip.blank(width, self.rich_style)
        segments, left = [], width
        for index, text in self._visible(width):
            cells = min(cell_len(text), left)
            name = "chosen" if index == self._chosen else "tab"
            style = self.get_component_rich_style(f"group-tabs--{name}")
            segments.append(Segment(set_cell_size(text, cells), style))
            left -= cells
        segments.append(Segment(" " * left, self.rich_style))
        return Strip(segments, width)

    def on_click(self, event: events.Click) -> None:
        """Choose the group that is clicked."""
        offset, end = event.get_content_offset(self), 0
        for index, text in self._visible(self.size.width):
            end += cell_len(text)
            if offset and offset.x < end:
                self.post_message(self.Chosen(index))
                return

    def _visible(self, width: int) -> list[tuple[int, str]]:
        """Return the groups to show, each with its text."""
        texts = [
            f"[{label}]" if at == self._chosen else f" {label} " for at, label in enumerate(map(_short, self._labels))
        ]
        first = 0
        while first < self._chosen and sum(map(cell_len, texts[first : self._chosen + 1])) > width:
            first += 1
        return list(enumerate(texts))[first:]


def _short(label: str) -> str:
    return sanitize(label, MAX_LABEL)
