"""The job screen: images, failures, and closing it early."""

import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from comfytui.sim.config import SimConfig
from comfytui.sim.execution.call import NodeCall, NodeResult
from comfytui.sim.execution.node_execution import NODE_FUNCTIONS
from comfytui.sim.machine import NodeFailedError
from comfytui.sim.server import SimServer
from comfytui.ui.images.image_view import ImageView
from comfytui.ui.screens.job import JobScreen
from comfytui.workflow.graph import Workflow, workflow_of
from tests.faults.proxy import proxy_to
from tests.sim.graphs import text_to_image
from tests.ui.screen import Screen, screen

QUICK = SimConfig(steps_per_second=0, load_seconds=0)
EVIL = "no fox \x1b]0;OWNED\x07\x1b[2J \x9b3J \u202e [bold]m[/nope] [/]"

CONTROLS = ("\x1b", "\x9b", "\u202e", "OWNED")


@pytest.fixture
async def sim() -> AsyncIterator[SimServer]:
    async with SimServer(QUICK) as server:
        yield server


def small(images: int = 1) -> Workflow:
    """A graph that makes small images at once."""
    graph = text_to_image()
    graph["5"]["inputs"]["batch_size"] = images
    return workflow_of("small", graph)


def painted(it: Screen) -> str:
    """The large image as it is painted, colours included."""
    image = it.app.screen.query_one("#large", ImageView)
    return repr([image.render_line(y) for y in range(image.size.height)])


async def made(it: Screen, end: str = "1 of 1 done") -> None:
    """Have one job made, and select it."""
    await it.shows("live")
    await it.write("images", "1")
    await it.press("f5")
    await it.shows(end)
    await it.press("escape", "home")


async def test_failed_job_shows_message_and_traceback() -> None:
    async with (
        SimServer(SimConfig(steps_per_second=0, load_seconds=0, fail_step=2)) as sim,
        screen(sim.url, workflow=small()) as it,
    ):
        await made(it, "failed")
        await it.press("enter")
        await it.shows("KSampler, node 3: CUDA out of memory. Tried to allocate 2.00 GiB.")
        await it.shows("execution.py")
        assert "in process_inputs" in it.text
        assert "\n     result = f(**inputs)" in it.text
        await it.press("escape")
        await it.shows("0 of 1 done, 1 failed")


async def test_escapes_and_markup_in_error_are_harmless(sim: SimServer, monkeypatch: pytest.MonkeyPatch) -> None:
    async def fails(_: NodeCall) -> NodeResult:
        raise NodeFailedError("RuntimeError", EVIL)

    monkeypatch.setitem(NODE_FUNCTIONS, "VAEDecode", fails)
    async with screen(sim.url, workflow=small()) as it:
        await made(it, "failed")
        await it.shows("no fox")
        assert not [sign for sign in CONTROLS if sign in it.text]
        await it.press("enter")
        await it.shows("execution.py")
        assert "[bold]m[/nope] [/]" in it.text
        assert not [sign for sign in CONTROLS if sign in it.text]


async def test_left_and_right_turn_images_of_job(sim: SimServer, tmp_path: Path) -> None:
    async with screen(sim.url, workflow=small(3), output=tmp_path) as it:
        await made(it)
        await it.press("enter")
        seen: list[str] = []
        for key, place in (("", 1), ("right", 2), ("right", 3), ("right", 1), ("left", 3), ("left", 2)):
            await it.press(*([key] if key else []))
            await it.shows(f"test_0000{place}_.png   image {place} of 3")
            await it.until(lambda: "loading" not in it.text and "▀" in it.text, "the image")
            await it.until(lambda: painted(it) not in seen[-1:], "another image")
            seen.append(painted(it))
        assert len(set(seen)) == 3
        await it.press("s")
        await it.shows("Saved 3 files")
        assert len(os.listdir(tmp_path)) == 3  # noqa: PTH208


async def test_screen_can_be_closed_before_image_arrives(sim: SimServer) -> None:
    async with proxy_to(sim.url) as proxy, screen(proxy.url, workflow=small(2), previews=False) as it:
        await made(it)
        held = proxy.hold_response_to(b"/view")
        await it.press("enter")
        await it.shows("loading")
        await it.press("right", "left")
        await it.until(lambda: held.hits, "the request")
        await it.press("escape")
        await it.until(lambda: not isinstance(it.app.screen, JobScreen), "the dashboard")
        held.release()
        await it.shows("1 of 1 done")
        await it.press("enter")
        await it.shows("1 of 2")
        await it.until(lambda: "loading" not in it.text and "▀" in it.text, "the image")
        assert it.app.return_code is None


async def test_missing_image_is_reported(sim: SimServer) -> None:
    async with screen(sim.url, workflow=small()) as it:
        await made(it)
        sim.files.contents.clear()
        await it.press("enter")
        await it.shows("The server no longer has test_00001_.png (404): make it again.")


async def test_saving_reports_reused_file_name(sim: SimServer, tmp_path: Path) -> None:
    async with screen(sim.url, output=tmp_path) as it:
        await it.shows("dreamshaper_8")
        for batch in (1, 2):
            await it.generate(images="1", seed=str(batch))
            await it.shows(f"Batch {batch}" if batch > 1 else "1 of 1 done")
            await it.shows("1 of 1 done")
            sim.files.counters.clear()  # Its folder was emptied, and it counts anew.
        await it.press("escape", "home", "enter")
        await it.shows("comfytui_00001_.png")
        assert "newer job" not in it.text
        await it.press("escape", "down", "enter")
        await it.shows("comfytui_00001_.png   a newer job uses the same name")
        await it.press("escape", "home", "s")
        await it.shows("Saved")
        assert "different seed" not in it.text
        await it.press("down", "s")
        await it.shows("different seed")
    assert sorted(os.listdir(tmp_path)) == ["comfytui_00001_ (2).png", "comfytui_00001_.png"]  # noqa: PTH208
