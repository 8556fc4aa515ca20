"""Themes: chosen in the palette, painted on the whole screen, stored."""

from contextlib import nullcontext
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
from textual.color import Color
from textual.theme import BUILTIN_THEMES

from comfytui.ui.app import ComfyApp
from comfytui.ui.options import Options
from comfytui.ui.screens.start import StartScreen
from comfytui.ui.themes import DARK, LIGHT, THEMES, ThemeStore
from comfytui.workflow.builtin import txt2img
from tests.ui.screen import Screen, screen


def painted_on(it: Screen, colour: Color) -> bool:
    """Whether the first line is painted on this colour alone."""
    (strip, *_) = it.app.screen._compositor.render_strips()
    styles = [segment.style for segment in strip]
    return {Color.from_rich_color(style.bgcolor) for style in styles if style and style.bgcolor} == {colour}


async def list_themes(it: Screen) -> None:
    await it.press("ctrl+p", *"theme")
    await it.shows("Change the current theme")
    await it.press("enter")
    await it.shows("Search for themes")


async def test_every_theme_is_in_palette_and_paints_screen() -> None:
    async with screen(None, (120, 40)) as it:
        await list_themes(it)
        every = {*BUILTIN_THEMES, *(theme.name for theme in THEMES)}
        await it.until(lambda: not [theme for theme in every if theme not in it.text], "every theme")
        await it.press("escape")
        for theme in sorted(every):
            it.app.theme = theme
            await it.pilot.pause()
            assert "Enter a server's address." in it.text


async def test_chosen_theme_is_stored(tmp_path: Path) -> None:
    folder = tmp_path / "state"
    async with screen(None, theme=ThemeStore(folder)) as it:
        await it.shows("Enter a server's address.")
        assert painted_on(it, Color.parse(str(DARK.background)))
        assert not folder.exists()
        for theme in (DARK, LIGHT):
            await list_themes(it)
            await it.press(*theme.name)
            await it.shows(f"  {theme.name}")
            await it.press("enter")
            await it.until(lambda: isinstance(it.app.screen, StartScreen), "the end of the palette")
            colour = Color.parse(str(theme.background))
            await it.until(partial(painted_on, it, colour), theme.name)
    assert [(file.name, file.stat().st_mode & 0o777) for file in folder.iterdir()] == [("theme", 0o600)]
    async with screen(None, theme=ThemeStore(folder), fresh=True) as it:
        assert painted_on(it, Color.parse(str(LIGHT.background)))


@pytest.mark.parametrize(
    "kept", [b"", b"no-such-theme", b"comfytui-light comfytui-light", b"\xff\x1b[31m", b"x" * 9_999]
)
def test_unknown_stored_theme_is_ignored(tmp_path: Path, kept: bytes) -> None:
    (tmp_path / "theme").write_bytes(kept)
    options = Options(txt2img(), tmp_path, demo=lambda: nullcontext(""), remember_server=lambda _: None)
    assert ComfyApp(replace(options, theme=ThemeStore(tmp_path))).theme == DARK.name


async def test_unwritable_state_folder_is_ignored(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    async with screen(None, theme=ThemeStore(tmp_path / "file")) as it:
        it.app.theme = LIGHT.name
        await it.until(partial(painted_on, it, Color.parse(str(LIGHT.background))), "the theme")
    assert ThemeStore(tmp_path / "file").read() == ""
