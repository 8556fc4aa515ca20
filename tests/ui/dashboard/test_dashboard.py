"""The dashboard by keyboard, at three sizes, against a simulated server."""

import os
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from comfytui.session.model import JobStatus
from comfytui.sim.catalogue import catalogue
from comfytui.sim.config import SimConfig
from comfytui.sim.server import SimServer
from comfytui.ui.queue.queue_panel import QueuePanel
from comfytui.ui.screens.job import JobScreen
from tests.fake_backend import FakeBackend
from tests.ui.screen import SIZES, Screen, screen

FAST = SimConfig(steps_per_second=25, load_seconds=0.05)
SLOW = SimConfig(steps_per_second=10, load_seconds=0.05)
OTHER_NODES = catalogue(replace(FAST, checkpoints=("other.safetensors",)))


@pytest.fixture
async def sim() -> AsyncIterator[SimServer]:
    async with SimServer(FAST) as server:
        yield server


@pytest.fixture
def server() -> FakeBackend:
    return FakeBackend()


def statuses(it: Screen) -> list[JobStatus]:
    return [job.status for job in it.app.service.state.jobs.values()] if it.app.service else []


@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
async def test_batch_is_followed_from_prompt_to_images(sim: SimServer, size: tuple[int, int], tmp_path: Path) -> None:
    async with screen(sim.url, size, output=tmp_path) as it:
        await it.shows("live")
        await it.generate("a red fox in snow", width="64", height="64", images="2")
        await it.shows("Image 2 of 2 - Step")
        await it.shows("2 of 2 done")
        assert "✓" in it.text
        await it.press("escape", "home", "s")
        await it.shows("Saved")
        assert [Path(name).suffix for name in os.listdir(tmp_path)] == [".png"]  # noqa: PTH208
        await it.press("enter")
        await it.shows("seed ")
        await it.press("escape")
        await it.shows("2 of 2 done")


async def test_second_batch_is_queued_while_first_runs() -> None:
    async with SimServer(SLOW) as slow, screen(slow.url) as it:
        await it.shows("live")
        await it.generate("a red fox", width="64", height="64", images="2")
        await it.shows("Image 1 of 2 - Step")
        await it.generate("a lighthouse", images="1")
        await it.shows("Batch 1: a red fox")
        await it.shows("Batch 2: a lighthouse")
        await it.shows("1 of 1 done")
        assert statuses(it) == [JobStatus.SUCCEEDED] * 3


async def test_wrong_number_is_marked_while_typing_and_not_submitted(server: FakeBackend) -> None:
    async with screen(server) as it:
        await it.shows("live")
        await it.write("steps", "0")
        await it.shows("Steps must be")
        await it.press("f5")
        assert it.app.focused is not None
        assert it.app.focused.id == "steps"
        assert statuses(it) == []
        await it.write("steps", "12")
        await it.until(lambda: "Steps must be" not in it.text, "the mark to go")


async def test_missing_checkpoint_is_shown_at_field_and_form_is_kept(server: FakeBackend) -> None:
    async with screen(server) as it:
        await it.shows("live")
        await it.shows("dreamshaper_8")
        server.nodes = OTHER_NODES
        await it.generate("a fox that must not be lost", images="2")
        await it.shows("Value not in list")
        assert "a fox that must not be lost" in it.text
        assert statuses(it) == [JobStatus.REJECTED] * 2


async def test_job_made_again_that_server_rejects_is_shown_at_field(server: FakeBackend) -> None:
    async with screen(server) as it:
        await it.shows("dreamshaper_8")
        await it.generate("a fox", images="1", width="64", height="64")
        await it.shows("1 of 1 done")
        server.nodes = OTHER_NODES
        await it.press("escape", "home", "r")
        await it.shows("Value not in list")
        assert statuses(it) == [JobStatus.SUCCEEDED, JobStatus.REJECTED]


async def test_rejected_batch_of_earlier_start_is_shown_at_field(tmp_path: Path) -> None:
    async with SimServer(FAST) as first, screen(first.url, journal=tmp_path) as it:
        await it.shows("dreamshaper_8")
        await first.__aexit__(None, None, None)
        await it.generate("a fox", images="2")
        await it.until(lambda: statuses(it) == [JobStatus.SUBMITTING] * 2, "the batch")
    async with SimServer(FAST, port=int(first.url.rpartition(":")[2])) as sim:
        sim.submissions.nodes = OTHER_NODES
        async with screen(sim.url, journal=tmp_path) as it:
            await it.shows("Value not in list")
            assert statuses(it) == [JobStatus.REJECTED] * 2


async def test_x_removes_queued_and_interrupts_running_jobs() -> None:
    async with SimServer(SLOW) as slow, screen(slow.url) as it:
        await it.shows("live")
        await it.generate(width="64", height="64", steps="500", images="2")
        await it.shows("Image 1 of 2 - Step")
        await it.has_jobs(JobStatus.RUNNING, JobStatus.QUEUED)
        await it.press("escape", "home", "down", "x")
        await it.shows("Removed from the queue before it ran.")
        await it.press("home", "x")
        await it.until(lambda: sorted(statuses(it)) == ["cancelled", "interrupted"], "both ends")
        await it.shows("0 of 2 done, 1 interrupted, 1 cancelled")


async def test_previews_off_requests_none(server: FakeBackend) -> None:
    async with screen(server) as it:
        await it.shows("live")
        await it.press("escape", "p")
        await it.generate(width="64", height="64", images="1")
        await it.shows("1 of 1 done")
        assert [body["extra_data"]["preview_method"] for body in server.submitted] == ["none"]


async def test_filter_narrows_list_and_escape_clears_it(server: FakeBackend) -> None:
    async with screen(server) as it:
        await it.shows("live")
        await it.generate("a red fox", width="64", height="64", images="1")
        await it.shows("1 of 1 done")
        await it.press("escape", "slash", *"zebra")
        await it.shows("Nothing matches the filter")
        await it.press("escape")
        await it.until(lambda: len(it.app.screen.query_one(QueuePanel).queue_list.rows) == 1, "all rows")


async def test_escapes_and_markup_in_names_are_harmless() -> None:
    evil = "[red]x[/foo]\x1b]0;owned\x07\x1b[2J.safetensors"
    async with (
        SimServer(SimConfig(steps_per_second=0, load_seconds=0, checkpoints=(evil,))) as sim,
        screen(sim.url) as it,
    ):
        await it.shows("live")
        await it.shows("[red]x[/foo]")
        await it.generate("a [bold]fox[/] [/nope]", width="64", height="64", images="1")
        await it.shows("1 of 1 done")
        assert "a [bold]fox[/] [/nope]" in it.text
        assert "\x1b" not in it.text


async def test_ascii_mode_paints_only_ascii(server: FakeBackend) -> None:
    async with screen(server, ascii=True) as it:
        await it.shows("live")
        await it.generate(width="64", height="64", images="1")
        await it.shows("1 of 1 done")
        assert it.text.isascii()


async def test_no_colour_shows_same_text(server: FakeBackend, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    async with screen(server) as it:
        await it.shows("live")
        await it.generate(width="64", height="64", images="1")
        await it.shows("1 of 1 done")
        assert "✓" in it.text


async def test_wrong_address_is_reported_on_start_screen() -> None:
    async with screen(None) as it:
        await it.shows("Enter a server's address.")
        await it.write("url", "ftp://box")
        await it.press("enter")
        await it.shows("write http://")
        await it.write("url", "127.0.0.1:9")
        await it.press("enter")
        await it.shows("Nothing listens at 127.0.0.1:9")
        await it.shows(" 127.0.0.1:9 ")
        assert "ctrl+r" not in it.text


async def test_unreachable_address_from_command_line_ends_program() -> None:
    async with screen("127.0.0.1:9") as it:
        await it.until(lambda: it.app.return_code == 1, "the end")


async def test_cursor_goes_to_submitted_batch_unless_filter_hides_it() -> None:
    async with screen(FakeBackend()) as it:
        await it.shows("dreamshaper_8")
        await it.generate("a red fox", images="2")
        await it.shows("2 of 2 done")
        await it.generate("a lighthouse", images="1")
        await it.shows("1 of 1 done")
        await it.press("escape", "enter")
        await it.until(lambda: isinstance(it.app.screen, JobScreen) and "a lighthouse" in it.text, "the new job")
        await it.press("escape", "slash", *"fox", "enter")
        await it.generate("a harbour", images="1")
        await it.shows("The filter hides the new")
