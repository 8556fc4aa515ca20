"""The painted images: reproducible, of the right size, about the prompt; previews get sharper with each step."""

import pytest
from PIL import Image, ImageChops, ImageStat

from comfytui.sim.painting import paint, preview
from comfytui.sim.painting.scene import Scene

PROMPTS = (
    *("", "a red fox in snow, 85mm", "cyberpunk city at night", "portrait of a woman", "galaxy and a planet"),
    *("desert dunes", "a blue lake at sunset", "misty forest", "\x1b[31m \U0001f98a 狐"),
)


def _distance(one: Image.Image, other: Image.Image) -> float:
    return sum(ImageStat.Stat(ImageChops.difference(one, other)).mean)


@pytest.mark.parametrize("size", [(64, 64), (16, 2048), (512, 96), (2048, 2048), (1, 1)])
def test_any_size_can_be_painted(size: tuple[int, int]) -> None:
    image = paint(Scene(PROMPTS[1], 1), size)
    assert (image.mode, image.size) == ("RGB", size)


@pytest.mark.parametrize("text", PROMPTS)
def test_no_prompt_gives_a_flat_image(text: str) -> None:
    for seed in range(4):
        image = paint(Scene(text, seed), (96, 64))
        assert max(ImageStat.Stat(image).stddev) > 15
        assert _distance(image, paint(Scene(text, seed), (96, 64))) == 0


def test_seed_batch_index_and_words_change_the_image() -> None:
    base = paint(Scene("a house", 1), (64, 64))
    for other in (Scene("a house", 2), Scene("a house", 1, index=1), Scene("a house by the sea", 1)):
        assert _distance(base, paint(other, (64, 64))) > 10


def test_a_red_fox_is_redder_than_the_snow_around_it() -> None:
    image = paint(Scene("a red fox in snow", 3), (64, 64))
    red, _, blue = ImageStat.Stat(image.crop((24, 32, 40, 48))).mean
    sky_red, _, sky_blue = ImageStat.Stat(image.crop((0, 0, 64, 12))).mean
    assert red - blue > 20 > sky_red - sky_blue


def test_previews_approach_the_image_with_each_step() -> None:
    scene, size = Scene("a red fox in snow", 3), (128, 128)
    distances = [_distance(preview(scene, size, step / 8), paint(scene, size)) for step in range(1, 9)]
    assert distances == sorted(distances, reverse=True)
    assert distances[-1] == 0
