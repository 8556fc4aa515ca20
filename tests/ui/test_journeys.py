"""What users do from the first key to the image, by keyboard alone, with a server on real sockets."""

from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from textual.events import Paste
from textual.widgets import Input

from comfytui.sim.config import SimConfig
from comfytui.sim.server import SimServer
from comfytui.ui.screens.picker import PickerScreen
from tests.ui.screen import Screen, screen

QUICK = SimConfig(steps_per_second=0, load_seconds=0)
BOTH_SIZES = pytest.mark.parametrize("size", [(80, 24), (120, 40)])


def keys(text: str) -> list[str]:
    return ["space" if letter == " " else letter for letter in text]


def nodes(sent: dict[str, Any], class_type: str) -> list[dict[str, Any]]:
    """The inputs of the nodes of a class in a prompt that the server got."""
    return [each["inputs"] for each in sent["prompt"].values() if each["class_type"] == class_type]


def inputs_of(sent: dict[str, Any]) -> dict[str, Any]:
    """The inputs of all nodes of a prompt, by the nodes."""
    return {node_id: each["inputs"] for node_id, each in sent["prompt"].items()}


def text_in(it: Screen, field: str) -> str:
    return it.app.screen.query_one(f"#{field}", Input).value


async def shows_done(it: Screen, count: int) -> None:
    """Wait until so many jobs have ended well; one that is made again may come from the server's cache."""
    await it.until(lambda: sum(it.text.count(f"{mark} mine") for mark in "✓≡") == count, f"{count} jobs to be done")


async def open_template(it: Screen, title: str) -> None:
    await it.shows("live")
    await it.press("ctrl+o")
    await it.shows("Templates 7")
    await it.press(*keys(title.lower()))
    await it.shows(title)
    await it.press("enter")
    await it.until(lambda: not isinstance(it.app.screen, PickerScreen), "the dashboard")
    await it.shows(f"2/2 · {title}"[:30])
    await it.shows("Generate  F5")


async def find_input(it: Screen, words: str) -> None:
    """Go to the first input with these words."""
    await it.press("ctrl+f", *keys(words), "enter")


@BOTH_SIZES
async def test_a_lora_of_a_template_is_switched_off_and_another_one_weakened(size: tuple[int, int]) -> None:
    async with SimServer(QUICK) as sim, screen(sim.url, size) as it:
        await open_template(it, "Text to image with LoRAs")
        await it.until(lambda: "│ Prompt " in it.text, "the first label of the form")
        await find_input(it, "lora")
        await it.shows("[x] pixel-art-xl")
        await it.press("space")
        await it.shows("[ ] pixel-art-xl")
        await it.shows("Was on (ctrl+r).")
        await it.press("down", "right", "right", *["minus"] * 2)
        await it.shows("•[x] detail_tweak")
        await it.press("f5")
        await it.shows("4 of 4 done")
        for sent in sim.submitted:
            (lora,) = nodes(sent, "LoraLoader")
            assert lora["lora_name"] == "detail_tweaker_xl.safetensors"
            assert lora["strength_model"] == pytest.approx(0.48)


@BOTH_SIZES
async def test_a_lora_is_changed_a_picture_uploaded_and_the_best_of_six_variations_made_again(
    size: tuple[int, int], tmp_path: Path
) -> None:
    picture = tmp_path / "my fox.png"
    Image.new("RGB", (64, 64), "orange").save(picture)
    async with SimServer(QUICK) as sim, screen(sim.url, size) as it:
        await open_template(it, "Image to image")
        await find_input(it, "lora")
        await it.shows("[x] styles/water")
        await it.press("right", "right", *["minus"] * 2)
        await find_input(it, "image")
        await it.shows("example.png")
        it.app.post_message(Paste(f"'{picture}'"))
        await it.shows("my fox.png")
        await it.until(lambda: "Uploading" not in it.text, "the end of the upload")
        await it.write("steps", "2,3,4")
        await it.write("images", "2")
        await it.shows("Generate 6 (2 × 3)")
        await it.press("f5")
        await shows_done(it, 6)
        assert sorted(nodes(sent, "KSampler")[0]["steps"] for sent in sim.submitted) == [2, 2, 3, 3, 4, 4]
        assert {nodes(sent, "LoadImage")[0]["image"] for sent in sim.submitted} == {"my fox.png"}
        for sent in sim.submitted:
            assert nodes(sent, "LoraLoader")[0]["strength_model"] == pytest.approx(0.68)

        # The third from above is the best one.
        await it.press("escape", "home", "down", "down", "e")
        await it.shows("fixed")  # The seed is that of the job.
        assert text_in(it, "images") == "1"
        shown = {"seed": int(text_in(it, "seed")), "steps": int(text_in(it, "steps"))}
        best = next(sent for sent in sim.submitted if shown.items() <= nodes(sent, "KSampler")[0].items())
        await it.press("f5")
        await shows_done(it, 7)
        assert inputs_of(sim.submitted[6]) == inputs_of(best)

        await it.press("escape", "home", "r")
        await shows_done(it, 8)
        assert inputs_of(sim.submitted[7]) == inputs_of(best)
        await it.press("home", "R")
        await shows_done(it, 9)
        again, before = (nodes(sim.submitted[index], "KSampler")[0] for index in (8, 7))
        assert again["seed"] != before["seed"]
        assert {**again, "seed": 0} == {**before, "seed": 0}
