"""The queue list: the cursor, the view, and which lines a change repaints."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import pytest
from textual.app import App, ComposeResult
from textual.geometry import Region
from textual.message import Message
from textual.pilot import Pilot

from comfytui.presentation.queue_rows import QueueRow
from comfytui.session.model import JobStatus
from comfytui.ui.queue.queue_list import QueueList
from comfytui.ui.themes import STYLES

HEIGHT = 10


class RecordingList(QueueList):
    """A list that records which lines it repaints (None: all of them)."""

    def __init__(self) -> None:
        super().__init__("Nothing queued.")
        self.painted: list[int | None] = []

    def refresh(
        self, *regions: Region, repaint: bool = True, layout: bool = False, recompose: bool = False
    ) -> "RecordingList":
        if repaint:
            self.painted += [region.y if region.height == 1 else None for region in regions] or [None]
        super().refresh(*regions, repaint=repaint, layout=layout, recompose=recompose)
        return self


class ListApp(App[None]):
    CSS_PATH = [STYLES / "queue.tcss"]  # noqa: RUF012
    ascii = False

    def __init__(self) -> None:
        super().__init__()
        self.messages: list[Message] = []

    def compose(self) -> ComposeResult:
        yield RecordingList()

    def on_queue_list_highlighted(self, message: QueueList.Highlighted) -> None:
        self.messages.append(message)

    def on_queue_list_selected(self, message: QueueList.Selected) -> None:
        self.messages.append(message)

    @property
    def listed(self) -> RecordingList:
        return self.query_one(RecordingList)

    def prompt_ids(self, kind: type[QueueList.Highlighted | QueueList.Selected]) -> list[str | None]:
        return [message.prompt_id for message in self.messages if isinstance(message, kind)]


def rows(*names: str, status: JobStatus = JobStatus.QUEUED) -> tuple[QueueRow, ...]:
    return tuple(QueueRow(name, status, f"title {name}") for name in names)


def many(count: int) -> tuple[QueueRow, ...]:
    return rows(*(f"p{n}" for n in range(count)))


@asynccontextmanager
async def showing(listed: Sequence[QueueRow]) -> AsyncIterator[tuple[ListApp, Pilot[None]]]:
    app = ListApp()
    async with app.run_test(size=(90, HEIGHT)) as pilot:
        app.listed.focus()
        app.listed.set_rows(listed)
        await pilot.pause()
        app.listed.painted.clear()
        app.messages.clear()
        yield app, pilot


def text(app: ListApp, y: int) -> str:
    return app.listed.render_line(y).text.strip()


async def test_an_empty_list_shows_a_text() -> None:
    async with showing(()) as (app, pilot):
        assert text(app, 0) == "Nothing queued."
        assert app.listed.selected_id is None
        await pilot.press("down", "enter", "end", "pageup")
        assert app.messages == []
        app.listed.empty = "Nothing matches."
        assert text(app, 0) == "Nothing matches."


async def test_rows_replace_the_empty_text_and_are_replaced_by_it() -> None:
    async with showing(()) as (app, pilot):
        app.listed.set_rows(rows("a", "b"))
        await pilot.pause()
        assert "title a" in text(app, 0)
        assert app.prompt_ids(QueueList.Highlighted) == ["a"]
        app.listed.set_rows(())
        app.listed.set_rows([])
        await pilot.pause()
        assert text(app, 0) == "Nothing queued."
        assert app.prompt_ids(QueueList.Highlighted) == ["a", None]


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        (["down"], "p1"),
        (["j", "j", "k"], "p1"),
        (["up"], "p0"),
        (["pagedown"], "p10"),
        (["pagedown", "pagedown", "pageup"], "p10"),
        (["end"], "p99"),
        (["G", "g"], "p0"),
        (["end", "down"], "p99"),
        (["end", "home"], "p0"),
    ],
)
async def test_keys_move_the_cursor_and_keep_it_in_view(keys: list[str], expected: str) -> None:
    async with showing(many(100)) as (app, pilot):
        await pilot.press(*keys)
        assert app.listed.selected_id == expected
        assert any(f"title {expected} " in app.listed.render_line(y).text for y in range(HEIGHT))


def cursor_line(app: ListApp) -> int:
    """Return the line of the cursor in the view; fail if it is out of view."""
    listed = app.listed
    line = listed.rows.index(next(row for row in listed.rows if row.prompt_id == listed.selected_id))
    line -= listed.scroll_offset.y
    assert 0 <= line < listed.size.height
    return line


@pytest.mark.parametrize("chosen", [1, 3, 50, 99])
async def test_a_job_selected_while_the_list_is_hidden_is_in_view_when_it_is_shown(chosen: int) -> None:
    async with showing(many(3)) as (app, pilot):
        app.listed.display = False
        await pilot.pause()
        app.listed.set_rows(many(100))
        app.listed.select(f"p{chosen}")
        app.listed.display = True
        await pilot.pause()
        assert cursor_line(app) == min(chosen, HEIGHT - 1)


async def test_a_selected_job_is_shown_with_the_top_of_the_list_where_both_fit() -> None:
    async with showing(many(100)) as (app, pilot):
        await pilot.press("end")
        app.listed.select("p7")
        await pilot.pause()
        assert (cursor_line(app), text(app, 0).split()[2]) == (7, "p0")


@pytest.mark.parametrize(("key", "expected"), [("home", "p0"), ("end", "p99"), ("pageup", "p0"), ("down", "p1")])
async def test_a_key_scrolls_back_to_a_cursor_that_the_wheel_left_out_of_view(key: str, expected: str) -> None:
    async with showing(many(100)) as (app, pilot):
        if key == "end":
            await pilot.press("end")
        app.listed.scroll_to(y=40, animate=False)
        await pilot.pause()
        await pilot.press(key)
        await pilot.pause()
        assert app.listed.selected_id == expected
        cursor_line(app)


async def test_a_list_that_gets_smaller_keeps_its_cursor_in_view() -> None:
    async with showing(many(100)) as (app, pilot):
        await pilot.press("pagedown")
        assert cursor_line(app) == HEIGHT - 1
        await pilot.resize_terminal(90, 4)
        await pilot.pause()
        assert cursor_line(app) == 3
        await pilot.resize_terminal(60, 30)
        await pilot.pause()
        assert app.listed.selected_id == "p10"
        cursor_line(app)


async def test_enter_and_a_double_click_open_the_job() -> None:
    async with showing(many(3)) as (app, pilot):
        await pilot.press("down", "enter")
        assert app.prompt_ids(QueueList.Selected) == ["p1"]
        await pilot.click(QueueList, offset=(5, 2))
        assert app.listed.selected_id == "p2"
        assert app.prompt_ids(QueueList.Selected) == ["p1"]
        await pilot.double_click(QueueList, offset=(5, 2))
        assert app.prompt_ids(QueueList.Selected) == ["p1", "p2"]


async def test_a_click_below_the_rows_does_nothing() -> None:
    async with showing(many(3)) as (app, pilot):
        await pilot.click(QueueList, offset=(5, 7))
        assert app.listed.selected_id == "p0"
        assert app.messages == []


async def test_the_cursor_follows_its_job() -> None:
    async with showing(rows("a", "b", "c")) as (app, pilot):
        await pilot.press("down")
        app.listed.set_rows(rows("new", "c", "a", "b"))
        assert app.listed.selected_id == "b"
        assert app.prompt_ids(QueueList.Highlighted) == ["b"]


async def test_the_cursor_stays_in_its_line_when_its_job_is_removed() -> None:
    async with showing(rows("a", "b", "c")) as (app, pilot):
        await pilot.press("end")
        app.listed.set_rows(rows("a", "b"))
        await pilot.pause()
        assert app.listed.selected_id == "b"
        assert app.prompt_ids(QueueList.Highlighted) == ["c", "b"]


async def test_equal_rows_repaint_nothing() -> None:
    async with showing(many(50)) as (app, _):
        app.listed.set_rows(many(50))
        assert app.listed.painted == []


async def test_a_changed_row_repaints_only_its_line() -> None:
    async with showing(many(50)) as (app, _):
        changed = list(many(50))
        changed[3] = QueueRow("p3", JobStatus.RUNNING, "title p3")
        app.listed.set_rows(changed)
        assert app.listed.painted == [3]


async def test_a_change_out_of_view_repaints_nothing() -> None:
    async with showing(many(50)) as (app, _):
        changed = list(many(50))
        changed[40] = QueueRow("p40", JobStatus.RUNNING, "title p40")
        app.listed.set_rows(changed)
        assert app.listed.painted == []


async def test_moving_the_cursor_repaints_two_lines() -> None:
    async with showing(many(50)) as (app, pilot):
        await pilot.press("down")
        assert app.listed.painted == [0, 1]


async def test_visible_rows_stay_in_place_when_rows_are_inserted_above() -> None:
    async with showing(many(100)) as (app, pilot):
        await pilot.press("pagedown", "pagedown", "pagedown")
        await pilot.pause()
        before = [text(app, y) for y in range(HEIGHT)]
        app.listed.set_rows((*rows("x", "y", "z", status=JobStatus.RUNNING), *many(100)))
        await pilot.pause()
        assert [text(app, y) for y in range(HEIGHT)] == before


async def test_the_view_does_not_follow_a_job_that_ends() -> None:
    async with showing((*rows("now", status=JobStatus.RUNNING), *many(100))) as (app, pilot):
        await pilot.press("down", "up")
        app.listed.set_rows((*many(100), *rows("now", status=JobStatus.SUCCEEDED)))
        await pilot.pause()
        assert app.listed.selected_id == "now"
        assert "title p0" in text(app, 0)


async def test_the_view_follows_a_waiting_job_that_others_push_down() -> None:
    async with showing(rows("mine", "mine too")) as (app, pilot):
        app.listed.set_rows((*many(50), *rows("mine", "mine too")))
        await pilot.pause()
        assert app.listed.selected_id == "mine"
        assert cursor_line(app) == HEIGHT - 1


async def test_a_list_that_shrinks_shows_its_end() -> None:
    async with showing(many(100)) as (app, pilot):
        await pilot.press("end")
        app.listed.set_rows(many(20))
        await pilot.pause()
        assert "title p19" in text(app, HEIGHT - 1)


async def test_a_list_of_ten_thousand_rows_scrolls_to_its_end() -> None:
    async with showing(many(10_000)) as (app, pilot):
        await pilot.press("end")
        assert "title p9999" in text(app, HEIGHT - 1)
        assert app.listed.virtual_size.height == 10_000


async def test_without_colour_the_cursor_is_reversed() -> None:
    async with showing(many(3)) as (app, _):
        cursor, other = (next(iter(app.listed.render_line(y))).style for y in (0, 1))
        assert cursor is not None
        assert other is not None
        assert cursor.reverse
        assert not other.reverse


async def test_without_focus_the_cursor_is_bold_instead_of_reversed() -> None:
    async with showing(many(3)) as (app, pilot):
        focused = app.listed.render_line(0)
        app.set_focus(None)
        await pilot.pause()
        style = next(iter(app.listed.render_line(0))).style
        assert style is not None
        assert style.bold
        assert not style.reverse
        assert app.listed.render_line(0).text == focused.text


async def test_markup_in_a_title_is_text() -> None:
    async with showing((QueueRow("a", JobStatus.QUEUED, "[bold]a[/nope] fox"),)) as (app, _):
        assert "[bold]a[/nope] fox" in text(app, 0)


async def test_ascii_mode_draws_rows_with_ascii() -> None:
    async with showing(rows("a", status=JobStatus.RUNNING)) as (app, _):
        app.ascii = True
        assert text(app, 0).split()[:3] == [">", "title", "a"]
