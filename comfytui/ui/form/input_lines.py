"""The lines of a workflow's inputs: any number of them, without a widget for any, and a cursor on one value."""

from collections.abc import Iterable, Sequence
from typing import ClassVar

from rich.cells import cell_len, set_cell_size
from rich.segment import Segment
from rich.style import Style
from textual.events import Click
from textual.message import Message

from comfytui.ui.form.input_cells import Part, heading_parts, is_cut, label_width, link_parts, row_parts, value_start
from comfytui.ui.form.input_rows import FieldLink, Heading, Item, Line, Row
from comfytui.ui.form.input_values import InputValues
from comfytui.ui.widgets.tall_list import TallList
from comfytui.ui.widgets.text import cut


class InputLines(TallList):
    """Shows the lines of sections, and has a cursor on a heading or on one value of a row.

    Args:
        values: The values that are shown.
    """

    COMPONENT_CLASSES: ClassVar[set[str]] = {
        "inputs--label",
        "inputs--value",
        "inputs--changed",
        "inputs--wrong",
        "inputs--heading",
        "inputs--cursor",
        "inputs--cursor-blurred",
    }

    class Highlighted(Message):
        """Posted when the cursor comes to another value."""

    def __init__(self, values: InputValues, *, id: str | None = None) -> None:  # noqa: A002
        super().__init__(id=id)
        self.values = values
        self._lines: Sequence[Line] = ()
        self._label_width = 0
        self._empty = ""
        self._at = 0
        """Which of the items of the row under the cursor is chosen."""

    # Lines

    @property
    def lines(self) -> Sequence[Line]:
        """The lines that are shown."""
        return self._lines

    def set_lines(self, lines: Sequence[Line], empty: str = "") -> None:
        """Replace the lines; the cursor stays on its value or heading if that is still there.

        Args:
            lines: The lines.
            empty: What to show if there are none.
        """
        was_empty, self._empty, self._label_width = self._empty, empty, label_width(lines)
        before, current = self.visible_lines(), self.current
        self._lines = lines
        identity = _identity(current)
        found = (index for index, line in enumerate(lines) if current and _identity(line) == identity)
        self._cursor = next(found, max(0, min(self._cursor, len(lines) - 1)))
        self.show_changes(before)
        if not lines and empty != was_empty:
            self.refresh_line(0)
        self.call_after_refresh(self.reveal)
        self.post_message(self.Highlighted())

    def refresh_values(self) -> None:
        """Repaint the values, which were changed from elsewhere."""
        self.refresh()

    @property
    def current(self) -> Line | None:
        """The line under the cursor."""
        return self._lines[self._cursor] if self._lines else None

    @property
    def current_item(self) -> Item | None:
        """The value under the cursor; None on a heading."""
        line = self.current
        return line.items[min(self._at, len(line.items) - 1)] if isinstance(line, Row) else None

    def select_item(self, key: str) -> bool:
        """Move the cursor to a value, and return whether it is listed."""
        for index, line in enumerate(self._lines):
            for at, item in enumerate(line.items if isinstance(line, Row) else ()):
                if item.key == key:
                    self.move_to(index)
                    self._at = at
                    self.refresh_line(index)
                    return True
        return False

    def select_first(self) -> None:
        """Move the cursor to the first line that is no heading."""
        first = next((index for index, line in enumerate(self._lines) if not isinstance(line, Heading)), 0)
        if self._at:
            self._at = 0
            self.refresh_line(first)
        self.move_to(first)

    @property
    def line_count(self) -> int:
        """The number of lines."""
        return len(self._lines)

    def line_content(self, index: int) -> object:
        """Return the parts of a line, and which of them is chosen."""
        return self._parts(index), self._at if index == self._cursor else 0

    def _parts(self, index: int) -> list[Part]:
        line, width = self._lines[index], self.scrollable_content_region.width
        match line:
            case Heading():
                return heading_parts(line, width)
            case FieldLink():
                return link_parts(line, width)
        return row_parts(line, self.values, width, self._label_width)

    def render_empty(self, width: int) -> Iterable[Segment]:
        """Return why there are no lines."""
        style = self.get_component_rich_style("inputs--label")
        return [Segment(set_cell_size(f" {cut(self._empty, width - 2)}", width), style)]

    @property
    def is_current_cut(self) -> bool:
        """Whether the label or the value under the cursor is longer than what is shown of it."""
        item = self.current_item
        return item is not None and is_cut(self._parts(self._cursor), self._at)

    def render_row(self, index: int, width: int) -> Iterable[Segment]:
        """Return the segments of a line."""
        return [Segment(part.text, self._style(part, index)) for part in self._parts(index)]

    def _style(self, part: Part, index: int) -> Style:
        if part.swatch:
            return Style(color=part.swatch) if _is_colour(part.swatch) else Style()
        line = self._lines[index]
        chosen = not isinstance(line, Row) or part.item == min(self._at, len(line.items) - 1)
        return self.cursor_style(part.tone, index, "inputs", focused=self.has_focus and chosen)

    def value_region(self) -> tuple[int, int, int]:
        """Return where the value under the cursor is: its column, its line and its cells."""
        line = self.current
        if not isinstance(line, Row):
            return 0, 0, 0
        at = min(self._at, len(line.items) - 1)
        width = self.scrollable_content_region.width
        start, cells = value_start(line, width, self._label_width, at, self.values)
        return start, self._cursor, cells

    def cursor_moved(self) -> None:
        """Tell that another value is highlighted."""
        self.post_message(self.Highlighted())

    # The mouse

    def on_click(self, event: Click) -> None:
        """Move the cursor to a value; on a heading or a value with the cursor, do what enter does."""
        event.stop()
        offset = event.get_content_offset(self)
        index = self.scroll_offset.y + offset.y if offset else -1
        if offset is None or not 0 <= index < self.line_count:
            return
        before = (self._cursor, self._at)
        self._at = self._item_at(index, offset.x)
        self.move_to(index)
        self.refresh_line(self._cursor)
        if before == (self._cursor, self._at) or not isinstance(self.current, Row):
            self.action_select()

    def _item_at(self, index: int, x: int) -> int:
        """Return which item of a line is at a column."""
        at = end = 0
        for part in self._parts(index):
            at = part.item if part.item is not None else at
            end += cell_len(part.text)
            if x < end:
                break
        return at


def _identity(line: Line | None) -> object:
    """Return what stays the same of a line when lines are replaced."""
    match line:
        case Heading():
            return line.name
        case FieldLink():
            return (line.key,)
        case Row():
            return tuple(item.key for item in line.items)
    return None


def _is_colour(text: str) -> bool:
    return len(text) == 7 and text[0] == "#" and all(each in "0123456789abcdefABCDEF" for each in text[1:])
