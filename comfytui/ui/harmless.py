"""No character that a terminal obeys leaves the program as text, whatever stands in a prompt, a paste or a name."""

import re

from rich.cells import cell_len
from rich.segment import Segment
from textual.color import Color
from textual.filter import LineFilter

from comfytui.plain import harmless

_VARIED = re.compile("(.?)([\ufe0f\U0001f3fb-\U0001f3ff])", re.DOTALL)
"""A character and what varies it: we count two cells for both, of which some terminals do not make two."""


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
    return _VARIED.sub(lambda pair: pair[1] + " " * (cell_len(pair[0]) - cell_len(pair[1])), text)
