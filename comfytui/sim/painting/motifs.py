"""Motifs that words of a prompt add to the landscape: a city, a planet, an animal, a figure, snow."""

import math
import random

from PIL import ImageDraw

from comfytui.sim.painting.canvas import Canvas, Point
from comfytui.sim.painting.landscape import SHORE, has_water, light_position
from comfytui.sim.painting.palette import NAMED, mix
from comfytui.sim.painting.scene import Colour, Scene

CITY_WORDS = ("city", "street", "cyberpunk", "tower", "towers", "building", "skyline", "tokyo", "skyscraper", "town")
SPACE_WORDS = ("space", "galaxy", "planet", "nebula", "cosmos", "astronaut", "spaceship", "saturn")
SNOW_WORDS = ("snow", "snowy", "winter", "blizzard", "snowfall")
FIGURE_WORDS = ("portrait", "woman", "man", "girl", "boy", "person", "face", "astronaut", "samurai", "knight", "wizard")
FURS: dict[str, tuple[Colour, Colour]] = {
    "fox": ((224, 104, 36), (150, 56, 22)),
    "wolf": ((132, 142, 156), (72, 82, 98)),
    "cat": ((84, 76, 92), (46, 40, 56)),
    "dog": ((176, 128, 82), (108, 72, 46)),
}
"""Light and shaded colour of an animal's fur."""
WHITE: Colour = (250, 246, 240)
INK: Colour = (28, 22, 26)
FLAKES = 220

HEAD: dict[str, tuple[Point, ...]] = {
    "left ear": ((-0.82, -0.35), (-0.74, -1.12), (-0.22, -0.62)),
    "right ear": ((0.82, -0.35), (0.74, -1.12), (0.22, -0.62)),
    "left inner ear": ((-0.7, -0.5), (-0.67, -0.92), (-0.38, -0.64)),
    "right inner ear": ((0.7, -0.5), (0.67, -0.92), (0.38, -0.64)),
    "left face": ((0.0, -0.66), (-0.5, -0.6), (-0.86, -0.3), (-1.0, 0.16), (-0.46, 0.5), (0.0, 0.94)),
    "right face": ((0.0, -0.66), (0.5, -0.6), (0.86, -0.3), (1.0, 0.16), (0.46, 0.5), (0.0, 0.94)),
    "left cheek": ((-0.98, 0.14), (-0.5, 0.06), (-0.2, 0.4), (0.0, 0.94), (-0.5, 0.56)),
    "right cheek": ((0.98, 0.14), (0.5, 0.06), (0.2, 0.4), (0.0, 0.94), (0.5, 0.56)),
    "left eye": ((-0.52, -0.12), (-0.36, -0.22), (-0.2, -0.02), (-0.38, -0.02)),
    "right eye": ((0.52, -0.12), (0.36, -0.22), (0.2, -0.02), (0.38, -0.02)),
    "nose": ((-0.16, 0.72), (0.16, 0.72), (0.1, 0.86), (0.0, 0.96), (-0.1, 0.86)),
}
"""Polygons of an animal's head, around (0, 0), about two units wide and high."""


SKULL = tuple(
    (0.44 * math.sin(angle / 12 * math.pi), -0.22 - 0.6 * math.cos(angle / 12 * math.pi)) for angle in range(24)
)
"""A head seen from behind."""


def subject(canvas: Canvas, scene: Scene) -> None:
    """Draw the animal or the figure that the prompt names, if any."""
    animal = next((name for name in FURS if scene.has(name, f"{name}s")), None)
    if animal is not None:
        _animal(canvas, scene, FURS[animal])
    elif scene.has(*FIGURE_WORDS):
        _figure(canvas, scene)


def _animal(canvas: Canvas, scene: Scene, fur: tuple[Colour, Colour]) -> None:
    rng = scene.rng("animal")
    size = rng.uniform(0.24, 0.3) * canvas.unit
    centre = (rng.uniform(0.36, 0.64), rng.uniform(0.6, 0.66))
    named = [NAMED[name] for name in sorted(scene.words & NAMED.keys())]
    lit, shade = (mix(fur[0], named[0], 0.25), mix(fur[1], named[0], 0.2)) if named else fur
    chest = ((-1.5, 4.0), (-0.72, 0.5), (0.0, 0.3), (0.72, 0.5), (1.5, 4.0))
    ruff = ((-0.5, 0.5), (0.5, 0.5), (0.3, 1.5), (0.0, 1.9), (-0.3, 1.5))
    _facet(canvas, chest, centre, size, mix(shade, INK, 0.2), mix(shade, INK, 0.55))
    _facet(canvas, ruff, centre, size, mix(WHITE, canvas.palette.far, 0.2), mix(WHITE, canvas.palette.near, 0.55))
    colours = {
        "ear": (mix(lit, INK, 0.15), shade),
        "inner ear": (INK, mix(shade, INK, 0.5)),
        "cheek": (WHITE, mix(WHITE, canvas.palette.far, 0.45)),
        "eye": (INK, INK),
        "nose": (INK, INK),
    }
    sun_is_left = light_position(scene)[0] < centre[0]
    for name, shape in HEAD.items():
        side, _, part = name.rpartition(" ") if " " not in name else name.partition(" ")
        top, bottom = colours.get(part or name, (lit, mix(lit, shade, 0.6)))
        if part == "face" and (side == "left") != sun_is_left:
            top, bottom = mix(lit, shade, 0.55), shade
        _facet(canvas, shape, centre, size, top, bottom)


def _facet(canvas: Canvas, shape: tuple[Point, ...], centre: Point, size: float, top: Colour, bottom: Colour) -> None:
    points = [(centre[0] + x * size / canvas.width, centre[1] + y * size / canvas.height) for x, y in shape]
    canvas.polygon(points, top, bottom)


def _figure(canvas: Canvas, scene: Scene) -> None:
    """Draw a dark bust against the light, with a lit rim on one side."""
    rng = scene.rng("figure")
    centre = (rng.uniform(0.42, 0.58), 0.52)
    size = 0.3 * canvas.unit
    side = -1 if light_position(scene)[0] < centre[0] else 1
    canvas.glow((centre[0], 0.45), 0.6, canvas.palette.light, 0.75)
    for shift, colour in (
        (side * 0.05, mix(canvas.palette.light, canvas.palette.far, 0.3)),
        (0.0, canvas.palette.near),
    ):
        shoulders = ((-1.5, 3.6), (-1.35, 1.1), (-0.95, 0.82), (-0.3, 0.62), (-0.26, 0.2))
        outline = (*shoulders, *((-x, y) for x, y in reversed(shoulders)))
        place = (centre[0] + shift * size / canvas.width, centre[1])
        _facet(canvas, outline, place, size, colour, mix(colour, INK, 0.5))
        _facet(canvas, SKULL, place, size, colour, mix(colour, INK, 0.15))


def skyline(canvas: Canvas, scene: Scene) -> None:
    """Draw three rows of towers with lit windows, from far to near."""
    rng = scene.rng("city")
    ground = SHORE if has_water(scene) else 1.0
    for row in range(3):
        near = row / 2
        colour = mix(canvas.palette.far, canvas.palette.near, 0.2 + 0.8 * near)
        x = -0.05
        while x < 1.0:
            wide = rng.uniform(0.05, 0.1) * (0.8 + 0.5 * near)
            top = rng.uniform(0.24, 0.52) + 0.16 * near
            tower = [(x, ground), (x, top), (x + wide * 0.85, top), (x + wide * 0.85, ground)]
            canvas.polygon(tower, colour, mix(colour, canvas.palette.sky[-1], 0.4 * (1 - near)))
            _windows(canvas, rng, (x, top, x + wide * 0.85, ground), near)
            x += wide
    if ground == 1.0:
        canvas.glow((0.5, 1.0), 0.8, canvas.palette.sky[-1], 0.35)


def _windows(canvas: Canvas, rng: random.Random, box: tuple[float, float, float, float], near: float) -> None:
    draw = ImageDraw.Draw(canvas.image)
    step = 0.016 + 0.012 * near
    warm = mix(canvas.palette.light, (255, 190, 90), 0.5)
    y = box[1] + step
    while y < box[3] - step:
        x = box[0] + step * 0.5
        while x < box[2] - step * 0.5:
            if rng.random() < 0.3:
                left, top = x * canvas.width, y * canvas.height
                glow = mix(warm, canvas.palette.sky[2], rng.random() * 0.7)
                draw.rectangle(
                    (left, top, left + step * 0.4 * canvas.width, top + step * 0.5 * canvas.height), fill=glow
                )
            x += step * 0.8
        y += step * 1.2


def planet(canvas: Canvas, scene: Scene) -> None:
    """Draw a ringed planet and a nebula in the sky."""
    rng = scene.rng("planet")
    for _ in range(5):
        hue = rng.choice([(150, 60, 190), (40, 110, 210), (220, 80, 130), (40, 180, 170)])
        canvas.glow((rng.random(), rng.uniform(0.05, 0.5)), rng.uniform(0.3, 0.7), hue, 0.4)
    centre = (rng.uniform(0.25, 0.75), rng.uniform(0.25, 0.38))
    size = rng.uniform(0.13, 0.2)
    body = rng.choice([(214, 150, 104), (120, 160, 220), (196, 120, 160), (130, 190, 170)])
    canvas.disc(centre, size, body)
    canvas.disc((centre[0] + size * 0.12, centre[1] + size * 0.1), size * 0.88, mix(body, (10, 10, 30), 0.35))
    pixels = size * canvas.unit
    x, y = centre[0] * canvas.width, centre[1] * canvas.height
    draw = ImageDraw.Draw(canvas.image)
    for ring in range(4):
        wide, high = pixels * (1.5 + 0.14 * ring), pixels * (0.34 + 0.045 * ring)
        shine = mix(body, WHITE, 0.5 - 0.1 * ring)
        draw.arc((x - wide, y - high, x + wide, y + high), -22, 202, fill=shine, width=max(1, round(pixels * 0.05)))


def snowfall(canvas: Canvas, scene: Scene) -> None:
    """Draw snowflakes over the whole image."""
    rng = scene.rng("snow")
    draw = ImageDraw.Draw(canvas.image)
    for _ in range(FLAKES):
        x, y = rng.random() * canvas.width, rng.random() * canvas.height
        radius = canvas.unit * 0.004 * rng.uniform(0.4, 1.6)
        draw.ellipse(
            (x - radius, y - radius, x + radius, y + radius),
            fill=mix(WHITE, canvas.palette.sky[-1], rng.random() * 0.4),
        )
