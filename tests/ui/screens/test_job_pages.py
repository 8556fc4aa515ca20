"""The job screen follows its job and turns to the other images of the batch."""

import re

from comfytui.sim.config import SimConfig
from comfytui.sim.server import SimServer
from tests.fake_backend import FakeBackend
from tests.ui.screen import screen


async def test_job_screen_follows_job_to_its_image() -> None:
    async with SimServer(SimConfig(steps_per_second=20, load_seconds=0)) as sim, screen(sim.url) as it:
        await it.shows("dreamshaper_8")
        await it.generate("a lighthouse", images="2", steps="60", negative="fog")
        await it.shows("Image 1 of 2 - Step")
        await it.press("escape", "end", "enter")
        await it.shows("negative: fog")
        await it.shows("running   Step")
        await it.shows("Image 2 of 2   comfytui_")


async def test_left_and_right_turn_images_of_batch() -> None:
    async with screen(FakeBackend()) as it:
        await it.shows("dreamshaper_8")
        await it.generate(images="3")
        await it.shows("3 of 3 done")
        await it.press("escape", "home", "enter")
        seeds = set()
        for image in (3, 1, 2):
            await it.shows(f"Image {image} of 3   comfytui_0000{image}_.png")
            seeds |= set(re.findall(r"seed (\d+)", it.text))
            await it.press("right")
        await it.press("left", "left")
        await it.shows("Image 1 of 3   comfytui_00001_.png")
        assert len(seeds) == 3
        await it.press("question_mark")
        await it.shows("Keys")
