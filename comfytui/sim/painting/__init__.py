"""The simulated server's images, painted deterministically from the words of a prompt and a seed."""

from functools import lru_cache

from PIL import Image, ImageChops, ImageFilter

from comfytui.sim.painting import landscape, motifs
from comfytui.sim.painting.canvas import Canvas
from comfytui.sim.painting.palette import palette_for
from comfytui.sim.painting.scene import Scene

PAINTED_EDGE = 1024
"""Longest edge that is painted, in pixels; larger images are scaled up."""
PREVIEW_EDGE = 256
"""Longest edge of the small image that all previews of a run are made from, in pixels."""


def paint(scene: Scene, size: tuple[int, int]) -> Image.Image:
    """Paint a scene as an RGB image of `size` (width, height) in pixels."""
    longest = max(size)
    scale = min(1.0, PAINTED_EDGE / longest)
    canvas = Canvas((max(1, round(size[0] * scale)), max(1, round(size[1] * scale))), palette_for(scene))
    landscape.sky(canvas, scene)
    landscape.light(canvas, scene)
    if scene.has(*motifs.SPACE_WORDS):
        motifs.planet(canvas, scene)
    if scene.has(*motifs.CITY_WORDS):
        motifs.skyline(canvas, scene)
    else:
        landscape.ridges(canvas, scene)
    if landscape.has_water(scene):
        landscape.water(canvas, scene)
    motifs.subject(canvas, scene)
    if scene.has(*motifs.SNOW_WORDS):
        motifs.snowfall(canvas, scene)
    return canvas.image.resize(size, Image.Resampling.LANCZOS) if canvas.image.size != size else canvas.image


@lru_cache(maxsize=8)
def _paint_unscaled(scene: Scene, size: tuple[int, int]) -> Image.Image:
    return paint(scene, size)


def preview(scene: Scene, size: tuple[int, int], done: float) -> Image.Image:
    """Return the preview after a share `done` (0..1) of the steps: the image with less and less noise."""
    scale = min(1.0, PREVIEW_EDGE / max(size))
    width, height = max(1, round(size[0] * scale)), max(1, round(size[1] * scale))
    image = _paint_unscaled(scene, (width, height))
    left = 1 - min(1.0, max(0.0, done))
    blurred = image.filter(ImageFilter.GaussianBlur(max(width, height) * 0.14 * left**1.6))
    noise = Image.frombytes("RGB", (width, height), scene.rng(f"noise{done:.3f}").randbytes(width * height * 3))
    grain = Image.blend(blurred, ImageChops.overlay(noise, blurred), 0.95 * left**0.8)
    return Image.blend(grain, noise, 0.55 * left**1.4)
