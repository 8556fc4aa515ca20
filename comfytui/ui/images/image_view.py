"""A picture in cells: decoded aside, painted where rows changed, within a budget of bytes."""

import asyncio
import textwrap
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from threading import Lock, Thread
from typing import TypeVar

from rich.segment import Segment
from textual import work
from textual.geometry import Region, Size
from textual.reactive import var
from textual.strip import Strip
from textual.widget import Widget
from textual.worker import Worker

from comfytui.ui.images.decoder import DECODER
from comfytui.ui.images.image_render import RenderedImage, render_image

T = TypeVar("T")

BUDGET = 60_000
"""Bytes a second that live pictures may cost, so that the whole screen stays below 64 kB/s."""
BYTES_PER_COLOUR = 40
"""What two colours of 24 bits and their end cost on the wire; cells alike share them."""
BYTES_PER_CELL = 3
PATIENCE = 0.5
"""Seconds for which a finished picture waits for the one that is being decoded, before that is given up."""
WAIT = 0.02
"""Seconds between two tries to begin."""
_DRAWING = Lock()
"""Held while a picture is drawn: one at a time, for all widgets together."""


@dataclass(frozen=True, slots=True)
class _Frame:
    data: bytes
    max_cells: tuple[int, int] | None

    @property
    def live(self) -> bool:
        """Whether more like it will follow, so that it can wait and be dropped."""
        return self.max_cells is not None


class ImageView(Widget):
    """Shows the newest picture that it was given, centred, its proportions kept."""

    shown_data: var[bytes | None] = var(None)
    """The data of the picture that is on the screen: a newer one may still wait for its turn."""

    def __init__(self, *, budget: int = BUDGET, id: str | None = None, classes: str | None = None) -> None:  # noqa: A002
        super().__init__(id=id, classes=classes)
        self._budget = budget
        self._newest: _Frame | None = None
        self._rows: dict[int, Strip] = {}
        self._affordable_at = 0.0
        self._drawing: Worker[None] | None = None

    def show(self, data: bytes | None, *, max_cells: tuple[int, int] | None = None) -> None:
        """Show JPEG, PNG or WEBP bytes, or nothing (None).

        With `max_cells` (columns, rows) it is a live preview, which waits until the budget allows it and gives way to
        a newer one; without, it is painted as soon as it is decoded and may fill the widget.
        """
        self._newest = None if data is None else _Frame(data, max_cells)
        if self._newest is None:
            self._stop()
            self._paint({})
            self.shown_data = None
        elif not (self._newest.live and self._drawing and self._drawing.is_running):
            self._start()

    def on_resize(self) -> None:
        """Fit the picture to the new room."""
        self._start()

    def on_unmount(self) -> None:
        """Nothing is left to show it."""
        self._stop()

    def render_line(self, y: int) -> Strip:
        """One row of the widget."""
        return self._rows.get(y) or Strip.blank(self.size.width, self.rich_style)

    def _start(self) -> None:
        self._stop()
        if self._newest and self.size.area:
            self._drawing = self._draw()

    def _stop(self) -> None:
        if self._drawing:
            self._drawing.cancel()
            self._drawing = None

    @work(group="picture")
    async def _draw(self) -> None:
        """Draw the newest frame, until there is none newer than the one drawn."""
        drawn = None
        while (frame := self._newest) and frame is not drawn:
            if frame.live and (wait := self._affordable_at - time.monotonic()) > 0:
                await asyncio.sleep(wait)
                frame = self._newest or frame
            await _turn(patience=None if frame.live else PATIENCE)
            frame = self._newest or frame
            room = Size(*map(min, self.size, frame.max_cells or self.size))
            began = time.monotonic()
            result = await _aside(partial(render_image, frame.data, room, self._background))
            spent = self._paint(self._placed(result))
            # A picture that is hard to draw costs as much rest.
            now = time.monotonic()
            self._affordable_at = now + max(spent / self._budget, now - began)
            self.shown_data = frame.data
            drawn = frame

    @property
    def _background(self) -> tuple[int, int, int] | None:
        """What shines through a picture; None where pictures are drawn in characters."""
        if self.app.no_color or getattr(self.app, "ascii", False):
            return None
        return self.background_colors[1].rgb

    def _placed(self, result: RenderedImage) -> dict[int, Strip]:
        """The rows in the middle of the widget, each as wide as it is."""
        width, height = self.size
        strips = result.strips or _sentence(f"image cannot be shown ({result.reason})", width)
        style, top = self.rich_style, max(0, (height - len(strips)) // 2)
        placed = {}
        for y, strip in enumerate(strips[:height], top):
            left = (width - strip.cell_length) // 2
            margins = (Strip.blank(left, style), Strip.blank(width - left - strip.cell_length, style))
            placed[y] = Strip.join([margins[0], strip.apply_style(style), margins[1]])
        return placed

    def _paint(self, rows: dict[int, Strip]) -> int:
        """Show other rows and paint those that changed; the bytes that this will cost, about."""
        changed = [y for y in self._rows.keys() | rows.keys() if self._rows.get(y) != rows.get(y)]
        self._rows = rows
        if changed:
            self.refresh(*(Region(0, y, self.size.width, 1) for y in changed))
        return sum(_cost(rows[y]) for y in changed if y in rows)


def _cost(strip: Strip) -> int:
    return BYTES_PER_COLOUR * len(list(strip)) + BYTES_PER_CELL * strip.cell_length


def _sentence(text: str, width: int) -> tuple[Strip, ...]:
    """A sentence in as many lines as it needs."""
    return tuple(Strip([Segment(line)]) for line in textwrap.wrap(text, max(1, width)))


async def _turn(patience: float | None) -> None:
    """Wait until nothing else is drawn, and begin; what still is after `patience` seconds is given up."""
    over = None if patience is None else time.monotonic() + patience
    while not _DRAWING.acquire(blocking=False):
        await asyncio.sleep(WAIT)
        if over is not None and time.monotonic() > over:
            over = None
            DECODER.kill()


async def _aside(draw: Callable[[], T]) -> T:
    """What `draw` returns, from a thread that the end of the program does not wait for; it ends the turn."""
    loop = asyncio.get_running_loop()
    drawn: asyncio.Future[T] = loop.create_future()

    def finish(result: T) -> None:
        if not drawn.done():
            drawn.set_result(result)

    def run() -> None:
        try:
            result = draw()
        finally:
            _DRAWING.release()
        with suppress(RuntimeError):  # The loop is closed by now.
            loop.call_soon_threadsafe(finish, result)

    try:
        Thread(target=run, name="comfytui picture", daemon=True).start()
    except RuntimeError:  # No thread is to be had.
        _DRAWING.release()
        raise
    return await drawn
