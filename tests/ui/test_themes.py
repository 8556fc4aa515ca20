"""Every theme stands in the palette, can be chosen there, and paints the whole screen in its colours."""

from functools import partial

from textual.color import Color
from textual.theme import BUILTIN_THEMES

from comfytui.ui.themes import DARK, LIGHT, THEMES
from tests.ui.screen import Screen, screen


def painted_on(it: Screen, colour: Color) -> bool:
    """Whether the first line is painted on this colour alone."""
    (strip, *_) = it.app.screen._compositor.render_strips()
    styles = [segment.style for segment in strip]
    return {Color.from_rich_color(style.bgcolor) for style in styles if style and style.bgcolor} == {colour}


async def list_themes(it: Screen) -> None:
    await it.press("ctrl+p", *"theme", "enter")
    await it.shows("Search for themes")


async def test_every_theme_stands_in_the_palette_and_paints_the_screen() -> None:
    async with screen(None, (120, 40)) as it:
        await list_themes(it)
        every = {*BUILTIN_THEMES, *(theme.name for theme in THEMES)}
        await it.until(lambda: not [theme for theme in every if theme not in it.text], "every theme")
        await it.press("escape")
        for theme in sorted(every):
            it.app.theme = theme
            await it.pilot.pause()
            assert "Enter the address of yours." in it.text


async def test_a_theme_is_chosen_by_keys_and_changes_the_colours() -> None:
    async with screen(None) as it:
        await it.shows("Enter the address of yours.")
        assert painted_on(it, Color.parse(str(DARK.background)))
        for theme in (LIGHT, DARK):
            await list_themes(it)
            await it.press(*theme.name)
            await it.shows(f"  {theme.name}")
            await it.press("enter")
            colour = Color.parse(str(theme.background))
            await it.until(partial(painted_on, it, colour), theme.name)
