"""Files of this machine for inputs of a workflow, sent to a simulated server over real sockets."""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from io import BytesIO
from pathlib import Path

import pytest
from PIL import Image
from textual.events import Paste

from comfytui.sim.config import SimConfig
from comfytui.sim.server import SimServer
from comfytui.ui.form.form import PromptForm
from comfytui.ui.screens.browse import BrowseScreen
from comfytui.ui.screens.picker import PickerScreen
from comfytui.ui.widgets.text import Paragraph
from tests.faults.proxy import Proxy, proxy_to
from tests.ui.dashboard.test_open_workflows import open_
from tests.ui.form.test_input_list import filled_in, inputs, line, node, to_item, with_nodes, with_picture
from tests.ui.screen import Screen, screen
from tests.waiting import TIMEOUT

SIZE = (200, 60)


def uploaded(sim: SimServer) -> list[str]:
    """The files that were not there from the beginning."""
    return [name for name in sim.files.uploads() if name != "example.png"]


async def at_image(it: Screen) -> None:
    await it.shows("dreamshaper_8")
    await to_item(it, "image")
    await it.until(lambda: (item := inputs(it).current_item) and item.spec.options, "the server's files")


async def test_server_may_give_a_file_another_name(tmp_path: Path) -> None:
    picture = tmp_path / "x.png"
    picture.write_bytes(b"mine")
    async with SimServer(SimConfig()) as sim, screen(sim.url, SIZE, workflow=with_picture()) as it:
        sim.files.put(("input", "", "x.png"), b"another")
        await at_image(it)
        await it.until(lambda: "is not among" in it.text, "that the server lacks the file of the workflow")
        it.app.post_message(Paste(picture.as_uri()))
        await it.until(lambda: "x (1).png" in line(it, "Image "), "the server's name")
        assert filled_in(it)["20"]["inputs"]["image"] == "x (1).png"
        assert sim.files.get("input", "", "x (1).png") == b"mine"
        await it.until(lambda: "is not among" not in it.text, "the end of the message")
        it.app.post_message(Paste(str(picture)))
        await it.until(lambda: "x (1).png" in line(it, "Image "), "the name of the same file, sent again")
        assert uploaded(sim) == ["x.png", "x (1).png"]


async def test_file_that_is_too_large_is_refused_in_words(tmp_path: Path) -> None:
    picture = tmp_path / "large.png"
    with picture.open("wb") as file:
        file.truncate(105_000_000)
    async with SimServer(SimConfig()) as sim, screen(sim.url, SIZE, workflow=with_picture()) as it:
        await at_image(it)
        it.app.post_message(Paste(str(picture)))
        said = it.app.screen.query_one("#input-help", Paragraph)
        await it.until(lambda: "takes no file of 105.0 MB: its limit is" in said.text, "the limit")
        assert "old.png" in line(it, "Image ")


async def test_path_without_a_file_is_said() -> None:
    async with SimServer(SimConfig()) as sim, screen(sim.url, SIZE, workflow=with_picture()) as it:
        await at_image(it)
        it.app.post_message(Paste("/nowhere/cat.png"))
        await it.shows("There is no file /nowhere/cat.png")
        assert filled_in(it)["20"]["inputs"]["image"] == "old.png"


async def test_file_is_found_in_the_folders_of_this_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "cat.png").write_bytes(b"mine")
    monkeypatch.chdir(tmp_path)
    async with SimServer(SimConfig()) as sim, screen(sim.url, SIZE, workflow=with_picture()) as it:
        await at_image(it)
        await it.press("enter")
        await it.shows("Browse the folders")
        await it.press(*"browse", "enter")
        await it.until(lambda: isinstance(it.app.screen, BrowseScreen) and "cat.png" in it.text, "the folder")
        await it.press(*"cat", "enter")
        await it.until(lambda: sim.files.get("input", "", "cat.png") == b"mine", "the upload")
        await it.until(lambda: "cat.png" in line(it, "Image "), "the server's name")


async def test_relative_path_is_typed_unless_the_server_has_a_file_of_that_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "pets").mkdir()
    (tmp_path / "pets" / "cat.png").write_bytes(b"mine")
    monkeypatch.chdir(tmp_path)
    async with SimServer(SimConfig()) as sim, screen(sim.url, SIZE, workflow=with_picture()) as it:
        await at_image(it)
        await it.press("enter")
        await it.shows("Browse the folders")
        await it.press(*"pets/cat.png", "enter")
        await it.until(lambda: sim.files.get("input", "", "cat.png") == b"mine", "the upload")
        await it.until(lambda: "cat.png" in line(it, "Image "), "the server's name")
        item = inputs(it).current_item
        assert item is not None
        specs = {item.key: replace(item.spec, options=("old.png", "pets/cat.png"))}
        it.app.screen.query_one(PromptForm).update_specs(specs)
        await it.press("enter")
        await it.until(lambda: isinstance(it.app.screen, PickerScreen), "the server's files")
        await it.press(*"pets/cat", "enter")
        await it.until(lambda: "pets/cat.png" in line(it, "Image "), "the server's file")


async def test_folder_that_is_named_is_browsed(tmp_path: Path) -> None:
    (tmp_path / "pets").mkdir()
    (tmp_path / "pets" / "cat.png").write_bytes(b"mine")
    async with SimServer(SimConfig()) as sim, screen(sim.url, SIZE, workflow=with_picture()) as it:
        await at_image(it)
        it.app.post_message(Paste(f"'{tmp_path / 'pets'}'"))
        await it.until(lambda: isinstance(it.app.screen, BrowseScreen) and "cat.png" in it.text, "the folder")
        await it.press(*"cat", "enter")
        await it.until(lambda: sim.files.get("input", "", "cat.png") == b"mine", "the upload")


async def test_mask_is_put_into_the_picture(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    picture, mask = BytesIO(), Image.new("L", (32, 24), 0)
    Image.new("RGB", mask.size, (250, 10, 30)).save(picture, "PNG")
    mask.putpixel((0, 0), 255)
    mask.save(tmp_path / "white.png")
    monkeypatch.chdir(tmp_path)
    async with SimServer(SimConfig()) as sim, screen(sim.url, SIZE, workflow=with_picture()) as it:
        await at_image(it)
        await put_in_mask(it, "white")
        await it.until(lambda: "has no picture old.png" in it.text, "that the server lacks the picture")
        assert filled_in(it)["20"]["inputs"]["image"] == "old.png"
        sim.files.put(("input", "", "old.png"), picture.getvalue())
        await put_in_mask(it, "white")
        await it.until(lambda: "clipspace/old-masked.png" in line(it, "Image "), "the masked picture")
        assert filled_in(it)["20"]["inputs"]["image"] == "clipspace/old-masked.png"
        with Image.open(BytesIO(sim.files.get("input", "clipspace", "old-masked.png") or b"")) as masked:
            assert masked.getpixel((0, 0)) == (250, 10, 30, 0)
            assert masked.getpixel((1, 0)) == (250, 10, 30, 255)


async def test_mask_that_masks_nothing_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Image.new("L", (32, 24), 0).save(tmp_path / "black.png")
    monkeypatch.chdir(tmp_path)
    async with SimServer(SimConfig()) as sim, screen(sim.url, SIZE, workflow=with_picture()) as it:
        await at_image(it)
        await put_in_mask(it, "black")
        said = it.app.screen.query_one("#input-help", Paragraph)
        await it.until(lambda: "black.png could not be uploaded: nothing in it is transparent" in said.text, "why")


async def put_in_mask(it: Screen, name: str) -> None:
    """Choose a mask for the picture by keys."""
    await it.press("enter")
    await it.shows("Put a mask into this picture")
    await it.press(*"put a mask", "enter")
    await it.until(lambda: isinstance(it.app.screen, BrowseScreen) and f"{name}.png" in it.text, "the folder")
    await it.press(*name, "enter")
    await it.until(lambda: not isinstance(it.app.screen, BrowseScreen), "the form")


LARGE = 40_000_000
"""Bytes of a file of which the buffers on the way hold a part."""


@asynccontextmanager
async def uploading_slowly(folder: Path) -> AsyncIterator[tuple[Screen, SimServer, Proxy]]:
    """The form while a file is sent on a slow link."""
    picture = folder / "large.png"
    with picture.open("wb") as file:
        file.truncate(LARGE)
    async with (
        SimServer(SimConfig()) as sim,
        proxy_to(sim.url) as proxy,
        screen(proxy.url, SIZE, workflow=with_picture()) as it,
    ):
        await at_image(it)
        proxy.throttle(4_000_000)
        it.app.post_message(Paste(str(picture)))
        await it.until(lambda: re.search(r"[1-9]\d? % Uploading large\.png", line(it, "Image ")), "the progress")
        yield it, sim, proxy


async def test_upload_is_cancelled_on_a_slow_link(tmp_path: Path) -> None:
    async with uploading_slowly(tmp_path) as (it, sim, proxy):
        said = it.app.screen.query_one("#input-help", Paragraph)
        assert "ctrl+r cancels it" in said.text
        await it.press("ctrl+r")
        await it.until(lambda: "The upload of large.png was cancelled." in said.text, "that it was cancelled")
        await it.until(lambda: "old.png" in line(it, "Image "), "the value before")
        proxy.throttle(None)
        small = tmp_path / "small.png"
        small.write_bytes(b"mine")
        it.app.post_message(Paste(str(small)))
        await it.until(lambda: " small.png" in line(it, "Image ") and "Uploading" not in it.text, "another upload")
        assert filled_in(it)["20"]["inputs"]["image"] == "small.png"
        assert uploaded(sim) == ["small.png"]


async def test_upload_ends_in_words_with_a_link_that_breaks(tmp_path: Path) -> None:
    async with uploading_slowly(tmp_path) as (it, sim, proxy):
        said = it.app.screen.query_one("#input-help", Paragraph)
        proxy.reset_connections()
        await it.until(lambda: re.search(r"large\.png could not be uploaded: .* closed the", said.text), "the error")
        assert "of 40.0 MB" in said.text
        await it.until(lambda: "old.png" in line(it, "Image "), "the value before")
        assert uploaded(sim) == []


async def test_form_that_is_replaced_ends_its_upload(tmp_path: Path) -> None:
    async with uploading_slowly(tmp_path) as (it, sim, proxy):
        # A busy machine may take longer to open the workflow than a message is shown.
        setattr(it.app, "NOTIFICATION_TIMEOUT", TIMEOUT)  # noqa: B010 - a constant to the type checker
        await open_(it, with_nodes(**{"20": node("LoadImage", image="other.png")}))
        await it.shows("The upload of large.png")
        proxy.throttle(None)
        assert filled_in(it)["20"]["inputs"]["image"] == "other.png"
        assert uploaded(sim) == []
