"""The progress bar: how it is drawn at a given fraction, and that only what changes is repainted."""

import pytest
from textual.app import App, ComposeResult
from textual.geometry import Region

from comfytui.ui.themes import STYLES
from comfytui.ui.widgets.progress_bar import ProgressBar


class BarApp(App[None]):
    CSS_PATH = [STYLES / "progress_bar.tcss"]  # noqa: RUF012
    CSS = "ProgressBar { width: 10; }"
    ascii = False

    def compose(self) -> ComposeResult:
        yield RecordingBar()


class RecordingBar(ProgressBar):
    """A bar that records which regions it repaints (None: all of it)."""

    def __init__(self) -> None:
        super().__init__()
        self.painted: list[Region | None] = []

    def refresh(
        self, *regions: Region, repaint: bool = True, layout: bool = False, recompose: bool = False
    ) -> "RecordingBar":
        self.painted += regions or [None]
        super().refresh(*regions, repaint=repaint, layout=layout, recompose=recompose)
        return self


def bar_of(app: App[None]) -> RecordingBar:
    bar = app.query_one(RecordingBar)
    bar.painted.clear()
    return bar


def drawn(bar: ProgressBar) -> str:
    return bar.render_line(0).text


@pytest.mark.parametrize(
    ("fraction", "expected"),
    [
        (0.0, "──────────"),
        (0.04, "──────────"),
        (0.05, "╾─────────"),
        (0.1, "━─────────"),
        (0.55, "━━━━━╾────"),
        (0.999, "━━━━━━━━━╾"),
        (1.0, "━━━━━━━━━━"),
        (7.0, "━━━━━━━━━━"),
        (-1.0, "──────────"),
    ],
)
async def test_without_colour_the_shape_shows_what_is_filled(fraction: float, expected: str) -> None:
    app = BarApp()
    app.no_color = True
    async with app.run_test():
        bar = bar_of(app)
        bar.show(fraction)
        assert drawn(bar) == expected


async def test_with_colour_the_fill_and_the_track_differ_in_colour() -> None:
    app = BarApp()
    async with app.run_test():
        bar = bar_of(app)
        bar.show(0.55)
        filled, track = bar.render_line(0)
        assert (filled.text, track.text) == ("━━━━━╸", "━━━━")
        assert filled.style is not None
        assert track.style is not None
        assert filled.style.color != track.style.color


async def test_ascii_mode_draws_the_bar_with_ascii() -> None:
    app = BarApp()
    app.ascii = True
    async with app.run_test():
        bar = bar_of(app)
        bar.show(0.55)
        assert drawn(bar) == "=====-...."


async def test_only_the_changed_cells_are_repainted() -> None:
    app = BarApp()
    async with app.run_test():
        bar = bar_of(app)
        bar.show(0.2)
        bar.painted.clear()
        bar.show(0.45)
        assert bar.painted == [Region(2, 0, 3, 1)]


async def test_a_change_of_less_than_half_a_cell_repaints_nothing() -> None:
    app = BarApp()
    async with app.run_test():
        bar = bar_of(app)
        bar.show(0.31)
        bar.painted.clear()
        bar.show(0.31)
        bar.show(0.34)
        assert bar.painted == []
        assert bar.fraction == pytest.approx(0.34)


async def test_the_same_subject_never_moves_backwards() -> None:
    app = BarApp()
    async with app.run_test():
        bar = bar_of(app)
        bar.show(0.8, subject="first")
        bar.show(0.3, subject="first")
        assert bar.fraction == pytest.approx(0.8)
        bar.show(0.3, subject="second")
        assert bar.fraction == pytest.approx(0.3)
        assert drawn(bar) == "━" * 10


async def test_another_style_repaints_the_whole_bar_once() -> None:
    app = BarApp()
    async with app.run_test():
        bar = bar_of(app)
        bar.show(0.5, "running")
        running = bar.render_line(0)
        bar.painted.clear()
        bar.show(0.5, "failed")
        bar.show(0.5, "failed")
        assert bar.painted == [None]
        assert bar.style == "failed"
        assert [part.style for part in bar.render_line(0)] != [part.style for part in running]


async def test_the_bar_follows_the_width_of_the_screen() -> None:
    app = BarApp()
    async with app.run_test(size=(120, 40)) as pilot:
        bar = bar_of(app)
        bar.show(0.5)
        bar.styles.width = 20
        await pilot.pause()
        assert drawn(bar).startswith("━" * 10)
        assert bar.render_line(0).cell_length == 20
