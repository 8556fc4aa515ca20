"""Render an image as rows of cells: half-blocks in colour, or ASCII characters by brightness.

Rendering is slow, so call it in a thread. Pillow and textual-image are imported with the first image, because the first
paint of the screen needs neither.
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

from comfytui.decoding.decoder import DECODER, DecodeError, Decoder, Pixels, Rgb
from comfytui.decoding.decoder_process import PIXELS_PER_CELL

if TYPE_CHECKING:
    from textual_image.renderable.halfcell import Image as HalfBlocks

RAMP = " .:-=+*#%@"
"""ASCII characters from dark to bright, for a dark screen."""


@dataclass(frozen=True, slots=True)
class RenderedImage:
    """An image as rows of equal width, or the reason why it cannot be shown."""

    strips: tuple[Strip, ...] = ()
    reason: str = ""


def render_image(data: bytes, max_size: Size, background: Rgb | None, decoder: Decoder = DECODER) -> RenderedImage:
    """Render an image in the largest size that fits; blocks.

    Args:
        data: A JPEG, PNG or WEBP file.
        max_size: The available columns and rows.
        background: The colour behind transparent pixels; None renders ASCII characters instead of colours.
        decoder: Decodes the file.
    """
    try:
        pixels = decoder.decode(data, (max_size.width, max_size.height), background)
    except DecodeError as error:
        return RenderedImage(reason=str(error))
    return RenderedImage(tuple(_ascii(pixels) if background is None else _half_blocks(pixels)))


def _ascii(grey: Pixels) -> list[Strip]:
    characters = "".join(RAMP[level * len(RAMP) // 256] for level in grey.data)
    width = grey.width
    return [Strip([Segment(characters[at : at + width])], width) for at in range(0, len(characters), width)]


def _half_blocks(pixels: Pixels) -> list[Strip]:
    from PIL import Image

    image = Image.frombytes("RGB", (pixels.width, pixels.height), pixels.data)
    columns, rows = image.width, image.height // PIXELS_PER_CELL
    console = Console(file=io.StringIO(), width=columns, height=rows, color_system="truecolor")
    lines = Segment.split_lines(console.render(_half_block_renderer()(image, columns, rows)))
    return [Strip(Segment.simplify(line), columns) for line in lines if line]


@cache
def _half_block_renderer() -> "type[HalfBlocks]":
    """Import textual-image's half-block renderer without the terminal queries of that library.

    The package queries the terminal's image protocol when it is imported, so its `__init__` is skipped. The renderer
    queries the size of a cell in pixels, so a size is cached beforehand (any will do: the image's size is in cells).
    """
    name = "textual_image.renderable"
    spec = importlib.util.find_spec(name)
    if name not in sys.modules and spec is not None:
        sys.modules[name] = importlib.util.module_from_spec(spec)
    from textual_image._terminal import CellSize, get_cell_size
    from textual_image.renderable.halfcell import Image

    vars(get_cell_size).setdefault("_result", CellSize(width=10, height=20))
    return Image
