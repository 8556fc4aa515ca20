"""A picture in half-blocks: decoded aside, painted row by row where it changed, within a budget of bytes."""

import asyncio
import io
import sys
import time
from collections.abc import Sequence
from functools import cache
from typing import Any

from PIL import Image as PillowImage
from rich.console import Console
from rich.segment import Segment
from rich.style import Style
from textual import work
from textual.geometry import Region, Size
from textual.strip import Strip
from textual.widget import Widget

BYTES_PER_CELL = 36
"""What a half-block with two colours of 24 bits costs on the wire."""
BUDGET = 64_000
"""Bytes a second that pictures may cost; the newest waits until it is affordable."""
MOST_PIXELS = 64_000_000
RAMP = " .:-=+*#%@"
"""ASCII characters by luminance, where there is no colour or no half-block."""
CELL_RATIO = 2
"""A cell is twice as high as it is wide."""


class Picture(Widget):
    """Shows the newest picture that it was given, centred, its proportions kept."""

    def __init__(self, *, id: str | None = None, budget: int = BUDGET) -> None:  # noqa: A002
        super().__init__(id=id)
        self._budget = budget
        self._data: bytes | None = None
        self._strips: list[Strip] = []
        self._words = ""
        self._affordable_at = 0.0

    def show(self, data: bytes | None) -> None:
        """Show JPEG, PNG or WEBP bytes, or nothing; what cannot be shown is told in one line."""
        self._data = data
        self._draw()

    def on_resize(self) -> None:
        """The picture fits the room that it has."""
        self._affordable_at = 0.0
        self._draw()

    def render_line(self, y: int) -> Strip:
        """One row of the picture."""
        width = self.size.width
        if self._words and y == 0:
            return Strip([Segment(self._words[:width], self.rich_style)]).adjust_cell_length(width, self.rich_style)
        top = max(0, (self.size.height - len(self._strips)) // 2)
        if not 0 <= y - top < len(self._strips):
            return Strip.blank(width, self.rich_style)
        strip = self._strips[y - top]
        margin = max(0, (width - strip.cell_length) // 2)
        blank = Strip.blank(margin, self.rich_style)
        return Strip.join([blank, strip]).adjust_cell_length(width, self.rich_style)

    @work(exclusive=True, group="draw", exit_on_error=False)
    async def _draw(self) -> None:
        """Decode and paint; a newer picture ends this one."""
        if (wait := self._affordable_at - time.monotonic()) > 0:
            await asyncio.sleep(wait)
        size, plain_text = self.size, self._plain
        if self._data is None or not size.area:
            self._paint([], "")
            return
        try:
            strips = await asyncio.to_thread(_strips, self._data, size, plain_text)
        except (OSError, ValueError, SyntaxError, PillowImage.DecompressionBombError) as error:
            self._paint([], f"picture cannot be shown ({type(error).__name__})")
            return
        cost = sum(strip.cell_length for strip in strips) * BYTES_PER_CELL
        self._affordable_at = time.monotonic() + cost / self._budget
        self._paint(strips, "")

    def _paint(self, strips: list[Strip], words: str) -> None:
        before = (self._strips, self._words)
        self._strips, self._words = strips, words
        if (len(before[0]), before[1]) != (len(strips), words):
            self.refresh()
            return
        top = max(0, (self.size.height - len(strips)) // 2)
        for y, (old, new) in enumerate(zip(before[0], strips, strict=True)):
            if old != new:
                self.refresh(Region(0, top + y, self.size.width, 1))

    @property
    def _plain(self) -> bool:
        return self.app.no_color or bool(getattr(self.app, "ascii", False))


def _strips(data: bytes, room: Size, plain_text: bool) -> list[Strip]:
    """The picture as rows of cells that fit the room."""
    with PillowImage.open(io.BytesIO(data)) as image:
        if image.width * image.height > MOST_PIXELS:
            raise ValueError("too many pixels")
        columns, rows = _fit(image.width, image.height, room)
        image.draft("RGB", (columns * 2, rows * 4))
        if plain_text:
            return _ramp(image.convert("L").resize((columns, rows)))
        return _half_blocks(image.convert("RGB").resize((columns, rows * 2)))


def _fit(width: int, height: int, room: Size) -> tuple[int, int]:
    """Columns and rows of the largest picture of these proportions in the room."""
    scale = min(room.width / width, room.height * CELL_RATIO / height)
    return max(1, round(width * scale)), max(1, round(height * scale / CELL_RATIO))


def _ramp(image: PillowImage.Image) -> list[Strip]:
    pixels = image.tobytes()
    rows: Sequence[bytes] = [pixels[y * image.width : (y + 1) * image.width] for y in range(image.height)]
    return [Strip([Segment("".join(RAMP[value * len(RAMP) // 256] for value in row), Style())]) for row in rows]


def _half_blocks(image: PillowImage.Image) -> list[Strip]:
    """One cell for two pixels, by textual-image's renderer."""
    options = _console().options.update(width=image.width, height=image.height // 2)
    renderable = _renderer()(image, width=image.width, height=image.height // 2)
    lines = Segment.split_lines(renderable.__rich_console__(_console(), options))
    return [Strip(Segment.simplify(line)) for line in lines if line]


@cache
def _console() -> Console:
    return Console(file=io.StringIO(), color_system="truecolor", force_terminal=True)


@cache
def _renderer() -> Any:
    """textual-image's half-cell renderer, imported without the questions that it asks a terminal on standard output."""
    stdout, sys.__stdout__ = sys.__stdout__, io.StringIO()  # type: ignore[misc, assignment]
    try:
        from textual_image._terminal import get_cell_size
        from textual_image.renderable.halfcell import Image

        get_cell_size()  # Kept by textual-image from now on: 10 by 20 pixels, a cell's usual shape.
    finally:
        sys.__stdout__ = stdout  # type: ignore[misc]
    return Image
