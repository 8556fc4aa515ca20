"""No character that a terminal obeys leaves the program as text, whatever stands in a prompt, a paste or a name."""

from rich.segment import Segment
from textual.color import Color
from textual.filter import LineFilter

from comfytui.plain import harmless


class HarmlessFilter(LineFilter):
    """Takes controls out of every painted line; what is being edited keeps them."""

    def apply(self, segments: list[Segment], background: Color) -> list[Segment]:
        """The same segments, and as many cells, without controls."""
        return [
            segment if segment.control or segment.text.isprintable() else Segment(harmless(segment.text), segment.style)
            for segment in segments
        ]
