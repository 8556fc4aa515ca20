"""Messages in the corner: few at once, and none twice."""

from contextlib import nullcontext
from pathlib import Path

import pytest
from textual.widgets._toast import Toast

from comfytui.ui.app import MAX_MESSAGES, ComfyApp
from comfytui.ui.options import Options
from comfytui.workflow.builtin import txt2img
from tests.ui.screen import Screen
from tests.waiting import eventually

LAST = " resends."


def shown(app: ComfyApp) -> list[str]:
    return [str(toast._notification.message) for toast in app.screen.query(Toast)]


async def test_messages_are_unique_and_newest_are_shown() -> None:
    app = ComfyApp(Options(txt2img(), Path(), lambda: nullcontext(""), lambda _: None))
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        for _ in range(3):
            app.notify("the same")
            await pilot.pause()
        assert shown(app) == ["the same"]
        for number in range(30):
            app.notify(f"message {number}")
            await pilot.pause()
        newest = [f"message {number}" for number in range(30 - MAX_MESSAGES, 30)]
        await eventually(lambda: shown(app) == newest, "the newest messages")


@pytest.mark.parametrize("width", [40, 80, 120])
async def test_last_line_of_message_is_above_footer(width: int) -> None:
    """Of messages about as long as a line is wide, whose last word stands on the first line or alone on the second."""
    app = ComfyApp(Options(txt2img(), Path(), lambda: nullcontext(""), lambda _: None))
    async with app.run_test(size=(width, 24), notifications=True) as pilot:
        for length in range(width // 2 - 6, width // 2):
            app.clear_notifications()
            app.notify("x" * (length - len(LAST)) + LAST)
            await pilot.pause()
            (toast,) = app.screen.query(Toast)
            assert toast.region.bottom == 23, (length, toast.region)
            assert LAST.strip() in Screen(app, pilot).text
