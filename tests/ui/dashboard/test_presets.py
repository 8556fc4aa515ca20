"""ctrl+s keeps what the form holds under a name, and brings it back."""

from pathlib import Path
from time import sleep

import pytest

from comfytui.presets import Preset, Presets
from comfytui.ui.dashboard.preset_picker import PresetScreen
from tests.fake_backend import FakeBackend
from tests.ui.dashboard.test_open_workflows import open_, other_workflow, text_in
from tests.ui.screen import Screen, screen


async def presets_shown(it: Screen) -> None:
    await it.press("ctrl+s")
    await it.until(lambda: isinstance(it.app.screen, PresetScreen) and it.app.screen.entries.highlighted, "the presets")


async def save_preset(it: Screen, name: str) -> None:
    await presets_shown(it)
    await it.press("enter")
    await it.shows("Type a name")
    assert "type to find" not in it.text
    await it.press(*name, "enter")


async def test_a_preset_is_saved_loaded_and_undone(tmp_path: Path) -> None:
    async with screen(FakeBackend(), journal=tmp_path) as it:
        await it.write("prompt", "a red fox")
        await it.write("steps", "7")
        await save_preset(it, "fox")
        await it.shows("Saved the preset fox")
        await it.write("steps", "30")
        await presets_shown(it)
        await it.press("f", "o", "enter")
        await it.until(lambda: text_in(it, "steps") == "7", "the preset")
        await it.press("ctrl+z")
        await it.until(lambda: text_in(it, "steps") == "30", "the form before it")
        await open_(it, other_workflow())
        await presets_shown(it)
        await it.press("f", "o", "x")
        await it.shows("Save what the form holds as “fox”")
        await it.shows("1 of 1")


async def test_presets_are_replaced_renamed_and_deleted_after_a_question(tmp_path: Path) -> None:
    async with screen(FakeBackend(), journal=tmp_path, size=(80, 24)) as it:
        await save_preset(it, "fox")
        await save_preset(it, "fox")
        await it.shows("Replace it?")
        await it.press("y")
        await presets_shown(it)
        await it.press("down", "f2")
        await it.shows("New name of fox")
        await it.press("x", "enter")
        await it.shows("foxx")
        await it.press("down", "f8")
        await it.shows("Delete the preset foxx?")
        await it.press("y")
        await it.until(lambda: isinstance(it.app.screen, PresetScreen) and "foxx" not in it.text, "the end of it")


async def test_a_name_that_no_preset_has_saves_one(tmp_path: Path) -> None:
    async with screen(FakeBackend(), journal=tmp_path, size=(80, 24)) as it:
        await it.write("steps", "7")
        await presets_shown(it)
        await it.press(*"Fox")
        await it.shows("Save what the form holds as “Fox”")
        await it.press("f2", "f8", "enter")
        await it.shows("Saved the preset Fox.")
        await it.write("steps", "30")
        await presets_shown(it)
        await it.press(*"ox")
        await it.shows("Save what the form holds as “ox”")
        await it.press("enter")
        await it.until(lambda: text_in(it, "steps") == "7", "the preset, which goes before a new one")
        await presets_shown(it)
        await it.press(*"Fox", "down", "enter")
        await it.shows("Replace it?")


async def test_presets_last_until_the_end_of_a_program_that_keeps_nothing() -> None:
    async with screen(FakeBackend()) as it:
        await it.write("steps", "7")
        await save_preset(it, "fox")
        await it.shows("Saved the preset fox")
        await it.write("steps", "30")
        await presets_shown(it)
        await it.press(*"fox", "enter")
        await it.until(lambda: text_in(it, "steps") == "7", "the preset")


async def test_keys_right_after_the_one_that_opens_the_presets_are_for_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def read_slowly(presets: Presets) -> tuple[Preset, ...]:
        sleep(0.3)
        return read(presets)

    read = Presets.all
    monkeypatch.setattr(Presets, "all", read_slowly)
    async with screen(FakeBackend(), journal=tmp_path) as it:
        await it.write("steps", "7")
        await save_preset(it, "fox")
        await it.shows("Saved the preset fox")
        await it.write("steps", "30")
        await it.press("ctrl+s", "f", "o", "x", "enter")
        await it.until(lambda: text_in(it, "steps") == "7", "the preset")
        assert text_in(it, "prompt") == ""
