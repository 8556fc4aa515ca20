"""No character that a terminal obeys leaves the program as text, whatever stands in a prompt, a paste or a name."""

import re

from rich.cells import cell_len
from rich.segment import Segment
from textual.color import Color
from textual.filter import LineFilter

from comfytui.plain import EMOJI, VARIANTS, harmless

_JOINED = re.compile(f"({EMOJI})(?:[{VARIANTS}\u20e3]|\u200d{EMOJI})+|[{VARIANTS}]")
"""An emoji with what varies or joins it: terminals do not agree on how many cells it takes."""


class HarmlessFilter(LineFilter):
    """Takes controls out of every painted line; what is being edited keeps them."""

    def apply(self, segments: list[Segment], background: Color) -> list[Segment]:
        """The same segments, in as many cells on every terminal, without controls."""
        return [
            segment
            if segment.control or (segment.text.isascii() and segment.text.isprintable())
            else Segment(_of_one_width(harmless(segment.text)), segment.style)
            for segment in segments
        ]


def _of_one_width(text: str) -> str:
    """Of joined emoji the first, with the cells that we count for all."""
    return _JOINED.sub(_first_of, text)


def _first_of(found: re.Match[str]) -> str:
    first = found[1] or ""
    return first + " " * (cell_len(found[0]) - cell_len(first))
