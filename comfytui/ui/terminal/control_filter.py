"""A filter that keeps control characters of prompts, pastes and names from being written to the terminal."""

import re

from rich.cells import cell_len
from rich.segment import Segment
from textual.color import Color
from textual.filter import LineFilter

from comfytui.sanitize import EMOJI, EMOJI_VARIANTS, is_known_safe, strip_hidden

_EMOJI_SEQUENCE = re.compile(f"({EMOJI})(?:[{EMOJI_VARIANTS}\u20e3]|\u200d{EMOJI})+|[{EMOJI_VARIANTS}]")
"""An emoji with variation selectors or joined emoji: terminals disagree on how many cells it takes."""


class ControlFilter(LineFilter):
    """Removes control characters from every painted line; the text of an input keeps them."""

    def apply(self, segments: list[Segment], background: Color) -> list[Segment]:
        """Return the segments without control characters, in as many cells on every terminal."""
        if all(segment.control or is_known_safe(segment.text) for segment in segments):
            return segments
        painted = []
        taken = 0
        for segment, following in zip(segments, [*segments[1:], None], strict=True):
            if segment.control:
                painted.append(segment)
                continue
            text = segment.text[taken:]
            spaces = _leading_spaces(following.text) if following and not following.control else 0
            filtered, taken = _fit(filter_controls(text), cell_len(text), spaces)
            painted.append(segment if filtered == segment.text else Segment(filtered, segment.style))
        return painted


def filter_controls(text: str) -> str:
    """Return the text without control and invisible characters; `?` replaces those that are counted as cells."""
    if is_known_safe(text):
        return text
    return strip_hidden(_EMOJI_SEQUENCE.sub(_first_emoji, text), lambda char: "?" * cell_len(char))


def _first_emoji(found: re.Match[str]) -> str:
    """Return the first of joined emoji, padded to the cells that are counted for all of them."""
    first = found[1] or ""
    return first + " " * (cell_len(found[0]) - cell_len(first))


def _fit(text: str, width: int, spaces: int) -> tuple[str, int]:
    """Fit the text into `width` cells and as many of the `spaces` after them as it needs.

    Textual counts no cell for a character after a zero-width joiner, many terminals do.

    Returns:
        The fitted text, and how many of the spaces it takes.
    """
    if is_known_safe(text):
        return text, 0
    cells = [cell_len(char) for char in text]
    total = sum(cells)
    while total > width + spaces:
        total -= cells.pop()
    return text[: len(cells)] + " " * (width - total), max(0, total - width)


def _leading_spaces(text: str) -> int:
    return len(text) - len(text.lstrip(" "))
