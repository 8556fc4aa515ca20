"""The queue as a list of any length: only the visible rows are drawn, and only those that changed are painted."""

from collections.abc import Sequence
from typing import ClassVar

from rich.cells import set_cell_size
from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.binding import Binding, BindingType
from textual.geometry import Region, Size
from textual.message import Message
from textual.reactive import reactive
from textual.scroll_view import ScrollView
from textual.strip import Strip

from comfytui.presentation.queue_rows import QueueRow
from comfytui.presentation.row_layout import row_parts


class QueueList(ScrollView, can_focus=True):
    """Rows with a cursor that stays on its job wherever the job moves."""

    ALLOW_SELECT = False
    COMPONENT_CLASSES: ClassVar[set[str]] = {
        "queue--running",
        "queue--waiting",
        "queue--ended",
        "queue--failed",
        "queue--muted",
        "queue--cursor",
        "queue--cursor-blurred",
        "queue--empty",
    }
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up,k", "move(-1)", "Up", show=False, id="queue.up"),
        Binding("down,j", "move(1)", "Down", show=False, id="queue.down"),
        Binding("pageup", "page(-1)", "Page up", show=False, id="queue.page-up"),
        Binding("pagedown", "page(1)", "Page down", show=False, id="queue.page-down"),
        Binding("home,g", "first", "First", show=False, id="queue.first"),
        Binding("end,G", "last", "Last", show=False, id="queue.last"),
        Binding("enter", "select", "Show", key_display="enter", id="queue.select", tooltip="Show the job large"),
    ]

    empty: reactive[str] = reactive("")
    """What stands there while there are no rows."""

    class Highlighted(Message):
        """The cursor is on another job now, or (None) on none."""

        def __init__(self, prompt_id: str | None) -> None:
            super().__init__()
            self.prompt_id = prompt_id

    class Selected(Message):
        """The user asked for the job under the cursor."""

        def __init__(self, prompt_id: str) -> None:
            super().__init__()
            self.prompt_id = prompt_id

    def __init__(self, empty: str = "", *, id: str | None = None, classes: str | None = None) -> None:  # noqa: A002
        super().__init__(id=id, classes=classes)
        self.set_reactive(QueueList.empty, empty)
        self._rows: Sequence[QueueRow] = ()
        self._cursor = 0

    @property
    def rows(self) -> Sequence[QueueRow]:
        """What is listed."""
        return self._rows

    @property
    def selected_id(self) -> str | None:
        """The prompt_id under the cursor."""
        return self._rows[self._cursor].prompt_id if self._rows else None

    def set_rows(self, rows: Sequence[QueueRow]) -> None:
        """List other rows: the cursor stays on its job, what is in view stays in place, equal lines cost nothing.

        The view follows the cursor's job to where it waits or runs, but not to where it stands when it has ended.
        """
        if rows is self._rows:
            return
        selected, before, top = self.selected_id, self._lines(), self.scroll_offset.y
        kept = _kept_top(self._rows, rows, top, self._height)
        was_in_view = top <= self._cursor < top + self._height
        self._rows = rows
        self._cursor = self._cursor_on(selected)
        if rows and was_in_view and selected == self.selected_id and not rows[self._cursor].status.ended:
            kept = min(max(kept, self._cursor - self._height + 1), self._cursor)
        if self.virtual_size.height != len(rows):
            # Not by assignment, which would paint every line: only the scrollbar has to follow.
            self.set_reactive(QueueList.virtual_size, Size(0, len(rows)))
            self.refresh(repaint=False, layout=True)
        if kept != top:
            self._scroll_to_row(kept)
        self._repaint(before)
        if selected != self.selected_id:
            self.post_message(self.Highlighted(self.selected_id))

    def render_line(self, y: int) -> Strip:
        """One line of the view."""
        width, index = self.scrollable_content_region.width, self.scroll_offset.y + y
        if not self._rows and y == 0:
            text = set_cell_size(f" {self.empty}", width)
            return Strip([Segment(text, self.get_component_rich_style("queue--empty"))], width)
        if index >= len(self._rows):
            return Strip.blank(width, self.rich_style)
        parts = row_parts(self._rows[index], width, ascii_only=getattr(self.app, "ascii", False))
        return Strip(Segment.simplify(Segment(text, self._style(tone, index)) for text, tone in parts), width)

    def select(self, prompt_id: str) -> bool:
        """Put the cursor on a job, with the top of the list in view where both fit; whether it is listed."""
        index = next((index for index, row in enumerate(self._rows) if row.prompt_id == prompt_id), None)
        if index is not None:
            self._move_to(index)
            self._reveal(from_top=True)
        return index is not None

    def action_move(self, rows: int) -> None:
        """Move the cursor by so many rows."""
        self._move_to(self._cursor + rows)

    def action_page(self, pages: int) -> None:
        """Move the cursor by so many screens."""
        self._move_to(self._cursor + pages * self._height)

    def action_first(self) -> None:
        """Move the cursor to the top."""
        self._move_to(0)

    def action_last(self) -> None:
        """Move the cursor to the end."""
        self._move_to(len(self._rows) - 1)

    def action_select(self) -> None:
        """Ask for the job under the cursor."""
        if self.selected_id is not None:
            self.post_message(self.Selected(self.selected_id))

    def on_click(self, event: events.Click) -> None:
        """A click moves the cursor; a second one on the same row asks for its job."""
        offset = event.get_content_offset(self)
        index = self.scroll_offset.y + offset.y if offset else -1
        if not 0 <= index < len(self._rows):
            return
        if index == self._cursor and event.chain > 1:
            self.action_select()
        else:
            self._move_to(index)

    def on_resize(self) -> None:
        """Keep the cursor in view, also on a list that was hidden until now."""
        self._reveal(from_top=True)

    def on_focus(self) -> None:
        """The cursor shows whether keys go here."""
        self.refresh_line(self._cursor)

    def on_blur(self) -> None:
        """The cursor shows whether keys go here."""
        self.refresh_line(self._cursor)

    @property
    def _height(self) -> int:
        return self.scrollable_content_region.height

    def _style(self, tone: str, index: int) -> Style:
        if index != self._cursor:
            return self.get_component_rich_style(f"queue--{tone}")
        if self.has_focus:
            return self.get_component_rich_style("queue--cursor")
        cursor = self.get_component_rich_style("queue--cursor-blurred", partial=True)
        return self.get_component_rich_style(f"queue--{tone}") + cursor

    def _move_to(self, index: int) -> None:
        """Put the cursor on a row, as near as there is one, and bring it into view."""
        index = min(max(index, 0), len(self._rows) - 1)
        if index < 0:
            return
        before, moved = self._lines(), index != self._cursor
        self._cursor = index
        self._reveal()
        self._repaint(before)
        if moved:
            self.post_message(self.Highlighted(self.selected_id))

    def _reveal(self, *, from_top: bool = False) -> None:
        """Bring the cursor into view.

        Args:
            from_top: Show the list from its top if the cursor is on its first page, instead of scrolling the least.
        """
        top, height = self.scroll_offset.y, self._height
        if not height:
            return  # A hidden list has no view: it scrolls when it is shown.
        if from_top and self._cursor < height:
            self._scroll_to_row(0)
        elif not top <= self._cursor < top + height:
            self._scroll_to_row(self._cursor if self._cursor < top else self._cursor - height + 1)

    def _scroll_to_row(self, index: int) -> None:
        """Make a row the first in view, also before the scrollbar of a list that grew is laid out."""
        self.scroll_to(y=index, animate=False, force=True)

    def _cursor_on(self, prompt_id: str | None) -> int:
        """Where a job is now, or the nearest place to where the cursor was."""
        found = (index for index, row in enumerate(self._rows) if row.prompt_id == prompt_id)
        return next(found, max(0, min(self._cursor, len(self._rows) - 1)))

    def _lines(self) -> list[tuple[QueueRow, bool]]:
        """What the lines in view are painted from."""
        top = self.scroll_offset.y
        visible = enumerate(self._rows[top : top + self._height], top)
        return [(row, index == self._cursor) for index, row in visible]

    def _repaint(self, before: list[tuple[QueueRow, bool]]) -> None:
        """Paint the lines in view that differ from those before."""
        after = self._lines()
        if bool(before) != bool(after):
            self.refresh()
            return
        for y in range(max(len(before), len(after))):
            if before[y : y + 1] != after[y : y + 1]:
                self.refresh(Region(0, y, self.size.width, 1))


def _kept_top(before: Sequence[QueueRow], after: Sequence[QueueRow], top: int, height: int) -> int:
    """The first row to show so that rows in view stay where they are; who is at the very top stays there."""
    if top == 0:
        return 0
    places = {row.prompt_id: index for index, row in enumerate(after)}
    for index, row in enumerate(before[top : top + height], top):
        place = places.get(row.prompt_id)
        if place is not None and after[place].status is row.status:
            return max(0, min(top + place - index, len(after) - height))
    return max(0, min(top, len(after) - height))
