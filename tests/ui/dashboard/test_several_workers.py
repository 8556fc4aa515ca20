"""A server that runs several of my prompts at once: *Now* shows one and counts the others, the queue shows each."""

import re

from comfytui.sim.config import SimConfig
from comfytui.sim.server import SimServer
from comfytui.workflow.graph import Workflow, workflow_of
from tests.sim.graphs import text_to_image
from tests.ui.screen import Screen, screen

THREE = SimConfig(steps_per_second=20, load_seconds=0, workers=3)
ENDLESS = 10_000


def small(steps: int) -> Workflow:
    return workflow_of("small", text_to_image(steps=steps))


def shown_image(it: Screen) -> str:
    """The image that *Now* shows."""
    found = re.search(r"Image (\d) of 4", it.text)
    return found[1] if found else ""


def counted(it: Screen) -> str:
    """What *Now* says of the other runs."""
    found = re.search(r"\+\d+ running", it.text)
    return found[0] if found else ""


def rows(it: Screen) -> list[tuple[str, str]]:
    """Position and progress of each running row that shows it."""
    return re.findall(r"(\d of 4) +running +(\d+%)", it.text)


async def test_now_shows_one_of_several_runs_and_how_many_others_there_are() -> None:
    async with SimServer(THREE) as sim, screen(sim.url, workflow=small(ENDLESS)) as it:
        await it.shows("live")
        await it.generate(images="4")
        await it.shows("+2 running")
        assert shown_image(it) == "1"
        await it.until(lambda: len(rows(it)) == 3, "the progress of each row")
        await it.press("escape", "home", "down", "down", "enter")
        await it.until(lambda: re.search(r"Image 3 of 4\s+running   Step \d+/10000", it.text), "the third by itself")
        await it.press("escape")
        await it.shows("+2 running")


async def test_nothing_is_counted_when_all_have_ended() -> None:
    async with SimServer(THREE) as sim, screen(sim.url, workflow=small(2)) as it:
        await it.shows("live")
        await it.generate(images="4")
        await it.shows("4 of 4 done")
        assert not counted(it)


async def test_now_stays_with_its_image_while_another_one_ends() -> None:
    async with (
        SimServer(THREE) as sim,
        screen(sim.url, workflow=small(ENDLESS)) as it,
    ):
        await it.shows("live")
        await it.generate(images="4")
        await it.shows("+2 running")
        first, second = (body["prompt_id"] for body in sim.submitted[:2])
        sim.machine.interrupted.add(second)
        await it.shows("interrupted")
        await it.shows("+2 running")  # the fourth has taken its place
        assert shown_image(it) == "1"
        sim.machine.interrupted.add(first)
        await it.shows("Image 3 of 4 - Step")
        await it.shows("+1 running")


async def test_on_a_small_screen_the_others_are_counted_too() -> None:
    async with (
        SimServer(THREE) as sim,
        screen(sim.url, (80, 24), workflow=small(ENDLESS)) as it,
    ):
        await it.shows("live")
        await it.generate(images="4")
        await it.shows("+2 running")
        assert shown_image(it) == "1"


async def test_one_run_is_counted_by_nobody() -> None:
    async with (
        SimServer(SimConfig(steps_per_second=20, load_seconds=0)) as sim,
        screen(sim.url, workflow=small(ENDLESS)) as it,
    ):
        await it.shows("live")
        await it.generate(images="4")
        await it.shows("Image 1 of 4 - Step")
        assert " running" in it.text
        assert not counted(it)
        assert rows(it) == []
