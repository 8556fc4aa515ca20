"""The heading of the queue list, which names its columns."""

from rich.cells import set_cell_size
from rich.segment import Segment
from textual.geometry import Size
from textual.strip import Strip
from textual.widget import Widget

from comfytui.presentation.row_layout import GAP, GLYPH_CELLS, columns_for


def heading_text(width: int) -> str:
    """Return the names of the columns of a list of `width` cells, aligned with the columns."""
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
    """The line of column names above a queue list."""

    ALLOW_SELECT = False

    def render_line(self, y: int) -> Strip:
        """Render the heading."""
        width = self.content_size.width
        return Strip([Segment(heading_text(width), self.rich_style)], width)

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:
        """Return the height of the heading, one line."""
        return 1
