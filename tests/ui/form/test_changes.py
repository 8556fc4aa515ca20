"""Fields that differ from the workflow's file are marked, and ctrl+r puts the one with the focus back."""

import pytest
from textual.widgets import Input, Select, TextArea

from comfytui.ui.form.controls import Choice
from tests.fake_backend import FakeBackend
from tests.ui.screen import Screen, screen


def content(it: Screen, field: str) -> str:
    control = it.app.screen.query_one(f"#{field}")
    assert isinstance(control, Input | Select | TextArea)
    return control.text if isinstance(control, TextArea) else str(control.value)


@pytest.mark.parametrize(
    ("field", "label", "typed", "shown"),
    [
        ("steps", "Steps", "7", "Steps    •"),
        ("height", "Size", "64", "Size     •"),
        ("prompt", "Prompt", "a fox", "Prompt •"),
        ("cfg", "CFG", "high", "CFG      •"),
        ("steps", "Steps", "20, 30", "Steps    •"),
    ],
)
async def test_field_is_marked_and_put_back(field: str, label: str, typed: str, shown: str) -> None:
    async with screen(FakeBackend()) as it:
        await it.shows("dreamshaper_8")
        assert "•" not in it.text.replace("● live", "")
        before = content(it, field)
        await it.write(field, typed.replace(" ", ""))
        if " " in typed and field != "prompt":
            await it.write(field, "20,30")
        await it.shows(shown)
        await it.press("ctrl+r")
        await it.until(lambda: content(it, field) == before, "the value of the file")
        await it.until(lambda: shown not in it.text, "the mark to go")
        assert label in it.text


async def test_choice_is_put_back() -> None:
    async with screen(FakeBackend()) as it:
        await it.shows("dreamshaper_8")
        sampler = it.app.screen.query_one("#sampler", Choice)
        sampler.focus()
        sampler.value = "heun"
        await it.shows("Sampler  •")
        await it.press("ctrl+r")
        await it.until(lambda: content(it, "sampler") == "euler", "the sampler of the file")


async def test_seeds_that_are_drawn_are_not_marked() -> None:
    server = FakeBackend()
    async with screen(server) as it:
        await it.shows("dreamshaper_8")
        await it.generate(images="1")
        await it.until(lambda: server.submitted, "the prompt")
        await it.until(lambda: content(it, "seed") != "0", "the seed that was drawn")
        assert "         •" not in it.text
        await it.write("seed", "5")
        await it.shows("         •")


async def test_key_reconnects_where_nothing_differs() -> None:
    async with screen(FakeBackend()) as it:
        await it.shows("dreamshaper_8")
        it.app.screen.query_one("#steps").focus()
        form = it.app.screen.query_one("PromptForm")
        assert not form.check_action("put_back", ())
        await it.write("steps", "7")
        assert form.check_action("put_back", ())
