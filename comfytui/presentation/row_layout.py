"""One row of the queue as a line of exact width: columns, cuts and paddings. Pure."""

from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

from rich.cells import cell_len, set_cell_size

from comfytui.presentation.queue_rows import SIGNS, Row
from comfytui.session.model import JobStatus

Tone = Literal["running", "waiting", "ended", "failed", "aside"]
Part = tuple[str, Tone]

GAP = "  "
SIGN_CELLS = len(" ▶ ")
PLACE_CELLS = 9
STATE_CELLS = 12
LONG_STATE_CELLS = 19
"""Cells of the state where there is no column of files: enough to say in short why a job failed or is lost."""
OWNER_CELLS = 5
FILE_CELLS = range(16, 41)
ROOM_FOR_WHERE = 40
"""Cells from which on a failure that has to be cut still names its node."""
# Below these widths (cells) a column has to go, so that the title keeps about twenty cells.
OWNER_FROM, FILE_FROM = 60, 80


@dataclass(frozen=True, slots=True)
class Columns:
    """How many cells each column gets; 0 where there is no room for it."""

    owner: int
    title: int
    place: int
    state: int
    file: int

    @property
    def rest(self) -> int:
        """The cells from the state to the end of the line."""
        return sum(cells + len(GAP) for cells in (self.state, self.file) if cells) - len(GAP)


@lru_cache(maxsize=16)
def columns_of(width: int) -> Columns:
    """The columns of a line of `width` cells: what is left over belongs to the title."""
    file = min(max((width - FILE_FROM) // 3 + FILE_CELLS.start, FILE_CELLS.start), FILE_CELLS.stop - 1)
    owner, file = OWNER_CELLS if width >= OWNER_FROM else 0, file if width >= FILE_FROM else 0
    state = LONG_STATE_CELLS if owner and not file else STATE_CELLS
    fixed = sum(cells + len(GAP) for cells in (PLACE_CELLS, state, owner, file) if cells)
    return Columns(owner, max(0, width - SIGN_CELLS - fixed), PLACE_CELLS, state, file)


def line_of(row: Row, width: int, *, ascii_only: bool = False) -> list[Part]:
    """The parts of a row in order, `width` cells together, each with the tone that colours it.

    A long state (what failed, and why) takes the place of the file, too, of which there is none then. A row without a
    place in a batch gives it what the title leaves free, too; where there is a place it stays in its column.
    """
    columns, sign, tone = columns_of(width), SIGNS[row.status], _tone(row.status)
    text: Tone = "ended" if row.status.ended else "waiting"
    place = f"{row.place:>{columns.place}}{GAP}" if row.place else ""
    free = columns.title + columns.place + len(GAP) - len(place)
    long = 0 if place else max(0, cell_len(row.state) - columns.rest)
    parts: list[Part] = [
        (f" {sign.ascii if ascii_only else sign.glyph} ", tone),
        (_left(row.owner, columns.owner) + GAP if columns.owner else "", "aside"),
        (_left(row.title, max(free - long, min(free, cell_len(row.title)))) + GAP, text),
        (place, "ended" if row.status.ended else "aside"),
    ]
    if cell_len(row.state) > columns.state:
        room = width - sum(cell_len(words) for words, _ in parts)
        whole = room >= ROOM_FOR_WHERE or cell_len(row.state) <= room
        parts.append((_left(row.state if whole else row.brief or row.state, room), tone))
    else:
        parts.append((_state(row, columns.state), tone))
        parts.append((GAP + _left(row.file, columns.file) if columns.file else "", "aside"))
    return _cut([part for part in parts if part[0]], width)


def _tone(status: JobStatus) -> Tone:
    match status:
        case JobStatus.RUNNING:
            return "running"
        case JobStatus.FAILED | JobStatus.REJECTED:
            return "failed"
        case JobStatus.SUBMITTING | JobStatus.QUEUED:
            return "waiting"
    return "ended"


def _state(row: Row, cells: int) -> str:
    """The state with its number at the right edge: `done    0:21`, `     2 ahead`."""
    return f"{row.state}{row.figure:>{cells - len(row.state)}}"


def _left(text: str, cells: int) -> str:
    """The text in exactly so many cells; a cut shows."""
    if cell_len(text) <= cells:
        return set_cell_size(text, cells)
    return set_cell_size(text, cells - 1) + "…" if cells > 0 else ""


def _cut(parts: list[Part], width: int) -> list[Part]:
    """No more than `width` cells of the parts: a terminal narrower than the fixed columns loses the end of the line."""
    kept: list[Part] = []
    for text, tone in parts:
        room = width - sum(cell_len(text) for text, _ in kept)
        if room <= 0:
            break
        kept.append((text if cell_len(text) <= room else set_cell_size(text, room), tone))
    return kept
