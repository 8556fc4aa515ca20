"""The colours of a scene: a mood chosen by words or seed, tinted with the colours that the prompt names."""

from dataclasses import dataclass, replace

from comfytui.sim.painting.scene import Colour, Scene


@dataclass(frozen=True, slots=True)
class Palette:
    """Colours of the sky from top to horizon, of the sun or moon, and of the land from far to near."""

    sky: tuple[Colour, ...]
    light: Colour
    far: Colour
    near: Colour
    stars: bool = False


MOODS: dict[str, Palette] = {
    "dawn": Palette(
        ((46, 58, 112), (132, 104, 158), (238, 152, 142), (255, 208, 160)),
        (255, 236, 200),
        (168, 122, 150),
        (44, 34, 66),
    ),
    "day": Palette(
        ((48, 118, 196), (104, 168, 222), (178, 214, 234), (232, 238, 226)),
        (255, 250, 226),
        (142, 176, 196),
        (30, 70, 74),
    ),
    "sunset": Palette(
        ((38, 26, 74), (122, 42, 96), (226, 86, 72), (255, 186, 92)), (255, 228, 160), (150, 66, 92), (28, 14, 40)
    ),
    "night": Palette(
        ((6, 10, 30), (14, 26, 62), (32, 54, 104), (70, 96, 142)),
        (238, 240, 232),
        (44, 64, 108),
        (6, 10, 24),
        stars=True,
    ),
    "mist": Palette(
        ((96, 116, 132), (142, 160, 170), (190, 202, 204), (224, 228, 222)),
        (250, 246, 232),
        (164, 180, 186),
        (44, 62, 70),
    ),
    "aurora": Palette(
        ((4, 12, 34), (8, 48, 72), (24, 120, 112), (104, 196, 150)),
        (222, 250, 236),
        (26, 74, 92),
        (4, 12, 26),
        stars=True,
    ),
    "neon": Palette(
        ((14, 6, 40), (58, 16, 96), (164, 32, 132), (255, 106, 152)),
        (255, 216, 120),
        (72, 28, 118),
        (10, 6, 28),
        stars=True,
    ),
    "golden": Palette(
        ((92, 120, 140), (198, 170, 124), (244, 196, 112), (255, 226, 156)),
        (255, 246, 208),
        (206, 148, 92),
        (92, 44, 30),
    ),
    "frost": Palette(
        ((76, 116, 170), (134, 172, 210), (196, 218, 234), (244, 240, 238)),
        (255, 248, 232),
        (176, 200, 222),
        (86, 118, 156),
    ),
}
MOOD_WORDS: dict[str, tuple[str, ...]] = {
    "neon": ("cyberpunk", "neon", "synthwave", "vaporwave", "retro"),
    "aurora": ("aurora", "northern", "magic", "fantasy", "fairy"),
    "night": ("night", "moon", "moonlight", "midnight", "dark", "space", "galaxy", "stars", "planet", "nebula"),
    "frost": ("snow", "snowy", "winter", "ice", "frozen", "frost", "arctic"),
    "sunset": ("sunset", "dusk", "evening", "fire", "lava", "volcano"),
    "dawn": ("dawn", "sunrise", "morning", "spring", "blossom"),
    "golden": ("desert", "dune", "dunes", "sand", "autumn", "golden", "gold", "wheat", "savanna"),
    "mist": ("mist", "fog", "foggy", "misty", "rain", "rainy", "storm", "clouds"),
    "day": ("day", "sunny", "summer", "noon", "meadow", "beach"),
}
BY_SEED = ("dawn", "sunset", "day", "night", "mist", "aurora", "golden")
NAMED: dict[str, Colour] = {
    "red": (210, 48, 44),
    "crimson": (170, 20, 50),
    "orange": (244, 130, 40),
    "yellow": (250, 210, 70),
    "green": (50, 150, 84),
    "emerald": (16, 140, 100),
    "teal": (20, 150, 150),
    "cyan": (60, 200, 220),
    "blue": (40, 96, 210),
    "purple": (120, 60, 180),
    "violet": (140, 80, 210),
    "pink": (246, 130, 180),
    "brown": (120, 76, 48),
}
TINT = 0.3
"""Share of a named colour in the land and at the sky's horizon."""


def mix(one: Colour, other: Colour, share: float) -> Colour:
    """Return `one` mixed with a share (0..1) of `other`."""
    red, green, blue = (round(a + (b - a) * share) for a, b in zip(one, other, strict=True))
    return (red, green, blue)


def palette_for(scene: Scene) -> Palette:
    """Return the colours of a scene."""
    mood = next((name for name, words in MOOD_WORDS.items() if scene.has(*words)), None)
    palette = MOODS[mood or scene.rng("mood").choice(BY_SEED)]
    tints = [colour for name, colour in sorted(NAMED.items()) if name in scene.words]
    if not tints or scene.has("fox", "cat", "wolf"):  # the colour is the animal's
        return palette
    tint = scene.rng("tint").choice(tints)
    sky = tuple(mix(colour, tint, TINT * place / len(palette.sky)) for place, colour in enumerate(palette.sky, start=1))
    return replace(palette, sky=sky, far=mix(palette.far, tint, TINT), near=mix(palette.near, tint, TINT / 2))
