"""The list of the queue: only visible rows are rendered, and only rows that changed are repainted."""

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
from comfytui.ui.keys import SHOW_JOB_BINDING


class QueueList(ScrollView, can_focus=True):
    """A list of jobs of any length with a cursor that follows its job when rows move."""

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
        SHOW_JOB_BINDING,
    ]

    empty: reactive[str] = reactive("")
    """The text that is shown while there are no rows."""

    class Highlighted(Message):
        """Posted when the cursor moves to another job, or (None) to no job."""

        def __init__(self, prompt_id: str | None) -> None:
            super().__init__()
            self.prompt_id = prompt_id

    class Selected(Message):
        """Posted when the user opens the job under the cursor."""

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
        """The rows of the list."""
        return self._rows

    @property
    def selected_id(self) -> str | None:
        """The prompt_id of the job under the cursor; None in an empty list."""
        return self._rows[self._cursor].prompt_id if self._rows else None

    def set_rows(self, rows: Sequence[QueueRow]) -> None:
        """Replace the rows: the cursor stays on its job, visible rows stay in place, equal lines are not repainted.

        The view scrolls with the cursor's job while that waits or runs, but not when it moves because it ended.
        """
        if rows is self._rows:
            return
        selected, before, top = self.selected_id, self._visible_lines(), self.scroll_offset.y
        new_top = _top_after(self._rows, rows, top, self._height)
        was_in_view = top <= self._cursor < top + self._height
        self._rows = rows
        self._cursor = self._index_of(selected)
        if rows and was_in_view and selected == self.selected_id and not rows[self._cursor].status.ended:
            new_top = min(max(new_top, self._cursor - self._height + 1), self._cursor)
        if self.virtual_size.height != len(rows):
            # An assignment would repaint every line: only the scrollbar has to change.
            self.set_reactive(QueueList.virtual_size, Size(0, len(rows)))
            self.refresh(repaint=False, layout=True)
        if new_top != top:
            self._scroll_to_row(new_top)
        self._repaint(before)
        if selected != self.selected_id:
            self.post_message(self.Highlighted(self.selected_id))
            if None in (selected, self.selected_id):
                self.refresh_bindings()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Offer to open a job if there is one."""
        return bool(self._rows) if action == "select" else True

    def render_line(self, y: int) -> Strip:
        """Render one line of the view."""
        width, index = self.scrollable_content_region.width, self.scroll_offset.y + y
        if not self._rows and y == 0:
            text = set_cell_size(f" {self.empty}", width)
            return Strip([Segment(text, self.get_component_rich_style("queue--empty"))], width)
        if index >= len(self._rows):
            return Strip.blank(width, self.rich_style)
        parts = row_parts(self._rows[index], width, ascii_only=getattr(self.app, "ascii", False))
        return Strip(Segment.simplify(Segment(text, self._style(tone, index)) for text, tone in parts), width)

    def select(self, prompt_id: str) -> bool:
        """Move the cursor to a job, and scroll to the top of the list if both fit; return whether the job is listed."""
        index = next((index for index, row in enumerate(self._rows) if row.prompt_id == prompt_id), None)
        if index is not None:
            self._move_to(index)
            self._reveal(from_top=True)
        return index is not None

    def action_move(self, rows: int) -> None:
        """Move the cursor by a number of rows; negative moves up."""
        self._move_to(self._cursor + rows)

    def action_page(self, pages: int) -> None:
        """Move the cursor by a number of pages; negative moves up."""
        self._move_to(self._cursor + pages * self._height)

    def action_first(self) -> None:
        """Move the cursor to the top."""
        self._move_to(0)

    def action_last(self) -> None:
        """Move the cursor to the end."""
        self._move_to(len(self._rows) - 1)

    def action_select(self) -> None:
        """Open the job under the cursor."""
        if self.selected_id is not None:
            self.post_message(self.Selected(self.selected_id))

    def on_click(self, event: events.Click) -> None:
        """Move the cursor to the clicked row; open its job on a double click."""
        offset = event.get_content_offset(self)
        index = self.scroll_offset.y + offset.y if offset else -1
        if not 0 <= index < len(self._rows):
            return
        if index == self._cursor and event.chain > 1:
            self.action_select()
        else:
            self._move_to(index)

    def on_resize(self) -> None:
        """Keep the cursor in view, also when the list was hidden before."""
        self._reveal(from_top=True)

    def on_focus(self) -> None:
        """Repaint the cursor, which shows whether the list has the focus."""
        self.refresh_line(self._cursor)

    def on_blur(self) -> None:
        """Repaint the cursor, which shows whether the list has the focus."""
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
        """Move the cursor to a row, clamped to the list, and scroll it into view."""
        index = min(max(index, 0), len(self._rows) - 1)
        if index < 0:
            return
        before, moved = self._visible_lines(), index != self._cursor
        self._cursor = index
        self._reveal()
        self._repaint(before)
        if moved:
            self.post_message(self.Highlighted(self.selected_id))

    def _reveal(self, *, from_top: bool = False) -> None:
        """Scroll the cursor into view.

        Args:
            from_top: Scroll to the top if the cursor is on the first page, instead of as little as possible.
        """
        top, height = self.scroll_offset.y, self._height
        if not height:
            return  # A hidden list has no size: it scrolls when it is shown.
        if from_top and self._cursor < height:
            self._scroll_to_row(0)
        elif not top <= self._cursor < top + height:
            self._scroll_to_row(self._cursor if self._cursor < top else self._cursor - height + 1)

    def _scroll_to_row(self, index: int) -> None:
        """Scroll so that a row is the first in view, even before the scrollbar of a longer list is laid out."""
        self.scroll_to(y=index, animate=False, force=True)

    def _index_of(self, prompt_id: str | None) -> int:
        """Return the row of a job, or the one nearest to the cursor if the job is not listed."""
        found = (index for index, row in enumerate(self._rows) if row.prompt_id == prompt_id)
        return next(found, max(0, min(self._cursor, len(self._rows) - 1)))

    def _visible_lines(self) -> list[tuple[QueueRow, bool]]:
        """Return the rows in view, each with whether the cursor is on it."""
        top = self.scroll_offset.y
        visible = enumerate(self._rows[top : top + self._height], top)
        return [(row, index == self._cursor) for index, row in visible]

    def _repaint(self, before: list[tuple[QueueRow, bool]]) -> None:
        """Repaint the lines in view that differ from those before."""
        after = self._visible_lines()
        if bool(before) != bool(after):
            self.refresh()
            return
        for y in range(max(len(before), len(after))):
            if before[y : y + 1] != after[y : y + 1]:
                self.refresh(Region(0, y, self.size.width, 1))


def _top_after(before: Sequence[QueueRow], after: Sequence[QueueRow], top: int, height: int) -> int:
    """Return the first row to show so that the rows in view keep their lines; a view at the very top stays there."""
    if top == 0:
        return 0
    indices = {row.prompt_id: index for index, row in enumerate(after)}
    for index, row in enumerate(before[top : top + height], top):
        moved_to = indices.get(row.prompt_id)
        if moved_to is not None and after[moved_to].status is row.status:
            return max(0, min(top + moved_to - index, len(after) - height))
    return max(0, min(top, len(after) - height))
