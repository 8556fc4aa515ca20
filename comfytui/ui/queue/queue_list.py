"""The list of the queue, whose cursor follows its job when rows move."""

from collections.abc import Iterable, Sequence
from typing import ClassVar

from rich.cells import set_cell_size
from rich.segment import Segment
from textual.binding import Binding, BindingType
from textual.message import Message
from textual.reactive import reactive

from comfytui.presentation.queue_rows import QueueRow
from comfytui.presentation.row_layout import row_parts
from comfytui.ui.keys import SHOW_JOB_BINDING
from comfytui.ui.widgets.line_list import LineList


class QueueList(LineList, can_focus=True):
    """A list of jobs of any length with a cursor that follows its job when rows move."""

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
        selected, before, top, height = self.selected_id, self.visible_lines(), self.scroll_offset.y, self.view_height
        new_top = _top_after(self._rows, rows, top, height)
        was_in_view = top <= self._cursor < top + height
        self._rows = rows
        self._cursor = self._index_of(selected)
        if rows and was_in_view and selected == self.selected_id and not rows[self._cursor].status.ended:
            new_top = min(max(new_top, self._cursor - height + 1), self._cursor)
        self.show_changes(before, new_top)
        if selected != self.selected_id:
            # While the panel handles a message, one that is made now would go no further than the panel.
            self.call_later(self.cursor_moved)
            if None in (selected, self.selected_id):
                self.refresh_bindings()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Offer to open a job if there is one."""
        return bool(self._rows) if action == "select" else True

    @property
    def line_count(self) -> int:
        """The number of rows."""
        return len(self._rows)

    def line_content(self, index: int) -> QueueRow:
        """Return a row."""
        return self._rows[index]

    def render_row(self, index: int, width: int) -> Iterable[Segment]:
        """Return the segments of a row."""
        parts = row_parts(self._rows[index], width, ascii_only=getattr(self.app, "ascii", False))
        return [Segment(text, self.cursor_style(tone, index, "queue")) for text, tone in parts]

    def render_empty(self, width: int) -> Iterable[Segment]:
        """Return the text that is shown while there are no rows."""
        return [Segment(set_cell_size(f" {self.empty}", width), self.get_component_rich_style("queue--empty"))]

    def select(self, prompt_id: str) -> bool:
        """Move the cursor to a job, and scroll to the top of the list if both fit; return whether the job is listed."""
        index = next((index for index, row in enumerate(self._rows) if row.prompt_id == prompt_id), None)
        if index is not None:
            self.move_to(index)
            self.reveal(from_top=True)
        return index is not None

    def cursor_moved(self) -> None:
        """Tell which job the cursor is on."""
        self.post_message(self.Highlighted(self.selected_id))

    def line_chosen(self) -> None:
        """Open the job under the cursor."""
        if self.selected_id is not None:
            self.post_message(self.Selected(self.selected_id))

    def _index_of(self, prompt_id: str | None) -> int:
        """Return the row of a job, or the one nearest to the cursor if the job is not listed."""
        found = (index for index, row in enumerate(self._rows) if row.prompt_id == prompt_id)
        return next(found, max(0, min(self._cursor, len(self._rows) - 1)))


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
