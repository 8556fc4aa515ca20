"""A progress bar of one line that repaints only the cells that changed."""

from typing import ClassVar, Literal, NamedTuple

from rich.segment import Segment
from textual.geometry import Region, Size
from textual.strip import Strip
from textual.widget import Widget

BarStyle = Literal["running", "done", "failed", "idle"]
STEPS_PER_CELL = 2


class Glyphs(NamedTuple):
    """The characters that a bar is drawn with, one cell each."""

    full: str
    half: str
    empty: str


# Without colours the shape alone shows what is filled, so the track is a light line.
COLOURED = Glyphs("━", "╸", "━")
COLOURLESS = Glyphs("━", "╾", "─")
ASCII = Glyphs("=", "-", ".")


class ProgressBar(Widget):
    """A progress bar drawn as a heavy line, in steps of half a cell."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {
        "bar--running",
        "bar--done",
        "bar--failed",
        "bar--idle",
        "bar--track",
    }

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:  # noqa: A002
        super().__init__(id=id, classes=classes)
        self._fraction = 0.0
        self._style: BarStyle = "idle"
        self._subject: object = None

    @property
    def fraction(self) -> float:
        """The fraction that is filled, 0 to 1."""
        return self._fraction

    @property
    def style(self) -> BarStyle:
        """What the colour of the filled part expresses."""
        return self._style

    def show(self, fraction: float, style: BarStyle = "running", *, subject: object = None) -> None:
        """Fill the bar; only cells that change are repainted.

        Args:
            fraction: The fraction to fill, 0 to 1; values outside are clamped.
            style: What the colour of the filled part expresses.
            subject: What the progress belongs to. For the same subject the bar never moves backwards.
        """
        fraction = min(1.0, max(0.0, fraction))
        if subject == self._subject:
            fraction = max(fraction, self._fraction)
        before, before_style = self._steps, self._style
        self._fraction, self._style, self._subject = fraction, style, subject
        if style != before_style:
            self.refresh()
        elif before != (after := self._steps):
            first, last = min(before, after) // STEPS_PER_CELL, -(-max(before, after) // STEPS_PER_CELL)
            self.refresh(Region(first, 0, last - first, 1))

    @property
    def _steps(self) -> int:
        """The filled half cells, rounded down: the bar is full only at a fraction of 1."""
        return int(self._fraction * self.content_size.width * STEPS_PER_CELL)

    @property
    def _glyphs(self) -> Glyphs:
        if getattr(self.app, "ascii", False):
            return ASCII
        return COLOURLESS if self.app.no_color or self.app.native_ansi_color else COLOURED

    def render_line(self, y: int) -> Strip:
        """Render the bar."""
        width, glyphs = self.content_size.width, self._glyphs
        full, half = divmod(self._steps, STEPS_PER_CELL)
        filled = self.get_component_rich_style(f"bar--{self._style}")
        track = self.get_component_rich_style("bar--track")
        parts = (
            (glyphs.full * full + glyphs.half * half, filled),
            (glyphs.empty * (width - full - half), track),
        )
        return Strip([Segment(text, style) for text, style in parts if text], width)

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:
        """Return the height of the bar, one line."""
        return 1
