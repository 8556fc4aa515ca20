"""Parts of a text that are marked, as the letters that a search has found."""

from collections.abc import Collection, Iterator
from itertools import groupby
from typing import Final

from rich.cells import cell_len

from comfytui.ui.widgets.text import cut

BEFORE: Final = 12
"""Characters before the first mark that are kept of a text that is too long to show it otherwise."""


def excerpt(text: str, marks: Collection[int], cells: int) -> tuple[str, Collection[int]]:
    """Return as much of a text as fits, with the first mark in it, and the marks in what is returned."""
    if marks and cell_len(text) > cells and cell_len(text[: max(marks) + 1]) >= cells:
        start = max(0, min(marks) - BEFORE)
        if start > 1:
            text, marks = f"…{text[start:]}", {mark - start + 1 for mark in marks}
    return cut(text, cells), marks


def parts(text: str, marks: Collection[int]) -> Iterator[tuple[str, bool]]:
    """Yield a text in parts, each with whether it is marked."""
    for is_marked, places in groupby(range(len(text)), lambda place: place in marks):
        yield "".join(text[place] for place in places), is_marked
