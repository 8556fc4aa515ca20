"""The bytes of a picture as rows of cells: half-blocks in colour, or ASCII characters by brightness.

It is slow, so call it in a thread. Pillow and the renderer are imported at the first picture, because the first paint
of the screen needs neither.
"""

import importlib.util
import io
import sys
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from rich.console import Console
from rich.segment import Segment
from textual.geometry import Size
from textual.strip import Strip

from comfytui.ui.images.decoder import DECODER, DecodeError, Pixels, Rgb
from comfytui.ui.images.decoder_process import PIXELS_PER_CELL

if TYPE_CHECKING:
    from textual_image.renderable.halfcell import Image as HalfBlocks

RAMP = " .:-=+*#%@"
"""ASCII characters from dark to bright, on a dark screen."""


@dataclass(frozen=True, slots=True)
class RenderedImage:
    """A picture as rows of equal width, or why there is none."""

    strips: tuple[Strip, ...] = ()
    reason: str = ""


def render_image(data: bytes, room: Size, background: Rgb | None) -> RenderedImage:
    """The picture as large as fits in `room`; without a background (what shines through) in ASCII characters."""
    try:
        pixels = DECODER.decode(data, (room.width, room.height), background)
    except DecodeError as error:
        return RenderedImage(reason=str(error))
    return RenderedImage(tuple(_ramp(pixels) if background is None else _half_blocks(pixels)))


def _ramp(grey: Pixels) -> list[Strip]:
    characters = "".join(RAMP[level * len(RAMP) // 256] for level in grey.data)
    width = grey.width
    return [Strip([Segment(characters[at : at + width])], width) for at in range(0, len(characters), width)]


def _half_blocks(pixels: Pixels) -> list[Strip]:
    from PIL import Image

    picture = Image.frombytes("RGB", (pixels.width, pixels.height), pixels.data)
    columns, rows = picture.width, picture.height // PIXELS_PER_CELL
    console = Console(file=io.StringIO(), width=columns, height=rows, color_system="truecolor")
    lines = Segment.split_lines(console.render(_half_block_renderer()(picture, columns, rows)))
    return [Strip(Segment.simplify(line), columns) for line in lines if line]


@cache
def _half_block_renderer() -> "type[HalfBlocks]":
    """textual-image's half-blocks, without the questions that the library asks a terminal on standard output.

    The package asks for its best protocol as it is imported, so its `__init__` is stepped over; the renderer asks
    for the size of a cell in pixels, so that stands there already (any will do: the size is given in cells).
    """
    name = "textual_image.renderable"
    spec = importlib.util.find_spec(name)
    if name not in sys.modules and spec is not None:
        sys.modules[name] = importlib.util.module_from_spec(spec)
    from textual_image._terminal import CellSize, get_cell_size
    from textual_image.renderable.halfcell import Image

    vars(get_cell_size).setdefault("_result", CellSize(width=10, height=20))
    return Image
