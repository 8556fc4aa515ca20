"""The line above the queue that names its columns."""

from rich.cells import set_cell_size
from rich.segment import Segment
from textual.geometry import Size
from textual.strip import Strip
from textual.widget import Widget

from comfytui.presentation.row_layout import GAP, GLYPH_CELLS, columns_for


def heading_text(width: int) -> str:
    """The names of the columns that a row of `width` cells has, each where its column stands."""
    columns = columns_for(width)
    names = [
        *([set_cell_size("Owner", columns.owner)] if columns.owner else []),
        set_cell_size("Prompt", columns.title),
        f"{'Image':>{columns.position}}",
        set_cell_size("State", columns.state),
        *([set_cell_size("File", columns.file)] if columns.file else []),
    ]
    return set_cell_size(" " * GLYPH_CELLS + GAP.join(names), width)


class QueueHeading(Widget):
    """The heading of a queue list beside its scrollbar."""

    ALLOW_SELECT = False

    def render_line(self, y: int) -> Strip:
        """The one line."""
        width = self.content_size.width
        return Strip([Segment(heading_text(width), self.rich_style)], width)

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:
        """One line."""
        return 1
