"""Draw the lines of the list of inputs: each a few parts of text with a tone, together as wide as the list."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final, Literal

from rich.cells import cell_len, set_cell_size

from comfytui.sanitize import sanitize
from comfytui.ui.form.input_rows import FieldLink, Heading, Item, Line, Row
from comfytui.ui.form.input_values import InputValues
from comfytui.ui.widgets.text import cut

Tone = Literal["label", "value", "changed", "wrong", "heading"]
"""What a part expresses; the list has a colour for each."""

CHANGED: Final = "•"
WRONG: Final = "!"
MAX_TEXT: Final = 300
"""Characters of a value that are shown."""
LABEL_SHARE: Final = 0.55
"""The largest part of a line that labels take."""
MAX_LABEL: Final = 40
"""Cells of the longest label that is shown whole."""
SWITCH_CELLS: Final = 4
"""Cells of a switch that shares its line with other values."""
NUMBER_CELLS: Final = 6
"""Cells of a number that shares its line with other values."""


@dataclass(frozen=True, slots=True)
class Part:
    """A part of a line."""

    text: str
    tone: Tone
    item: int | None = None
    """Which of the row's items it is the value of."""
    swatch: str = ""
    """A colour (`#rrggbb`) to show instead of the text's own."""


def heading_parts(heading: Heading, width: int) -> list[Part]:
    """Return the parts of a heading."""
    glyph = "▾" if heading.is_open else "▸"
    count = f" {heading.count:,}" if heading.count else ""
    title = cut(f"{'  ' * heading.depth}{glyph} {heading.title}", width - len(count) - 1)
    return [Part(set_cell_size(title, width - len(count) - 1), "heading"), Part(f"{count} ", "label")]


def link_parts(link: FieldLink, width: int) -> list[Part]:
    """Return the parts of a line that leads to a field above the list."""
    return [Part(set_cell_size(cut(f"↑ {link.title}", width - 1), width), "heading")]


def label_width(lines: Iterable[Line]) -> int:
    """Return the cells that the widest label needs, of the rows that have one."""
    rows = (line for line in lines if isinstance(line, Row) and len(line.items) == 1)
    return max((cell_len(_label(row)) for row in rows), default=0) + 1


def _label(row: Row) -> str:
    return f"{' ' * max(0, 2 * row.depth - 1)}{row.label}"


def row_parts(row: Row, values: InputValues, width: int, labels: int) -> list[Part]:
    """Return the parts of a row: a mark if a value is wrong or differs from the file's, the label and the values.

    Args:
        row: The row.
        values: The values of all inputs.
        width: The cells of the line.
        labels: The cells that the widest label of all rows needs, see `label_width`.
    """
    if any(values.error(item) for item in row.items):
        mark = Part(WRONG, "wrong")
    else:
        mark = Part(CHANGED if any(values.is_changed(item) for item in row.items) else " ", "changed")
    several = len(row.items) > 1
    label_cells = 0 if several else min(max(10, labels), int(width * LABEL_SHARE), MAX_LABEL)
    label = set_cell_size(cut(_label(row), label_cells - 1), label_cells)
    parts = [mark, Part(label, "label")] if label_cells else [mark]
    room = width - sum(cell_len(part.text) for part in parts)
    parts += _several(row, values, room) if several else _value(row.items[0], 0, values, room)
    return parts


def value_start(row: Row, width: int, labels: int, at: int, values: InputValues) -> tuple[int, int]:
    """Return the first cell of one of a row's values, and the number of its cells."""
    start = 0
    for part in row_parts(row, values, width, labels):
        if part.item == at and not part.swatch:
            return start, cell_len(part.text)
        start += cell_len(part.text)
    return start, 0


def _several(row: Row, values: InputValues, room: int) -> Iterator[Part]:
    """Yield the values of a row side by side: switches and numbers at their width, and names share the rest."""
    cells = [
        SWITCH_CELLS if item.spec.kind == "bool" else NUMBER_CELLS if _is_number(item) else 0 for item in row.items
    ]
    flexible = max(1, cells.count(0))
    rest = max(0, room - sum(cells)) // flexible
    for at, item in enumerate(row.items):
        if cells[at]:
            yield from _value(item, at, values, cells[at])
        else:
            # A gap before the number beside it.
            yield from _value(item, at, values, rest - 1)
            yield Part(" ", "value")
    if left := room - sum(each or rest for each in cells):
        yield Part(" " * left, "value")


def _value(item: Item, at: int, values: InputValues, room: int) -> Iterator[Part]:
    text, upload = values.text(item), values.upload(item)
    if upload:
        yield Part(set_cell_size(cut(upload, room), max(0, room)), "changed", at)
        return
    tone: Tone = "wrong" if values.error(item) else "changed" if values.is_changed(item) else "value"
    if item.spec.kind == "colour" and len(text) == 7 and room > 4:
        yield Part("██", "value", at, swatch=text)
        yield Part(" ", tone)
        room -= 3
    shown = _shown(item, text, room)
    if room <= NUMBER_CELLS and _is_number(item):
        shown = f"{cut(shown, room - 1):>{max(0, room - 1)}} "
    yield Part(set_cell_size(cut(shown, room), max(0, room)), tone, at)


def _shown(item: Item, text: str, room: int) -> str:
    match item.spec.kind:
        case "bool":
            is_on = text.lower() == "true"
            off, on = item.spec.switch_labels
            box = f"[{'x' if is_on else ' '}]"
            return f"{box} {on if is_on else off}" if room > SWITCH_CELLS else box
        case "choice" | "file":
            return sanitize(text, MAX_TEXT).removesuffix(".safetensors") or "choose…"
        case "text" if not text:
            return "empty"
        case _:
            return sanitize(text, MAX_TEXT)


def _is_number(item: Item) -> bool:
    return item.spec.kind in {"int", "float"}


def is_cut(parts: Iterable[Part], at: int) -> bool:
    """Return whether the label or a value of a line is longer than what is shown of it."""
    return any(part.text.rstrip().endswith("…") for part in parts if part.item in {None, at})
