"""The picker: typing filters its list, keys and mouse take an entry, and long or hostile lists do not hang it."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import pytest
from textual.app import App
from textual.pilot import Pilot

from comfytui.ui.screens.picker import PickerScreen
from comfytui.ui.themes import DARK, STYLES
from comfytui.ui.widgets.entry_search import Entry, EntryGroup
from comfytui.ui.widgets.filter_input import FilterInput
from comfytui.ui.widgets.filter_list import FilterList
from comfytui.ui.widgets.match_list import MatchList
from tests.waiting import eventually

FRUIT = ["apple", "pear", "pineapple", "plum", "fig"]


class PickerApp(App[None]):
    CSS_PATH = [STYLES / "app.tcss", STYLES / "picker.tcss"]  # noqa: RUF012
    ascii = False

    def __init__(self) -> None:
        super().__init__()
        self.register_theme(DARK)
        self.theme = DARK.name
        self.taken: list[Any] = []

    @property
    def lines(self) -> list[str]:
        width, height = self.size
        strips = self.screen._compositor.render_strips()
        return ["".join(segment.text for segment in strip)[:width].rstrip() for strip in strips[:height]]

    @property
    def text(self) -> str:
        return "\n".join(self.lines)

    @property
    def highlighted(self) -> str | None:
        entry = self.screen.query_one(FilterList).highlighted
        return entry.title if entry else None


def fruit(name: str = "", names: Sequence[str] = FRUIT) -> EntryGroup[str]:
    return EntryGroup(name, [Entry(each, each.upper(), f"{len(each)} letters") for each in names])


@asynccontextmanager
async def picker(
    *groups: EntryGroup[Any], size: tuple[int, int] = (80, 24), **options: Any
) -> AsyncIterator[tuple[PickerApp, Pilot[None]]]:
    app = PickerApp()
    async with app.run_test(size=size) as pilot:
        app.push_screen(PickerScreen("Fruit", groups, **options), app.taken.append)
        await pilot.pause()
        yield app, pilot


def value(app: PickerApp) -> Any:
    assert len(app.taken) == 1
    return app.taken[0].value if app.taken[0] else None


async def test_typing_filters_and_enter_takes_the_best_match() -> None:
    async with picker(fruit()) as (app, pilot):
        assert all(name in app.text for name in FRUIT)
        await pilot.press(*"ple ap")
        assert "pear" not in app.text
        assert "2 of 5" in app.text
        assert app.highlighted == "apple"
        await pilot.press("down", "enter")
        assert value(app) == "PINEAPPLE"


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        (["down"], "n1"),
        (["up"], "n0"),
        (["end"], "n99"),
        (["end", "home"], "n0"),
        (["pagedown"], "n18"),
        (["pagedown", "pageup"], "n0"),
        (["down", "down", *"9"], "n9"),
    ],
)
async def test_keys_move_the_cursor_while_the_input_has_the_focus(keys: list[str], expected: str) -> None:
    async with picker(fruit(names=[f"n{n}" for n in range(100)])) as (app, pilot):
        await pilot.press(*keys)
        assert app.highlighted == expected
        assert expected in app.text


async def test_escape_and_a_click_beside_it_close_the_picker() -> None:
    async with picker(fruit()) as (app, pilot):
        await pilot.press("escape")
        assert value(app) is None
    async with picker(fruit()) as (app, pilot):
        await pilot.click(offset=(1, 0))
        assert value(app) is None


async def test_a_click_takes_an_entry() -> None:
    async with picker(fruit()) as (app, pilot):
        await pilot.click(MatchList, offset=(4, 3))
        assert value(app) == "PLUM"


async def test_it_begins_at_the_current_entry() -> None:
    async with picker(fruit(names=[f"n{n}" for n in range(100)]), current=57) as (app, _):
        assert app.highlighted == "n57"
        assert " n57 " in app.text


async def test_nothing_matches_and_nothing_is_taken() -> None:
    async with picker(fruit()) as (app, pilot):
        await pilot.press(*"xyz", "enter", "down", "pagedown")
        assert "Nothing matches 'xyz'." in app.text
        assert app.highlighted is None
        assert app.taken == []


async def test_what_is_typed_can_be_taken_where_it_may_be_anything() -> None:
    async with picker(fruit(), typed=str.title) as (app, pilot):
        await pilot.press(*"xyz")
        assert "Nothing matches 'xyz'; enter takes it as it is." in app.text
        await pilot.press("enter")
        assert value(app) == "Xyz"


async def test_an_empty_list_says_why() -> None:
    async with picker(empty="The server has no fruit.") as (app, _):
        assert "The server has no fruit." in app.text
    async with picker(EntryGroup("a", note="Could not be read: [red]no[/red]\x1b[31m")) as (app, _):
        assert "Could not be read: [red]no[/red]" in app.text


async def test_groups_are_tabs() -> None:
    async with picker(fruit("Trees", FRUIT[:3]), fruit("Other", ["melon"])) as (app, pilot):
        assert "[All]" in app.text
        assert "Trees 3" in app.text
        await pilot.press("tab", "tab")
        assert "[Other 1]" in app.text
        assert "apple" not in app.text
        await pilot.press("left")
        assert "[Trees 3]" in app.text
        await pilot.press(*"me", "left")
        assert "Nothing matches 'me'." in app.text
        await pilot.press("tab")
        assert app.highlighted == "melon"
        await pilot.press("tab")
        assert "[All]" in app.text
        await pilot.click("GroupTabs", offset=(8, 0))
        assert "[Trees 3]" in app.text


async def test_the_tab_that_is_chosen_is_in_view_where_not_all_fit() -> None:
    async with picker(*(fruit(f"a group with number {n}") for n in range(9))) as (app, pilot):
        await pilot.press("shift+tab")
        assert "[a group with number 8 5]" in app.text


async def test_groups_may_arrive_later() -> None:
    arrive = asyncio.Event()

    async def load(entries: FilterList) -> None:
        entries.set_group(EntryGroup("Late", note="Reading the list…", loading=True))
        await arrive.wait()
        entries.set_group(fruit("Late"))

    async with picker(fruit("Early", ["kiwi"]), load=load) as (app, pilot):
        assert "Late …" in app.text
        await pilot.press("tab", "tab")
        assert "Reading the list…" in app.text
        await pilot.press("p", "l")
        arrive.set()
        await eventually(lambda: app.highlighted == "plum", "the entries that match")
        assert "Late 5" in app.text


async def test_a_group_that_arrives_leaves_the_cursor_on_its_entry() -> None:
    async with picker(fruit("Early")) as (app, pilot):
        await pilot.press("down", "down")
        app.screen.query_one(FilterList).set_group(fruit("Late", ["melon"]))
        await pilot.pause()
        assert app.highlighted == "pineapple"
        assert "melon" in app.text


async def test_the_entry_under_the_cursor_is_described() -> None:
    asked: list[str] = []

    async def describe(entry: Entry[str]) -> str:
        asked.append(entry.title)
        return f"All about {entry.title} [b]\x1b[0m"

    async with picker(fruit(), describe=describe) as (app, _):
        await eventually(lambda: "All about apple [b]" in app.text, "the description")
        keys = app.screen.query_one(FilterInput)
        for _ in range(3):  # At once: on a busy machine the cursor would rest between two keys.
            keys.action_list("move", 1)
        await eventually(lambda: "All about plum" in app.text, "the description")
        assert "pear" not in asked


async def test_long_wide_and_hostile_titles_are_cut_to_the_line() -> None:
    names = ["x" * 300, "漢字" * 60, "👩‍👩‍👧 emoji " * 20, "\x1b]0;title\x07[red]bad[/red]\nline"]
    async with picker(fruit(names=names)) as (app, pilot):
        lines = [line for line in app.lines if "letters" in line]
        assert len(lines) == 4
        assert all("…" in line for line in lines[:3])
        assert "[red]bad[/red] line" in lines[3]
        assert "x" * 100 in app.text.replace("│", "").replace("\n", "").replace(" ", "")
        await pilot.press(*"line", "enter")
        assert value(app) == names[3].upper()


async def test_one_of_a_million_entries_is_found_while_typing_goes_on() -> None:
    names = [f"folder{n % 977}/Some-Model_v{n}.safetensors" for n in range(1_000_000)]
    entries = EntryGroup("", Titles(names))
    async with picker(entries, size=(120, 40)) as (app, pilot):
        assert "folder1/Some-Model_v1.safetensors" in app.text
        await pilot.press(*"sa")
        await pilot.press("ctrl+u", *"v999")
        await pilot.press(*"999")
        await eventually(lambda: app.highlighted == "folder528/Some-Model_v999999.safetensors", "the match")
        await pilot.press("enter")
        assert value(app) == names[-1]


class Titles(Sequence[Entry[str]]):
    """Entries that are made when they are asked for."""

    def __init__(self, names: Sequence[str]) -> None:
        self._names = names

    def __len__(self) -> int:
        return len(self._names)

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            return [Entry(name, name) for name in self._names[index]]
        return Entry(self._names[index], self._names[index])


async def test_the_input_keeps_its_cursor_keys_while_something_is_typed() -> None:
    async with picker(fruit("a"), fruit("b")) as (app, pilot):
        await pilot.press(*"pl", "left", "u", "right", "m")
        assert app.screen.query_one(FilterInput).value == "pulm"
        assert "[All]" in app.text


@pytest.mark.parametrize("turns", range(0, 40, 4))
async def test_a_dialog_may_be_closed_before_it_is_there(turns: int) -> None:
    app = PickerApp()
    async with app.run_test() as pilot:
        for _ in range(5):
            dialog = PickerScreen("Fruit", [fruit(), fruit("more")])
            app.push_screen(dialog)
            for _ in range(turns):
                await asyncio.sleep(0)
            assert dialog.entries.highlighted is None or dialog.entries.is_complete
            if app.screen is dialog:
                app.pop_screen()
            await pilot.pause()
        assert app.return_code is None
