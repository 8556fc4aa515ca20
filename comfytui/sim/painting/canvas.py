"""A canvas with relative coordinates."""

from collections.abc import Sequence

from PIL import Image, ImageDraw

from comfytui.sim.painting.palette import Palette
from comfytui.sim.painting.scene import Colour

Point = tuple[float, float]
SUPERSAMPLING = 2
RIM = 181
"""The value of Pillow's radial gradient in the middle of its edges; only the corners reach 255."""


def soft_spot(strength: float) -> Image.Image:
    """Return a mask with a round spot that fades out to the edges; `strength` (0..1) is the value in its middle."""
    falloff = [round(max(0.0, 1 - value / RIM) ** 2 * 255 * strength) for value in range(256)]
    return Image.radial_gradient("L").point(falloff)


class Canvas:
    """An RGB image and its palette; (0, 0) is the top left, (1, 1) the bottom right."""

    def __init__(self, size: tuple[int, int], palette: Palette) -> None:
        self.image = Image.new("RGB", size)
        self.palette = palette

    @property
    def width(self) -> int:
        """In pixels."""
        return self.image.width

    @property
    def height(self) -> int:
        """In pixels."""
        return self.image.height

    @property
    def unit(self) -> int:
        """The shorter edge in pixels, the unit of radii."""
        return min(self.image.size)

    def gradient(self, colours: Sequence[Colour], box: tuple[int, int] | None = None) -> Image.Image:
        """Return a vertical gradient through the colours, of the size of the canvas or of `box` (pixels)."""
        strip = Image.new("RGB", (1, len(colours)))
        strip.putdata(list(colours))
        return strip.resize(box or self.image.size, Image.Resampling.BICUBIC)

    def polygon(self, points: Sequence[Point], top: Colour, bottom: Colour | None = None) -> None:
        """Fill a polygon with a vertical gradient from `top` to `bottom`."""
        wide, high = self.width * SUPERSAMPLING, self.height * SUPERSAMPLING
        left, right = min(x for x, _ in points), max(x for x, _ in points)
        upper, lower = min(y for _, y in points), max(y for _, y in points)
        box = (
            max(0, int(left * self.width)),
            max(0, int(upper * self.height)),
            min(self.width, int(right * self.width) + 2),
            min(self.height, int(lower * self.height) + 2),
        )
        size = (box[2] - box[0], box[3] - box[1])
        if size[0] <= 0 or size[1] <= 0:
            return
        mask = Image.new("L", (size[0] * SUPERSAMPLING, size[1] * SUPERSAMPLING))
        shift = (box[0] * SUPERSAMPLING, box[1] * SUPERSAMPLING)
        ImageDraw.Draw(mask).polygon([(x * wide - shift[0], y * high - shift[1]) for x, y in points], fill=255)
        fill = self.gradient((top, bottom or top), size)
        self.image.paste(fill, box[:2], mask.resize(size, Image.Resampling.BOX))

    def disc(self, centre: Point, radius: float, colour: Colour) -> None:
        """Draw a disc; the radius is a fraction of the shorter edge."""
        pixels = max(1, round(radius * self.unit))
        big = Image.new("L", (pixels * 4, pixels * 4))
        ImageDraw.Draw(big).ellipse((0, 0, pixels * 4 - 1, pixels * 4 - 1), fill=255)
        mask = big.resize((pixels * 2, pixels * 2), Image.Resampling.LANCZOS)
        self.image.paste(colour, self._corner(centre, pixels), mask)

    def glow(self, centre: Point, radius: float, colour: Colour, strength: float) -> None:
        """Add light around a point that fades out at the radius (a fraction of the shorter edge)."""
        pixels = max(1, round(radius * self.unit))
        mask = soft_spot(strength).resize((pixels * 2, pixels * 2), Image.Resampling.BICUBIC)
        self.image.paste(colour, self._corner(centre, pixels), mask)

    def _corner(self, centre: Point, pixels: int) -> tuple[int, int]:
        return (round(centre[0] * self.width) - pixels, round(centre[1] * self.height) - pixels)
