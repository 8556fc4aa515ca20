"""The landscape of every image: sky, light, ridges and water."""

import math
import random

from PIL import Image, ImageDraw

from comfytui.sim.painting.canvas import Canvas, Point, soft_spot
from comfytui.sim.painting.palette import mix
from comfytui.sim.painting.scene import Scene

WATER_WORDS = (
    "sea",
    "ocean",
    "lake",
    "river",
    "water",
    "beach",
    "boat",
    "ship",
    "island",
    "coast",
    "reflection",
    "pond",
)
FOREST_WORDS = ("forest", "tree", "trees", "pine", "pines", "wood", "woods", "jungle", "fox", "wolf", "deer", "cabin")
DUNE_WORDS = ("desert", "dune", "dunes", "sand", "savanna", "wheat", "field")
RIDGES = 5
RIDGE_POINTS = 160
HORIZON = 0.5
"""Height of the farthest ridge, from the top."""
SHORE = 0.7
"""Height of the shore, from the top."""
STARS = 160
WATER_STRIPS = 60


def has_water(scene: Scene) -> bool:
    """Return whether the lower part of the scene is water."""
    return scene.has(*WATER_WORDS) or (not scene.has(*FOREST_WORDS, *DUNE_WORDS) and scene.rng("water").random() < 0.3)


def sky(canvas: Canvas, scene: Scene) -> None:
    """Fill the canvas with the sky, its stars and its clouds."""
    band = max(1, round(canvas.height * 0.75))
    canvas.image.paste(canvas.gradient((canvas.palette.sky[-1],)))
    canvas.image.paste(canvas.gradient(canvas.palette.sky, (canvas.width, band)))
    rng = scene.rng("sky")
    if canvas.palette.stars:
        _stars(canvas, rng)
    for _ in range(rng.randint(2, 6)):
        centre = (rng.random(), rng.uniform(0.1, 0.5))
        _cloud(canvas, centre, rng.uniform(0.2, 0.6), rng.uniform(0.1, 0.3))


def _stars(canvas: Canvas, rng: random.Random) -> None:
    draw = ImageDraw.Draw(canvas.image)
    size = max(0, canvas.unit // 400)
    for _ in range(STARS):
        x, y = rng.random() * canvas.width, rng.random() ** 1.5 * canvas.height * 0.55
        shine = mix(canvas.palette.sky[0], (255, 255, 255), rng.uniform(0.25, 1.0))
        draw.ellipse((x, y, x + size, y + size), fill=shine)


def _cloud(canvas: Canvas, centre: Point, length: float, strength: float) -> None:
    """Draw a long soft streak in the colour of the light."""
    wide = max(2, round(length * canvas.width * 2))
    high = max(2, round(canvas.height * 0.09))
    corner = (round(centre[0] * canvas.width) - wide // 2, round(centre[1] * canvas.height))
    canvas.image.paste(canvas.palette.light, corner, soft_spot(strength).resize((wide, high), Image.Resampling.BICUBIC))


def light(canvas: Canvas, scene: Scene) -> None:
    """Draw the sun or the moon with its glow."""
    centre = light_position(scene)
    size = scene.rng("light-size").uniform(0.05, 0.11)
    canvas.glow(centre, 0.9, canvas.palette.light, 0.5)
    canvas.glow(centre, size * 3, canvas.palette.light, 0.8)
    canvas.disc(centre, size, mix(canvas.palette.light, (255, 255, 255), 0.4))


def light_position(scene: Scene) -> Point:
    """Return the position of the sun or the moon."""
    rng = scene.rng("light")
    return (rng.uniform(0.22, 0.78), rng.uniform(0.16, 0.42))


def ridges(canvas: Canvas, scene: Scene) -> None:
    """Draw the land from far to near, each ridge darker, with haze in the valleys."""
    rng = scene.rng("ridges")
    last = SHORE if has_water(scene) else 0.97
    smooth = scene.has(*DUNE_WORDS)
    wooded = scene.has(*FOREST_WORDS) or (not smooth and rng.random() < 0.35)
    haze = canvas.palette.sky[-1]
    for layer in range(RIDGES):
        near = layer / (RIDGES - 1)
        base = HORIZON + (last - 0.1 - HORIZON) * near
        height = (0.2 if not smooth else 0.09) * (1 - 0.5 * near)
        line = _ridge_line(rng, base, height, rough=not smooth)
        colour = mix(canvas.palette.far, canvas.palette.near, near**1.2)
        if wooded and near > 0.4:
            line = _with_trees(line, rng, 0.03 + 0.05 * near, canvas.width / canvas.height)
        canvas.polygon([*line, (1.0, 1.0), (0.0, 1.0)], colour, mix(colour, haze, 0.45 * (1 - near)))


def _ridge_line(rng: random.Random, base: float, height: float, *, rough: bool) -> list[Point]:
    """Return the points of a ridge from left to right: a few long waves plus peaks of halving size."""
    waves = [(rng.uniform(0.6, 2.4) * 2**n, rng.random() * math.tau, 0.6**n) for n in range(6 if rough else 2)]
    points = []
    for index in range(RIDGE_POINTS + 1):
        x = index / RIDGE_POINTS
        if rough:
            lift = sum((1 - abs(math.sin(freq * x * math.pi + phase))) * size for freq, phase, size in waves) / 2
        else:
            lift = sum((1 + math.sin(freq * x * math.tau / 2 + phase)) / 2 * size for freq, phase, size in waves)
        points.append((x, base - height * lift + height * 0.5))
    return points


def _with_trees(line: list[Point], rng: random.Random, size: float, aspect: float) -> list[Point]:
    """Add conifers to a ridge."""
    points: list[Point] = []
    for x, y in line[:-1]:
        tall = size * rng.uniform(0.35, 1.0)
        wide = tall * 0.2 / aspect
        points += [(x, y), (x + wide * 0.4, y - tall * 0.3), (x + wide * 0.25, y - tall * 0.35)]
        points += [(x + wide * 0.6, y - tall), (x + wide * 0.95, y - tall * 0.35), (x + wide * 0.8, y - tall * 0.3)]
        points.append((x + wide * 1.2, y))
    return [*sorted(points, key=lambda point: point[0]), line[-1]]


def water(canvas: Canvas, scene: Scene) -> None:
    """Mirror the land in water with slow ripples, and let the light glitter on it."""
    top = round(canvas.height * SHORE)
    depth = canvas.height - top
    if depth < 2:
        return
    mirrored = canvas.image.crop((0, max(0, top - depth * 2), canvas.width, top))
    mirrored = mirrored.transpose(Image.Transpose.FLIP_TOP_BOTTOM).resize((canvas.width, depth))
    tint = canvas.gradient((canvas.palette.sky[-1], canvas.palette.sky[0], canvas.palette.near), (canvas.width, depth))
    surface = Image.blend(mirrored, tint, 0.38)
    phase = scene.rng("ripples").random() * math.tau
    strip = max(1, depth // WATER_STRIPS)
    for y in range(0, depth, strip):
        near = y / depth
        sway = round(math.sin(near * 40 + phase) * canvas.width * (0.002 + 0.012 * near))
        row = surface.crop((0, y, canvas.width, min(depth, y + strip)))
        canvas.image.paste(row, (sway, top + y))
        edge = 0 if sway > 0 else canvas.width + sway
        if sway:
            canvas.image.paste(
                row.crop(
                    (
                        0 if sway > 0 else canvas.width - abs(sway),
                        0,
                        abs(sway) if sway > 0 else canvas.width,
                        row.height,
                    )
                ),
                (edge, top + y),
            )
    _glitter(canvas, scene, top, depth)


def _glitter(canvas: Canvas, scene: Scene, top: int, depth: int) -> None:
    draw = ImageDraw.Draw(canvas.image)
    rng = scene.rng("glitter")
    centre = light_position(scene)[0] * canvas.width
    for _ in range(90):
        near = rng.random() ** 1.3
        y = top + near * depth
        x = centre + rng.gauss(0, 0.02 + 0.07 * near) * canvas.width
        length = canvas.width * (0.004 + 0.03 * near) * rng.uniform(0.3, 1.0)
        thickness = max(1, round(canvas.height * 0.003 * (0.4 + near)))
        draw.line(
            (x - length, y, x + length, y),
            fill=mix(canvas.palette.light, canvas.palette.sky[-1], rng.random() * 0.5),
            width=thickness,
        )
