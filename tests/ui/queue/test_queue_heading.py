"""The names in the heading of the queue are aligned with their columns, at every width."""

import pytest
from rich.cells import cell_len

from comfytui.presentation.queue_rows import QueueRow
from comfytui.session.model import JobStatus
from comfytui.ui.queue.queue_heading import heading_text
from tests.fake_backend import FakeBackend
from tests.presentation.queue_jobs import drawn
from tests.ui.screen import screen

ROW = QueueRow("p", JobStatus.SUCCEEDED, "title", "12 of 12", "done", "0:21", "mine", "fox.png")


@pytest.mark.parametrize("width", [40, 55, 56, 76, 79, 80, 81, 120, 144, 200])
def test_each_name_is_aligned_with_its_column(width: int) -> None:
    heading, (line, _) = heading_text(width), drawn(ROW, width)
    assert cell_len(heading) == width
    assert heading.isascii()
    assert heading.index("Image") + len("Image") == line.index("12 of 12") + len("12 of 12")
    shown = [("Prompt", "title"), ("State", "done"), ("Owner", "mine"), ("File", "fox.png")]
    for name, text in shown:
        assert heading.find(name) == line.find(text)


@pytest.mark.parametrize("width", range(30))
def test_a_heading_that_does_not_fit_is_cut(width: int) -> None:
    assert cell_len(heading_text(width)) == width


def state_columns(lines: list[str]) -> tuple[int, int]:
    """Return at which cell the state begins in the heading and in the row below."""
    at = next((number for number, line in enumerate(lines) if "Image  State" in line), -1)
    return lines[at].find("State"), lines[at + 1].find("done")


async def test_the_heading_is_shown_with_rows_and_follows_the_width() -> None:
    async with screen(FakeBackend()) as it:
        await it.shows("Nothing queued")
        assert "State" not in it.text
        await it.generate(images="2")
        await it.shows("2 of 2 done")
        for size in [(120, 40), (100, 40), (81, 40), (200, 60)]:
            await it.pilot.resize_terminal(*size)
            await it.shows("Image  State")
            await it.until(lambda: len(set(state_columns(it.text.splitlines()))) == 1, "the heading over its column")
        await it.press("escape", "slash", *"zebra")
        await it.shows("Nothing matches")
        assert "State" not in it.text


async def test_a_low_screen_shows_no_heading() -> None:
    async with screen(FakeBackend(), (80, 16)) as it:
        await it.shows("live")
        await it.generate(images="2")
        await it.shows("2 of 2 done")
        await it.shows("2 of 2  done")
        assert "State" not in it.text
        await it.pilot.resize_terminal(80, 24)
        await it.shows("Image  State")
