"""Lay out a row of the queue in columns, cut and padded to an exact width. Pure functions."""

from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

from rich.cells import cell_len, set_cell_size

from comfytui.presentation.queue_rows import STATUS_GLYPHS, QueueRow
from comfytui.session.model import JobStatus

Tone = Literal["running", "waiting", "ended", "failed", "muted"]
"""What a part of a row expresses; the list has a colour for each."""
Part = tuple[str, Tone]

GAP = "  "
GLYPH_CELLS = len(" ▶ ")
POSITION_CELLS = 9
STATE_CELLS = 12
LONG_STATE_CELLS = 19
"""Cells of the state in a list without the column of files: enough for the `short_state` of a failed or lost job."""
OWNER_CELLS = 5
FILE_CELLS = range(16, 41)
FULL_FAILURE_CELLS = 40
"""Cells from which on a truncated failure still names its node."""
# The least widths (cells) of a list with these columns, so that the title keeps about twenty cells.
OWNER_MIN_WIDTH, FILE_MIN_WIDTH = 60, 80


@dataclass(frozen=True, slots=True)
class Columns:
    """The width of each column in cells; 0 for a column that is left out."""

    owner: int
    title: int
    position: int
    state: int
    file: int

    @property
    def state_to_end(self) -> int:
        """The cells from the state to the end of the line."""
        return sum(cells + len(GAP) for cells in (self.state, self.file) if cells) - len(GAP)


@lru_cache(maxsize=16)
def columns_for(width: int) -> Columns:
    """Return the columns of a line of `width` cells; the title gets what the others leave."""
    file = min(max((width - FILE_MIN_WIDTH) // 3 + FILE_CELLS.start, FILE_CELLS.start), FILE_CELLS.stop - 1)
    owner, file = OWNER_CELLS if width >= OWNER_MIN_WIDTH else 0, file if width >= FILE_MIN_WIDTH else 0
    state = LONG_STATE_CELLS if owner and not file else STATE_CELLS
    fixed = sum(cells + len(GAP) for cells in (POSITION_CELLS, state, owner, file) if cells)
    return Columns(owner, max(0, width - GLYPH_CELLS - fixed), POSITION_CELLS, state, file)


def row_parts(row: QueueRow, width: int, *, ascii_only: bool = False) -> list[Part]:
    """Return the parts of a row in order, `width` cells together, each with the tone that colours it.

    A state that is too long for its column (what failed, and why) extends over the column of the file, which such a
    job does not have. Without a position in a batch it extends over what the title leaves free, too; a position stays
    in its column.
    """
    columns, glyph, tone = columns_for(width), STATUS_GLYPHS[row.status], _tone(row.status)
    title_tone: Tone = "ended" if row.status.ended else "waiting"
    position = f"{row.position:>{columns.position}}{GAP}" if row.position else ""
    free = columns.title + columns.position + len(GAP) - len(position)
    excess = 0 if position else max(0, cell_len(row.state) - columns.state_to_end)
    parts: list[Part] = [
        (f" {glyph.ascii if ascii_only else glyph.unicode} ", tone),
        (fit(row.owner, columns.owner) + GAP if columns.owner else "", "muted"),
        (fit(row.title, max(free - excess, min(free, cell_len(row.title)))) + GAP, title_tone),
        (position, "ended" if row.status.ended else "muted"),
    ]
    if cell_len(row.state) > columns.state:
        available = width - sum(cell_len(text) for text, _ in parts)
        is_full = available >= FULL_FAILURE_CELLS or cell_len(row.state) <= available
        parts.append((fit(row.state if is_full else row.short_state or row.state, available), tone))
    else:
        parts.append((_state(row, columns.state), tone))
        parts.append((GAP + fit(row.file, columns.file) if columns.file else "", "muted"))
    return _truncate([part for part in parts if part[0]], width)


def _tone(status: JobStatus) -> Tone:
    match status:
        case JobStatus.RUNNING:
            return "running"
        case JobStatus.FAILED | JobStatus.REJECTED:
            return "failed"
        case JobStatus.SUBMITTING | JobStatus.QUEUED:
            return "waiting"
    return "ended"


def _state(row: QueueRow, cells: int) -> str:
    """Return the state with its figure at the right edge: `done    0:21`, `     2 ahead`."""
    return f"{row.state}{row.figure:>{cells - len(row.state)}}"


def fit(text: str, cells: int) -> str:
    """Pad or truncate the text to exactly `cells` cells; an ellipsis marks a truncated text."""
    if cell_len(text) <= cells:
        return set_cell_size(text, cells)
    return set_cell_size(text, cells - 1) + "…" if cells > 0 else ""


def _truncate(parts: list[Part], width: int) -> list[Part]:
    """Return the first `width` cells of the parts: a terminal may be narrower than the fixed columns."""
    kept: list[Part] = []
    for text, tone in parts:
        available = width - sum(cell_len(text) for text, _ in kept)
        if available <= 0:
            break
        kept.append((text if cell_len(text) <= available else set_cell_size(text, available), tone))
    return kept
