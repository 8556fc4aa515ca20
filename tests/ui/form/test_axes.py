"""Several values of a field, and variations of a prompt: the button tells how many images they make."""

from pathlib import Path

import pytest
from textual.widgets import Select

from comfytui.ui.drafts import DraftFolder
from comfytui.workflow.parameters import parameters_of
from tests.fake_backend import FakeBackend
from tests.ui.screen import screen


@pytest.fixture
def server() -> FakeBackend:
    return FakeBackend()


async def test_button_tells_the_product_and_each_image_its_cell(server: FakeBackend) -> None:
    async with screen(server) as it:
        await it.shows("dreamshaper_8")
        await it.write("images", "2")
        await it.write("steps", "2,3")
        await it.write("cfg", "6..7:0.5")
        await it.shows("Generate 12 (2 × 2 × 3)")
        await it.write("cfg", "7")
        await it.shows("Generate 4 (2 × 2)")
        await it.press("f5")
        await it.until(lambda: len(server.submitted) == 4, "the batch")
        await it.shows("Steps 3 · ")
    parameters = [parameters_of(each["prompt"]) for each in server.submitted]
    assert [each.steps for each in parameters] == [2, 3, 2, 3]
    assert parameters[0].seed == parameters[1].seed != parameters[2].seed


async def test_more_than_fifty_images_are_confirmed_with_their_product(server: FakeBackend) -> None:
    async with screen(server) as it:
        await it.shows("dreamshaper_8")
        await it.generate(images="3", steps="1..20")
        await it.shows("Queue 60 (3 × 20) images?")
        await it.press("n")
        assert not server.submitted


async def test_too_many_images_are_said_at_their_number(server: FakeBackend) -> None:
    async with screen(server) as it:
        await it.shows("dreamshaper_8")
        await it.generate(images="20", steps="1..100")
        await it.shows("! A batch can have at most")
        assert not server.submitted


async def test_comma_in_a_fraction_is_explained(server: FakeBackend) -> None:
    async with screen(server) as it:
        await it.shows("dreamshaper_8")
        await it.write("cfg", "7,5")
        await it.shows("This is 7.5;")


async def test_several_choices_are_an_axis(server: FakeBackend) -> None:
    async with screen(server) as it:
        await it.shows("dreamshaper_8")
        await it.press("escape")
        it.app.screen.query_one("#sampler", Select).focus()
        await it.press(",")
        await it.shows("Several")
        await it.press("down", "space", "enter")
        await it.until(lambda: it.app.screen.query("#sampler"), "the list to close")
        await it.shows("Generate 8 (4 × 2)")


async def test_variations_are_expanded_and_their_template_stays_in_the_form(
    server: FakeBackend, tmp_path: Path
) -> None:
    (tmp_path / "wildcards").mkdir()
    (tmp_path / "wildcards/animal.txt").write_text("fox\nowl\n")
    async with screen(server, prompt_files=tmp_path) as it:
        await it.shows("dreamshaper_8")
        await it.generate("a {red|blue} __animal__", images="12")
        await it.until(lambda: len(server.submitted) == 12, "the batch")
        await it.shows("a {red|blue} __animal__")
    texts = {parameters_of(each["prompt"]).prompt for each in server.submitted}
    assert len(texts) > 1
    assert texts <= {f"a {colour} {animal}" for colour in ("red", "blue") for animal in ("fox", "owl")}


async def test_what_cannot_be_expanded_is_said_at_the_prompt(server: FakeBackend, tmp_path: Path) -> None:
    (tmp_path / "wildcards").mkdir()
    (tmp_path / "wildcards/loop.txt").write_text("__loop__\n")
    async with screen(server, prompt_files=tmp_path) as it:
        await it.shows("dreamshaper_8")
        await it.generate("a __loop__")
        await it.shows("! The wildcard __loop__")
        await it.generate("a <lora:nothing:1>")
        await it.shows("! LoRA 'nothing' is not")
        assert not server.submitted
        await it.generate("a fox", images="1")
        await it.until(lambda: server.submitted, "the batch")
        await it.until(lambda: "! LoRA" not in it.text, "the message to go")


async def test_several_choices_are_there_again_at_the_next_start(server: FakeBackend, tmp_path: Path) -> None:
    drafts = DraftFolder(tmp_path)
    async with screen(server, drafts=drafts) as it:
        await it.shows("dreamshaper_8")
        it.app.screen.query_one("#sampler", Select).focus()
        await it.press(",")
        await it.shows("Several")
        await it.press("down", "space", "enter")
        await it.shows("Generate 8 (4 × 2)")
    async with screen(server, drafts=drafts) as it:
        await it.shows("dreamshaper_8")
        await it.shows("Generate 8 (4 × 2)")
