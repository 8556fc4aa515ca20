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

if TYPE_CHECKING:
    from PIL.Image import Image
    from textual_image.renderable.halfcell import Image as HalfBlocks

FORMATS = ("JPEG", "PNG", "WEBP")
MOST_PIXELS = 64_000_000
"""Larger pictures would need hundreds of megabytes to decode."""
RAMP = " .:-=+*#%@"
"""ASCII characters from dark to bright, on a dark screen."""
PIXELS_PER_CELL = 2
"""A cell is one pixel wide and two high."""

Rgb = tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class Sketch:
    """A picture as rows of equal width, or why there is none."""

    strips: tuple[Strip, ...] = ()
    reason: str = ""


def sketch(data: bytes, room: Size, background: Rgb | None) -> Sketch:
    """The picture as large as fits in `room`; without a background (what shines through) in ASCII characters."""
    try:
        return Sketch(tuple(_strips(data, room, background)))
    except _Unshowable as error:
        return Sketch(reason=str(error))
    except Exception:  # Pillow raises whatever a broken file makes it raise.
        return Sketch(reason="broken")


class _Unshowable(Exception):
    """The picture is whole, but not for showing."""


def _strips(data: bytes, room: Size, background: Rgb | None) -> list[Strip]:
    from PIL import Image, UnidentifiedImageError

    try:
        source = Image.open(io.BytesIO(data), formats=FORMATS)
    except UnidentifiedImageError as error:
        raise _Unshowable("not JPEG, PNG or WEBP") from error
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise _Unshowable("too large") from error
    with source:
        if source.width * source.height > MOST_PIXELS:
            raise _Unshowable("too large")
        size = _fitting(source.size, room)
        if background is None:
            return _ramp(_scaled(source, (size.width, size.height), (0, 0, 0)).convert("L"))
        return _half_blocks(_scaled(source, (size.width, size.height * PIXELS_PER_CELL), background))


def _fitting(pixels: tuple[int, int], room: Size) -> Size:
    """The most cells in the room that keep the picture's proportions."""
    width, height = pixels
    scale = min(room.width / width, room.height * PIXELS_PER_CELL / height)
    return Size(max(1, round(width * scale)), max(1, round(height * scale / PIXELS_PER_CELL)))


def _scaled(source: "Image", pixels: tuple[int, int], background: Rgb) -> "Image":
    """The picture in exactly so many pixels, opaque."""
    from PIL import Image

    source.draft("RGB", pixels)
    if not source.has_transparency_data:
        return source.convert("RGB").resize(pixels, Image.Resampling.LANCZOS, reducing_gap=3.0)
    small = source.convert("RGBA").resize(pixels, Image.Resampling.LANCZOS, reducing_gap=3.0)
    return Image.alpha_composite(Image.new("RGBA", pixels, background), small).convert("RGB")


def _ramp(grey: "Image") -> list[Strip]:
    characters = "".join(RAMP[level * len(RAMP) // 256] for level in grey.tobytes())
    width = grey.width
    return [Strip([Segment(characters[at : at + width])], width) for at in range(0, len(characters), width)]


def _half_blocks(picture: "Image") -> list[Strip]:
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
