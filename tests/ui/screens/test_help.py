"""The help, which opens from everywhere and is not covered by messages, and the ways to quit."""

import pytest
from textual.widgets import TextArea

from comfytui.ui.screens.confirm import ConfirmScreen
from comfytui.ui.screens.help import COMMANDS_TITLE, HelpScreen
from tests.fake_backend import FakeBackend
from tests.sim.graphs import text_to_image
from tests.ui.screen import Screen, screen

SMALL = (80, 24)
COMMAND = "Cancel the selected job"


@pytest.fixture
def server() -> FakeBackend:
    return FakeBackend()


async def help_comes_and_goes(it: Screen, text: str, *, leave: str = "f1", without: str = "nothing else") -> None:
    """Ask for help, find the keys of this place in it and no others, and be back where one was."""
    place, focused = it.app.screen, it.app.focused
    await it.press("f1")
    await it.until(lambda: isinstance(it.app.screen, HelpScreen), "the help")
    await it.shows(text)
    assert without not in it.text
    await it.press(leave)
    await it.until(lambda: it.app.screen is place and it.app.focused is focused, "the place before")


@pytest.mark.parametrize("size", [SMALL, (120, 40)], ids=["80x24", "120x40"])
async def test_f1_opens_help_from_text_field(server: FakeBackend, size: tuple[int, int]) -> None:
    async with screen(server, size) as it:
        await it.shows("live")
        keys = ["F5 Generate", "ctrl+o Open", "F1 Help", "esc Commands"]
        await it.until(lambda: [key.strip() for key in it.text.splitlines()[-1].split("  ")] == keys, "the footer")
        await it.press(*"fox")
        await help_comes_and_goes(it, "next field")
        await it.press(*"es")
        assert it.app.screen.query_one("#prompt", TextArea).text == "foxes"
        await it.press("escape")
        await it.shows("? Help")
        assert "F1" not in it.text
        await help_comes_and_goes(it, "next field", leave="escape")


async def test_help_names_the_keys_of_the_prompt_only_among_those_of_the_form(server: FakeBackend) -> None:
    async with screen(server, (120, 60)) as it:
        await it.shows("live")
        await it.press("f1")
        await it.shows(COMMAND)
        form, commands = it.text.split(COMMANDS_TITLE)
        assert "weight of the word or parenthesis" in form
        assert "eight" not in commands


async def test_f1_opens_help_from_job_screen_dialog_and_palette(server: FakeBackend) -> None:
    async with screen(server, SMALL) as it:
        server.add_job(text_to_image())
        await it.press("escape")
        await it.shows("done")
        await it.press("enter")
        await it.shows("seed 1")
        await help_comes_and_goes(it, "Save all", without=COMMAND)
        await it.press("escape")
        it.app.push_screen(ConfirmScreen("Really?"))
        await it.shows("Really?")
        await help_comes_and_goes(it, "y  ", without=COMMAND)
        assert isinstance(it.app.screen, ConfirmScreen)
        await it.press("n", "ctrl+p")
        await it.shows("Search for commands")
        await help_comes_and_goes(it, "next field")
        await it.press("escape", "enter")
        await it.shows("seed 1")
        await it.press("ctrl+p")
        await it.shows("Search for commands")
        await help_comes_and_goes(it, "Save all", without=COMMAND)


async def test_f1_opens_help_from_start_screen() -> None:
    async with screen(None, SMALL) as it:
        await it.shows("F1 Help")
        await help_comes_and_goes(it, "Open a simulated server on this machine", without=COMMAND)
        await it.press("ctrl+p", *"help")
        await it.shows("Show all keys")
        await it.press("enter")
        await it.until(lambda: isinstance(it.app.screen, HelpScreen), "the help")


async def test_messages_are_deferred_until_help_closes(server: FakeBackend) -> None:
    async with screen(server) as it:
        await it.shows("live")
        it.app.notify("an early message")
        await it.shows("an early message")
        await it.press("f1")
        await it.shows("next field")
        it.app.notify("a late message", timeout=60)
        await it.until(lambda: "an early message" not in it.text, "the early message to make way")
        assert "a late message" not in it.text
        await it.press("escape")
        await it.shows("a late message")


@pytest.mark.parametrize("word", ["quit", "exit", "detach"])
async def test_palette_quits(server: FakeBackend, word: str) -> None:
    async with screen(server) as it:
        await it.shows("dreamshaper_8")
        server.go_down()
        await it.generate(images="2")
        await it.shows("not sent")
        await it.press("ctrl+p", *word)
        await it.shows("Close comfytui")
        await it.press("enter")
        await it.shows("2 of your images")
        await it.press("y")
        await it.until(lambda: it.app.return_code == 0, "the end")


async def test_ctrl_c_shows_how_to_quit(server: FakeBackend) -> None:
    async with screen(server) as it:
        await it.shows("live")
        await it.press("ctrl+c")
        await it.shows("esc, then q detaches; jobs go on")
        it.app.clear_notifications()
        await it.press("escape", "ctrl+c")
        await it.shows(" q detaches; jobs go on")
    async with screen(None) as it:
        await it.press("ctrl+c")
        await it.shows("esc quits")


async def test_palette_has_no_commands_of_textual_that_mean_nothing_here(server: FakeBackend) -> None:
    async with screen(server) as it:
        await it.shows("live")
        await it.press("escape")
        titles = [command.title for command in it.app.get_system_commands(it.app.screen)]
        assert titles[-3:] == ["Help", "Quit, exit or detach", "Theme"]
        assert not {"Maximize", "Minimize", "Screenshot", "Keys", "Quit"} & set(titles)
        await it.press("ctrl+p", *"theme", "enter")
        await it.shows("Search for themes")


@pytest.mark.parametrize("size", [SMALL, (120, 40)], ids=["80x24", "120x40"])
async def test_help_names_the_keys_of_a_list(server: FakeBackend, size: tuple[int, int]) -> None:
    async with screen(server, size) as it:
        await it.shows("live")
        await it.press("ctrl+o")
        await it.shows("Browse the folders")
        await help_comes_and_goes(it, "Take the entry under the cursor", without=COMMAND)
        await help_comes_and_goes(it, "Go to another list")
        await it.press("escape", "ctrl+s")
        await it.shows("Presets")
        await help_comes_and_goes(it, "Take the entry under the cursor", without="Go to another list")
        await help_comes_and_goes(it, "F8")
