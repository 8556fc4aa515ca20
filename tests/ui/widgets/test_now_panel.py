"""The *Now* panel by itself: a batch that waits, one that failed, and which image is shown."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from io import BytesIO

import pytest
from PIL import Image
from textual.app import App, ComposeResult

from comfytui.comfy.protocol.events import ExecutionError
from comfytui.session.connection.link_events import HttpSucceeded
from comfytui.session.events import BatchPlanned, QueueSnapshot
from comfytui.ui.images.image_view import ImageView
from comfytui.ui.themes import SHEETS, THEMES
from comfytui.ui.widgets.now_panel import NowPanel
from comfytui.ui.widgets.text import Line
from tests.session.builders import SAMPLER, Session, planned_batch, queued_prompt, run_frames, start_frames
from tests.session.runs.test_timing import measured_session, other_clients_job
from tests.ui.screen import Screen
from tests.waiting import eventually

LONG = " ".join(f"word{number}" for number in range(60))


class Host(App[None]):
    """The panel and nothing else."""

    def __init__(self, *, images: bool) -> None:
        super().__init__()
        self.now = NowPanel(id="now", images=images)
        for theme in THEMES:
            self.register_theme(theme)
        self.theme = THEMES[0].name

    def on_mount(self) -> None:
        self.stylesheet.read_all([*SHEETS])

    def compose(self) -> ComposeResult:
        yield self.now


class Panel:
    """The panel as a user sees it."""

    def __init__(self, app: Host, screen: Screen) -> None:
        self.now = app.now
        self._screen = screen

    async def shows(self, session: Session) -> str:
        """Show a state, and return the lines inside the border."""
        self.now.show(session.state)
        await self._screen.pilot.pause()
        lines = self._screen.text.split("\n")[self.now.region.y + 1 : self.now.region.bottom - 1]
        return "\n".join(line[2:-2].rstrip() for line in lines)

    def line(self, name: str) -> str:
        return self.now.query_one(f"#{name}", Line).text


@asynccontextmanager
async def panel(*, images: bool = True, width: int = 100, height: int = 30) -> AsyncIterator[Panel]:
    app = Host(images=images)
    async with app.run_test(size=(width, height)) as pilot:
        yield Panel(app, Screen(app, pilot))  # type: ignore[arg-type]


def polled(session: Session) -> Session:
    """Return the session with a link that is up."""
    session.do(HttpSucceeded(1.0))
    return session


async def test_a_queued_image_shows_when_it_starts_but_no_time_left() -> None:
    session = polled(measured_session())
    session.plan("a", 1)
    ahead = [other_clients_job(session, f"t{n}", n) for n in range(3)]
    session.do(QueueSnapshot((ahead[0],), (*ahead[1:], queued_prompt("a1", 9)), requested_at=session.now))
    async with panel() as it:
        text = await it.shows(session)
        assert "Image 1 of 1 - queued, 3 ahead" in text
        assert "starts in 0:12-0:18" in text
        assert "left" not in text


async def test_a_queued_image_behind_jobs_of_unknown_duration_shows_no_times() -> None:
    session = polled(measured_session())
    session.plan("a", 1)
    session.do(QueueSnapshot((queued_prompt("t1", 1, "they"),), (queued_prompt("a1", 9),), requested_at=session.now))
    async with panel() as it:
        text = await it.shows(session)
        assert "Image 1 of 1 - queued, 1 ahead" in text
        assert "left" not in text
        assert "starts" not in text


def failed(message: str = "CUDA out of memory", prompt: str = "a red fox") -> Session:
    session = polled(Session())
    planned = planned_batch("a", 2)
    jobs = tuple(replace(job, parameters=replace(job.parameters, prompt=prompt)) for job in planned.jobs)
    session.do(BatchPlanned(replace(planned.batch, title=prompt), jobs))
    session.do(*start_frames("a1"), ExecutionError("a1", SAMPLER, "KSampler", exception_message=message))
    return session


@pytest.mark.parametrize("images", [False, True])
async def test_text_is_shown_whole_where_it_fits_and_ends_with_an_ellipsis_where_not(images: bool) -> None:
    reason = " ".join(f"reason{number}" for number in range(30))
    session = failed(reason, LONG)
    async with panel(images=images, width=78, height=40) as it:
        text = await it.shows(session)
        assert {*LONG.split(), *reason.split()} <= {*text.split()}
        assert "…" not in text
    async with panel(images=images, width=78, height=24) as it:
        lines = (await it.shows(session)).rstrip().split("\n")
        assert lines[-1].endswith("…")
        assert any(line.startswith("seed 1") for line in lines)
        assert len([line for line in lines if line.endswith("…")]) == 2


async def test_the_reason_of_a_failure_is_shown_with_and_without_images() -> None:
    for images in (True, False):
        async with panel(images=images) as it:
            assert "Image 1 failed in KSampler: CUDA out of memory" in await it.shows(failed())


async def test_a_panel_without_details_shows_the_reason_of_a_failure_beside_the_status() -> None:
    session = polled(Session())
    session.plan("a", 1)
    session.do(*start_frames("a1"), ExecutionError("a1", SAMPLER, "KSampler", exception_message="out of memory " * 20))
    async with panel(width=80) as it:
        it.now.query_one("#now-body").display = False
        (status, *_) = (await it.shows(session)).split("\n")
        assert status.startswith("0 of 1 done, 1 failed")
        assert "Failed in KSampler: out of memory" in status
        assert status.endswith("…")


async def test_without_images_the_text_takes_the_whole_width_and_as_many_lines_as_it_needs() -> None:
    session = polled(Session())
    planned = planned_batch("a", 1)
    job = replace(planned.jobs[0], parameters=replace(planned.jobs[0].parameters, prompt=LONG))
    session.do(BatchPlanned(replace(planned.batch, title=LONG), (job,)))
    async with panel(images=False) as it:
        text = await it.shows(session)
        assert "\nword0 word1" in text
        assert "word30" in text
        assert "seed 0" in text
    async with panel() as it:
        assert "word20" in await it.shows(session)


def png(colour: str) -> bytes:
    content = BytesIO()
    Image.new("RGB", (64, 64), colour).save(content, "PNG")
    return content.getvalue()


async def test_another_image_has_a_caption_until_the_next_image_is_painted() -> None:
    session = polled(Session())
    session.plan("a", 2, seed=70)
    session.do(*run_frames("a1"))
    first, second = (session.state.jobs[name] for name in ("a1", "a2"))
    async with panel() as it:
        assert "seed 71" in await it.shows(session)
        shown = it.now.query_one(ImageView)
        it.now.show_finished(finished := png("red"), first)
        await eventually(lambda: shown.shown_data is finished, "the image")
        await eventually(lambda: it.line("image-caption") == "Shown: image 1 of 2, seed 70", "the caption")
        assert "Shown: image 1 of 2, seed 70" in await it.shows(session)
        it.now.show_preview(preview := png("blue"), second)
        await eventually(lambda: shown.shown_data is preview, "the preview")
        await eventually(lambda: not it.line("image-caption"), "the end of the caption")
        assert "Shown:" not in await it.shows(session)


async def test_the_text_begins_at_the_edge_until_there_is_an_image_beside_it() -> None:
    session = polled(Session())
    session.plan("a", 1, seed=70)
    job = session.state.jobs["a1"]
    async with panel() as it:
        shown = it.now.query_one(ImageView)
        assert "\nseed 70" in await it.shows(session)
        assert it.now.has_room_for_images
        it.now.show_preview(preview := png("blue"), job)
        await eventually(lambda: shown.shown_data is preview, "the preview")
        text = await it.shows(session)
        assert "\nseed 70" not in text
        assert "▀  seed 70" in text
        it.now.clear_image()
        assert "\nseed 70" in await it.shows(session)


async def test_an_image_that_arrives_late_does_not_replace_a_later_one() -> None:
    session = polled(Session())
    first, second = (session.state.jobs[name] for name in session.plan("a", 2))
    async with panel() as it:
        await it.shows(session)
        it.now.show_preview(png("blue"), second)
        it.now.show_finished(png("red"), first)
        assert it.now.latest_prompt_id == "a2"
        # The preview of an image that never finished does not block the next image.
        it.now.show_preview(png("blue"), first)
        it.now.show_finished(png("red"), second)
        assert it.now.latest_prompt_id == "a2"


async def test_the_image_of_another_batch_is_removed() -> None:
    session = polled(Session())
    session.plan("a", 1)
    session.do(*run_frames("a1"))
    async with panel() as it:
        await it.shows(session)
        it.now.show_finished(png("red"), session.state.jobs["a1"])
        await eventually(lambda: it.now.query_one(ImageView).shown_data, "the image")
        session.plan("b", 1)
        await it.shows(session)
        assert it.now.query_one(ImageView).shown_data is None
