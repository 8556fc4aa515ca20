"""A widget that shows an image: rendered in a thread, repainted where rows changed, within a bandwidth budget."""

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

from comfytui.decoding.decoder import DECODER, Decoder
from comfytui.ui.images.image_render import RenderedImage, render_image

T = TypeVar("T")

BUDGET = 60_000
"""Bytes a second that previews may write to the terminal, so that the whole screen stays below 64 kB/s."""
BYTES_PER_COLOUR = 40
"""Bytes of the escape sequences that set and reset two 24-bit colours; adjacent cells alike share them."""
BYTES_PER_CELL = 3
DECODE_TIMEOUT = 0.5
"""Seconds that a finished image waits for the image that is being decoded, before that is given up."""
LOCK_INTERVAL = 0.02
"""Seconds between two attempts to acquire the lock."""
_RENDER_LOCK = Lock()
"""Held while an image is rendered: one at a time, for all widgets together."""


@dataclass(frozen=True, slots=True)
class _Request:
    data: bytes
    max_cells: tuple[int, int] | None

    @property
    def is_preview(self) -> bool:
        """Whether more images will follow, so that this one can wait and be dropped."""
        return self.max_cells is not None


class ImageView(Widget):
    """Shows the newest image passed to `show`, centred, in its proportions.

    Args:
        budget: Bytes a second that previews may write to the terminal.
        decoder: Decodes the images.
        id: The widget's id.
        classes: The widget's classes.
    """

    shown_data: var[bytes | None] = var(None)
    """The data of the image on the screen; a newer one may still wait to be rendered."""

    def __init__(
        self,
        *,
        budget: int = BUDGET,
        decoder: Decoder = DECODER,
        id: str | None = None,  # noqa: A002
        classes: str | None = None,
    ) -> None:
        super().__init__(id=id, classes=classes)
        self._budget = budget
        self._decoder = decoder
        self._newest: _Request | None = None
        self._rows: dict[int, Strip] = {}
        self._affordable_at = 0.0
        self._rendering: Worker[None] | None = None

    def show(self, data: bytes | None, *, max_cells: tuple[int, int] | None = None) -> None:
        """Show an image.

        Args:
            data: A JPEG, PNG or WEBP file; None clears the widget.
            max_cells: The most columns and rows of a preview, which waits until the budget allows it and may be dropped
                for a newer one. None stands for a finished image, which is painted as soon as it is decoded and may
                fill the widget.
        """
        self._newest = None if data is None else _Request(data, max_cells)
        if self._newest is None:
            self._stop()
            self._paint({})
            self.shown_data = None
        elif not (self._newest.is_preview and self._rendering and self._rendering.is_running):
            self._start()

    def on_resize(self) -> None:
        """Fit the image to the new size."""
        self._start()

    def on_unmount(self) -> None:
        """Stop rendering."""
        self._stop()

    def render_line(self, y: int) -> Strip:
        """Render one row of the widget."""
        return self._rows.get(y) or Strip.blank(self.size.width, self.rich_style)

    def _start(self) -> None:
        self._stop()
        if self._newest and self.size.area:
            self._rendering = self._render_newest()

    def _stop(self) -> None:
        if self._rendering:
            self._rendering.cancel()
            self._rendering = None

    @work(group="image")
    async def _render_newest(self) -> None:
        """Render the newest image, until there is none newer than the one painted."""
        painted = None
        while (request := self._newest) and request is not painted:
            if request.is_preview and (wait := self._affordable_at - time.monotonic()) > 0:
                await asyncio.sleep(wait)
                request = self._newest or request
            await self._acquire_render_lock(max_wait=None if request.is_preview else DECODE_TIMEOUT)
            request = self._newest or request
            max_size = Size(*map(min, self.size, request.max_cells or self.size))
            began = time.monotonic()
            render = partial(render_image, request.data, max_size, self._background, self._decoder)
            rendered = await _run_in_thread(render)
            written = self._paint(self._centred(rendered))
            # An image that took long to render is followed by a pause of at least the same length.
            now = time.monotonic()
            self._affordable_at = now + max(written / self._budget, now - began)
            self.shown_data = request.data
            painted = request

    async def _acquire_render_lock(self, max_wait: float | None) -> None:
        """Acquire the lock; an image still being decoded after `max_wait` seconds (None: no limit) is given up."""
        deadline = None if max_wait is None else time.monotonic() + max_wait
        while not _RENDER_LOCK.acquire(blocking=False):
            await asyncio.sleep(LOCK_INTERVAL)
            if deadline is not None and time.monotonic() > deadline:
                deadline = None
                self._decoder.kill()

    @property
    def _background(self) -> tuple[int, int, int] | None:
        """The colour behind transparent pixels; None where images are rendered in ASCII."""
        if self.app.no_color or getattr(self.app, "ascii", False):
            return None
        return self.background_colors[1].rgb

    def _centred(self, rendered: RenderedImage) -> dict[int, Strip]:
        """Return the rows in the middle of the widget by their line, padded to its width."""
        width, height = self.size
        strips = rendered.strips or _wrapped(f"image cannot be shown ({rendered.reason})", width)
        style, top = self.rich_style, max(0, (height - len(strips)) // 2)
        rows = {}
        for y, strip in enumerate(strips[:height], top):
            left = (width - strip.cell_length) // 2
            margins = (Strip.blank(left, style), Strip.blank(width - left - strip.cell_length, style))
            rows[y] = Strip.join([margins[0], strip.apply_style(style), margins[1]])
        return rows

    def _paint(self, rows: dict[int, Strip]) -> int:
        """Replace the rows, repaint those that changed, and return about how many bytes that will write."""
        changed = [y for y in self._rows.keys() | rows.keys() if self._rows.get(y) != rows.get(y)]
        self._rows = rows
        if changed:
            self.refresh(*(Region(0, y, self.size.width, 1) for y in changed))
        return sum(_bytes_of(rows[y]) for y in changed if y in rows)


def _bytes_of(strip: Strip) -> int:
    return BYTES_PER_COLOUR * len(list(strip)) + BYTES_PER_CELL * strip.cell_length


def _wrapped(text: str, width: int) -> tuple[Strip, ...]:
    """Wrap a text into as many lines as it needs."""
    return tuple(Strip([Segment(line)]) for line in textwrap.wrap(text, max(1, width)))


async def _run_in_thread(render: Callable[[], T]) -> T:
    """Run `render` in a daemon thread, which the exit of the program does not wait for, then release the lock."""
    loop = asyncio.get_running_loop()
    rendered: asyncio.Future[T] = loop.create_future()

    def finish(result: T) -> None:
        if not rendered.done():
            rendered.set_result(result)

    def run() -> None:
        try:
            result = render()
        finally:
            _RENDER_LOCK.release()
        with suppress(RuntimeError):  # The loop is closed.
            loop.call_soon_threadsafe(finish, result)

    try:
        Thread(target=run, name="comfytui image", daemon=True).start()
    except RuntimeError:  # No thread can be started.
        _RENDER_LOCK.release()
        raise
    return await rendered
