"""A list of lines at its full height, which scrolls with what is above and below it."""

from textual.containers import ScrollableContainer
from textual.geometry import Region
from textual.widget import Widget

from comfytui.ui.widgets.line_list import LineList


class TallList(LineList):
    """A list of lines without a scrollbar of its own, in a container that scrolls; its height has to be `auto`."""

    @property
    def _container(self) -> ScrollableContainer | None:
        return next((each for each in self.ancestors if isinstance(each, ScrollableContainer)), None)

    def _window(self) -> tuple[int, int]:
        """Return the first line in the container's view, and the number of lines that the view has room for."""
        container = self._container
        if container is None:
            return 0, self.size.height
        room = container.scrollable_content_region.height
        return container.scroll_offset.y - self._offset_in(container), room

    def _offset_in(self, container: Widget) -> int:
        """Return the line of a container's content on which the list begins."""
        offset, widget = 0, self.parent
        region = self.virtual_region
        while isinstance(widget, Widget) and widget is not container:
            offset += region.y
            region, widget = widget.virtual_region, widget.parent
        return offset + region.y

    @property
    def view_top(self) -> int:
        """The first line in view."""
        return max(0, self._window()[0])

    @property
    def view_height(self) -> int:
        """The number of lines in view."""
        top, room = self._window()
        return max(0, min(top + room, self.line_count) - max(0, top))

    def reveal(self, *, from_top: bool = False) -> None:
        """Have the container show the line of the cursor, scrolled as little as possible."""
        container = self._container
        if container is not None and self.size.height and self.has_focus:
            line = Region(0, self._offset_in(container) + self._cursor, 1, 1)
            container.scroll_to_region(line, animate=False, x_axis=False)

    def on_focus(self) -> None:
        """Show the line of the cursor; what takes the focus is shown from its first line otherwise."""
        self.call_after_refresh(self.reveal)

    def action_page(self, pages: int) -> None:
        """Move the cursor by a number of pages; negative moves up."""
        self.move_to(self._cursor + pages * max(1, self._window()[1] - 1))
