"""The folders of this machine are browsed by keyboard, and what cannot be read is said."""

import os
from collections.abc import Sequence
from errno import EACCES
from pathlib import Path
from threading import Event

import pytest

from comfytui.ui.folders import first_readable, read_folder
from comfytui.ui.screens.browse import BrowseScreen
from comfytui.ui.widgets.entry_search import Entry
from comfytui.ui.widgets.filter_list import FilterList
from tests.fake_backend import FakeBackend
from tests.ui.screen import Screen, screen
from tests.waiting import TIMEOUT


async def browse(it: Screen, folder: Path) -> list[Entry[Path] | None]:
    """Open the dialog; return a list that gets its result."""
    results: list[Entry[Path] | None] = []
    await it.app.push_screen(BrowseScreen("Open a workflow", folder), results.append)
    return results


def entries_of(it: Screen) -> FilterList:
    return it.app.screen.query_one(FilterList)


def lines(it: Screen, *names: str) -> Sequence[str]:
    """The names that are on the screen, in their order."""
    return sorted((name for name in names if name in it.text), key=it.text.index)


@pytest.fixture
def home(tmp_path: Path) -> Path:
    for name in ("art/deep", ".config", "empty"):
        (tmp_path / name).mkdir(parents=True)
    for name in ("b.json", "A.png", ".secret", "art/fox.json"):
        (tmp_path / name).touch()
    return tmp_path


@pytest.mark.parametrize("size", [(80, 24), (120, 40)])
async def test_folders_come_first_and_hidden_entries_last(home: Path, size: tuple[int, int]) -> None:
    async with screen(FakeBackend(), size) as it:
        await browse(it, home)
        await it.shows("b.json")
        await it.shows(f"{home.name} ")
        names = ("../", "art/", "empty/", "A.png", "b.json", ".config/", ".secret")
        assert lines(it, *names) == [*names]
        assert it.app.screen.query_one("FilterList").highlighted.title == "art/"  # type: ignore[attr-defined]


async def test_the_keyboard_goes_into_folders_and_back(home: Path) -> None:
    async with screen(FakeBackend()) as it:
        results = await browse(it, home)
        await it.shows("b.json")
        await it.press(*"art", "enter")
        await it.shows("fox.json")
        await it.press("alt+up")
        await it.shows("b.json")
        await it.press("enter")  # The cursor is on the folder that was left.
        await it.shows("fox.json")
        await it.press("home", "enter")
        await it.shows("b.json")
        await it.press("enter")
        await it.shows("fox.json")
        await it.press(*"fox", "enter")
        await it.until(lambda: results, "the file")
        assert results[0] is not None
        assert results[0].value == home / "art" / "fox.json"


async def test_escape_returns_nothing(home: Path) -> None:
    async with screen(FakeBackend()) as it:
        results = await browse(it, home)
        await it.shows("b.json")
        await it.press("escape")
        assert results == [None]


async def test_a_path_can_be_typed(home: Path) -> None:
    async with screen(FakeBackend()) as it:
        results = await browse(it, home)
        await it.shows("b.json")
        await it.press(*"art", "slash", *"deep", "enter")
        await it.until(lambda: "b.json" not in it.text and not entries_of(it).query_text, "the folder")
        await it.press(".", ".", "slash", *"fox.json", "enter")
        await it.until(lambda: results, "the file")
        assert results[0] is not None
        assert results[0].value.resolve() == home / "art" / "fox.json"


async def test_what_is_typed_while_a_folder_is_read_stays(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    scan, may_go_on = os.scandir, Event()

    def scan_slowly(folder: Path) -> object:
        if folder == home / "art":
            may_go_on.wait(TIMEOUT)
        return scan(folder)

    monkeypatch.setattr(os, "scandir", scan_slowly)
    async with screen(FakeBackend()) as it:
        results = await browse(it, home)
        await it.shows("b.json")
        await it.press(*"art", "enter", *"fox")
        may_go_on.set()
        await it.shows("1 of 3")
        assert entries_of(it).query_text == "fox"
        await it.press("enter")
        await it.until(lambda: results, "the file")
        assert results[0] is not None
        assert results[0].value == home / "art" / "fox.json"


async def test_a_folder_that_may_not_be_read_is_said(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    scan = os.scandir

    def refuse(folder: Path) -> object:
        if folder == home / "art":
            raise PermissionError(EACCES, "Permission denied")
        return scan(folder)

    # Root may read every folder, so that a mode alone is no test.
    monkeypatch.setattr(os, "scandir", refuse)
    async with screen(FakeBackend(), (120, 40)) as it:
        await browse(it, home)
        await it.shows("b.json")
        await it.press("enter")
        await it.shows("cannot be opened: permission denied")
        assert "b.json" in it.text


async def test_it_begins_with_the_nearest_folder_that_can_be_read(home: Path) -> None:
    async with screen(FakeBackend(), (80, 24)) as it:
        await browse(it, home / "art" / "gone" / "further")
        await it.shows("fox.json")


async def test_names_are_shown_harmlessly(tmp_path: Path) -> None:
    folder = tmp_path / ("狐" * 60)
    folder.mkdir()
    (folder / "red\x1b[31m\nfox.json").touch()
    os.close(os.open(os.fsencode(folder) + b"/\xff.json", os.O_CREAT))
    (folder / "[bold]雪の中の狐.json").touch()
    async with screen(FakeBackend(), (80, 24)) as it:
        results = await browse(it, folder)
        await it.shows("red fox.json")
        await it.shows("[bold]雪の中の狐.json")
        await it.shows("狐狐狐 ")
        assert "\x1b" not in it.text
        await it.press(*"red", "enter")
        await it.until(lambda: results, "the file")
        assert results[0] is not None
        assert results[0].value.exists()


def test_what_cannot_be_examined_is_listed(tmp_path: Path) -> None:
    (tmp_path / "loop").symlink_to("loop")
    (tmp_path / "old").touch()
    assert [each.path.name for each in read_folder(tmp_path)] == ["loop", "old"]
    assert all(isinstance(each.detail, str) for each in read_folder(tmp_path))
    assert first_readable(tmp_path / "no" / "folder")[0] == tmp_path
