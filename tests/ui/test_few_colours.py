"""On terminals of few colours or none, and with the terminal's own colours, fields can still be told apart."""

from collections.abc import Mapping

import pytest
from textual.widgets import Input, Select

from comfytui.sim.config import SimConfig
from tests.fake_backend import FakeBackend
from tests.ui.screen import Screen, screen

FEW = {"TERM": "linux", "COLORTERM": ""}


YELLOW, GREEN = 3, 2
"""The terminal's own colours by their numbers."""


def colour_of(it: Screen, text: str) -> int | None:
    """The number of the terminal's own colour in which a text is painted, None for any other colour."""
    strips = it.app.screen._compositor.render_strips()
    segments = [segment for strip in strips for segment in strip if text in segment.text]
    return next(each.style.color.number for each in segments if each.style and each.style.color)


@pytest.mark.parametrize(
    ("environment", "ascii_only", "edges"),
    [
        (FEW, False, {"": "│", "comfytui-dark": "│"}),
        ({"NO_COLOR": "1"}, False, {"": "│"}),
        ({}, True, {"": "|"}),
        ({}, False, {"": " ", "ansi-dark": "│", "ansi-light": "│", "comfytui-light": " "}),
    ],
    ids=["few", "none", "ascii", "all"],
)
async def test_fields_have_edges_where_their_background_may_not_show(
    monkeypatch: pytest.MonkeyPatch, environment: Mapping[str, str], ascii_only: bool, edges: Mapping[str, str]
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    async with screen(FakeBackend(), size=(80, 24), ascii=ascii_only) as it:
        await it.shows("live")
        await it.press("escape", "n")
        for theme, edge in edges.items():
            it.app.theme = theme or it.app.theme
            await it.shows(f"Steps     {edge}20")
            await it.shows(f"Sampler   {edge}euler")
            # All of the form is there, in 24 lines.
            await it.shows(f"Images    {edge}4")
            await it.shows("Generate  F5")


async def test_sixteen_colours_are_used_where_there_are_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in FEW.items():
        monkeypatch.setenv(name, value)
    async with screen(FakeBackend()) as it:
        await it.shows("● live")
        assert (colour_of(it, "comfytui"), colour_of(it, "● live")) == (YELLOW, GREEN)
        it.app.screen.query_one("#sampler", Select).focus()
        await it.press("enter")
        await it.shows("║heun")


async def test_a_drop_down_stands_right_below_its_field_and_no_key_is_offered_that_it_takes() -> None:
    many = SimConfig(checkpoints=("alpha.safetensors", "beta.safetensors"))
    async with screen(FakeBackend(config=many)) as it:
        await it.shows("alpha")
        it.app.screen.query_one("#model", Select).focus()
        await it.press("enter")
        await it.shows("beta")
        field, first, second = [line for line in it.text.split("\n") if "alpha" in line or "beta" in line]
        assert field.index("alpha") == first.index("alpha") == second.index("beta")
        await it.until(lambda: "/ Filter" not in it.text, "the drop-down to take the slash")
        await it.press("escape")
        await it.until(lambda: "beta" not in it.text, "the end of the drop-down")
        assert "/ Filter" not in it.text
        await it.press("escape")
        await it.shows("/ Filter")
        it.app.screen.query_one("#steps", Input).focus()
        await it.until(lambda: "/ Filter" not in it.text, "a field to take the slash")
