"""The terminal that the lines of `comfytui status` are to fit, one for each job."""

from dataclasses import dataclass

from rich.cells import cell_len

from comfytui.presentation.queue_rows import QueueRow
from comfytui.presentation.row_layout import fit, row_parts
from comfytui.sanitize import sanitize

MIN_ROWS = 5
"""Jobs that are listed in any case, also on a low screen."""
MIN_TITLE = 20
"""Cells of a text that are shown in any case, also on a narrow screen."""


@dataclass(frozen=True, slots=True)
class Screen:
    """The terminal that lines are to fit."""

    columns: int
    rows: int
    ascii_only: bool = False

    def cut(self, text: str, taken: int) -> str:
        """Return as much of a text as fits beside what takes so many cells."""
        return self._encodable(fit(text, min(cell_len(text), max(self.columns - taken, MIN_TITLE))))

    def rows_below(self, lines: int) -> int:
        """Return how many rows of the queue fit below some lines: a few in any case."""
        return max(self.rows - lines, MIN_ROWS)

    def row(self, row: QueueRow, id_length: int) -> str:
        """Return a job as the dashboard's list has it, after the beginning of its id."""
        name = sanitize(row.prompt_id[:id_length])
        parts = row_parts(row, max(self.columns - cell_len(name), MIN_TITLE), ascii_only=self.ascii_only)
        return self._encodable(name + "".join(text for text, _ in parts)).rstrip()

    def _encodable(self, text: str) -> str:
        return text.replace("…", ".") if self.ascii_only else text
