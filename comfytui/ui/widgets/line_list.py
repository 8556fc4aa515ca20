"""A virtual list of lines with a cursor: only lines in view are rendered, and only those that changed are repainted."""

from collections.abc import Iterable

from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.geometry import Region, Size
from textual.scroll_view import ScrollView
from textual.strip import Strip


class LineList(ScrollView, can_focus=True):
    """The cursor, the view and the mouse of a list of any length; subclasses say what its lines are.

    A subclass implements `line_count`, `line_content`, `render_row` and `render_empty`, and changes its lines between
    `visible_lines` and `show_changes`.
    """

    ALLOW_SELECT = False

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:  # noqa: A002
        super().__init__(id=id, classes=classes)
        self._cursor = 0

    # What the lines are

    @property
    def line_count(self) -> int:
        """The number of lines."""
        raise NotImplementedError

    def line_content(self, index: int) -> object:
        """Return what a line shows; a line with equal content is not repainted."""
        raise NotImplementedError

    def render_row(self, index: int, width: int) -> Iterable[Segment]:
        """Return the segments of a line, `width` cells together."""
        raise NotImplementedError

    def render_empty(self, width: int) -> Iterable[Segment]:
        """Return the first line of a list that has none."""
        return [Segment(" " * width)]

    def cursor_moved(self) -> None:
        """Do what follows when the user has moved the cursor."""

    def line_chosen(self) -> None:
        """Do what follows when the line under the cursor is chosen."""

    # Rendering

    def render_line(self, y: int) -> Strip:
        """Render one line of the view."""
        width, index = self.scrollable_content_region.width, self.scroll_offset.y + y
        if not self.line_count and y == 0:
            return Strip(self.render_empty(width), width)
        if index >= self.line_count:
            return Strip.blank(width, self.rich_style)
        return Strip(Segment.simplify(self.render_row(index, width)), width)

    def cursor_style(self, name: str, index: int, prefix: str, *, focused: bool | None = None) -> Style:
        """Return the style of a part of a line, which is another one on the line of the cursor.

        Args:
            name: The component class of the part, without the prefix.
            index: The line.
            prefix: The prefix of the list's component classes, which include `cursor` and `cursor-blurred`.
            focused: Whether the cursor is shown as that of the widget with the focus; None if the list's focus decides.
        """
        if index != self._cursor:
            return self.get_component_rich_style(f"{prefix}--{name}")
        if self.has_focus if focused is None else focused:
            return self.get_component_rich_style(f"{prefix}--cursor")
        cursor = self.get_component_rich_style(f"{prefix}--cursor-blurred", partial=True)
        return self.get_component_rich_style(f"{prefix}--{name}") + cursor

    def visible_lines(self) -> list[tuple[object, bool]]:
        """Return the content of the lines in view, each with whether the cursor is on it."""
        top = self.view_top
        visible = range(top, min(top + self.view_height, self.line_count))
        return [(self.line_content(index), index == self._cursor) for index in visible]

    def show_changes(self, before: list[tuple[object, bool]], top: int | None = None) -> None:
        """Take a changed number of lines, and repaint the lines in view that differ.

        Args:
            before: The lines that were in view.
            top: The line to scroll to, if it is not the one at the top.
        """
        if self.virtual_size.height != self.line_count:
            # An assignment would repaint every line: only the scrollbar has to change.
            self.set_reactive(LineList.virtual_size, Size(0, self.line_count))
            self.refresh(repaint=False, layout=True)
        if top is not None and top != self.scroll_offset.y:
            self._scroll_to_row(top)
        self._repaint(before)

    def _repaint(self, before: list[tuple[object, bool]]) -> None:
        after = self.visible_lines()
        if bool(before) != bool(after):
            self.refresh()
            return
        for y in range(max(len(before), len(after))):
            if before[y : y + 1] != after[y : y + 1]:
                self.refresh(Region(0, self.view_top - self.scroll_offset.y + y, self.size.width, 1))

    @property
    def view_top(self) -> int:
        """The first line in view."""
        return self.scroll_offset.y

    @property
    def view_height(self) -> int:
        """The number of lines in view."""
        return self.scrollable_content_region.height

    # The cursor

    def action_move(self, rows: int) -> None:
        """Move the cursor by a number of lines; negative moves up."""
        self.move_to(self._cursor + rows)

    def action_page(self, pages: int) -> None:
        """Move the cursor by a number of pages; negative moves up."""
        self.move_to(self._cursor + pages * max(1, self.view_height))

    def action_first(self) -> None:
        """Move the cursor to the top."""
        self.move_to(0)

    def action_last(self) -> None:
        """Move the cursor to the end."""
        self.move_to(self.line_count - 1)

    def action_select(self) -> None:
        """Choose the line under the cursor."""
        if self.line_count:
            self.line_chosen()

    def on_click(self, event: events.Click) -> None:
        """Move the cursor to the clicked line; choose it on a double click."""
        offset = event.get_content_offset(self)
        index = self.scroll_offset.y + offset.y if offset else -1
        if not 0 <= index < self.line_count:
            return
        if index == self._cursor and event.chain > 1:
            self.action_select()
        else:
            self.move_to(index)

    def on_resize(self) -> None:
        """Keep the cursor in view, also when the list was hidden before."""
        self.reveal(from_top=True)

    def on_focus(self) -> None:
        """Repaint the cursor, which shows whether the list has the focus."""
        self.refresh_line(self._cursor)

    def on_blur(self) -> None:
        """Repaint the cursor, which shows whether the list has the focus."""
        self.refresh_line(self._cursor)

    def move_to(self, index: int) -> None:
        """Move the cursor to a line, clamped to the list, and scroll it into view."""
        index = min(max(index, 0), self.line_count - 1)
        if index < 0:
            return
        before, moved = self.visible_lines(), index != self._cursor
        self._cursor = index
        self.reveal()
        self._repaint(before)
        if moved:
            self.cursor_moved()

    def reveal(self, *, from_top: bool = False) -> None:
        """Scroll the cursor into view.

        Args:
            from_top: Scroll to the top if the cursor is on the first page, instead of as little as possible.
        """
        top, height = self.scroll_offset.y, self.view_height
        if not height:
            return  # A hidden list has no size: it scrolls when it is shown.
        if from_top and self._cursor < height:
            self._scroll_to_row(0)
        elif not top <= self._cursor < top + height:
            self._scroll_to_row(self._cursor if self._cursor < top else self._cursor - height + 1)

    def _scroll_to_row(self, index: int) -> None:
        """Scroll so that a line is the first in view, even before the scrollbar of a longer list is laid out."""
        self.scroll_to(y=index, animate=False, force=True)
