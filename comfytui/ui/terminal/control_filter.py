"""No character that a terminal obeys leaves the program as text, whatever stands in a prompt, a paste or a name."""

import re

from rich.cells import cell_len
from rich.segment import Segment
from textual.color import Color
from textual.filter import LineFilter

from comfytui.sanitize import EMOJI, VARIANTS, is_common, without_hidden

_JOINED = re.compile(f"({EMOJI})(?:[{VARIANTS}\u20e3]|\u200d{EMOJI})+|[{VARIANTS}]")
"""An emoji with what varies or joins it: terminals do not agree on how many cells it takes."""


class ControlFilter(LineFilter):
    """Takes controls out of every painted line; what is being edited keeps them."""

    def apply(self, segments: list[Segment], background: Color) -> list[Segment]:
        """The same segments, in as many cells on every terminal, without controls."""
        if all(segment.control or is_common(segment.text) for segment in segments):
            return segments
        painted = []
        taken = 0
        for segment, following in zip(segments, [*segments[1:], None], strict=True):
            if segment.control:
                painted.append(segment)
                continue
            text = segment.text[taken:]
            blank = _leading_spaces(following.text) if following and not following.control else 0
            shown, taken = _fitted(filter_controls(text), cell_len(text), blank)
            painted.append(segment if shown == segment.text else Segment(shown, segment.style))
        return painted


def filter_controls(text: str) -> str:
    """The text without what a terminal obeys or does not show; what has cells without it is replaced in them."""
    if is_common(text):
        return text
    return without_hidden(_JOINED.sub(_first_of, text), lambda char: "?" * cell_len(char))


def _first_of(found: re.Match[str]) -> str:
    """Of joined emoji the first, with the cells that are counted for all."""
    first = found[1] or ""
    return first + " " * (cell_len(found[0]) - cell_len(first))


def _fitted(text: str, width: int, blank: int) -> tuple[str, int]:
    """The text in `width` cells, or in more of them where `blank` ones follow; how many of those it takes.

    Textual counts no cell for what follows a zero-width joiner, many terminals do.
    """
    if is_common(text):
        return text, 0
    cells = [cell_len(char) for char in text]
    total = sum(cells)
    while total > width + blank:
        total -= cells.pop()
    return text[: len(cells)] + " " * (width - total), max(0, total - width)


def _leading_spaces(text: str) -> int:
    return len(text) - len(text.lstrip(" "))
