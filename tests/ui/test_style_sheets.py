"""Style sheets: no more than a screen needs is read at the start, and each screen is shown in its own."""

from pathlib import Path

import pytest

from comfytui.ui.screens.confirm import ConfirmScreen
from comfytui.ui.style_sheets import SCREEN_SHEETS
from comfytui.ui.themes import SHEETS
from tests.fake_backend import FakeBackend
from tests.ui.screen import Screen, screen

ALL = {sheet.stem for sheet in SHEETS}
DIALOG_WIDTH = 60


def sheets_read(it: Screen) -> set[str]:
    return {Path(path).stem for path, _ in it.app.stylesheet.source if path.endswith(".tcss")}


async def test_the_dashboard_starts_with_its_own_sheets_alone() -> None:
    async with screen(FakeBackend()) as it:
        await it.shows("Generate")
        assert sheets_read(it) == ALL - SCREEN_SHEETS


@pytest.mark.parametrize("backend", [FakeBackend(), None], ids=["dashboard", "start"])
async def test_a_screen_in_front_is_shown_in_its_styles(backend: FakeBackend | None) -> None:
    async with screen(backend) as it:
        it.app.push_screen(ConfirmScreen("Resend it, too?"))
        await it.shows("Resend it, too?")
        assert sheets_read(it) == ALL
        assert it.app.screen.query_one(".dialog").outer_size.width == DIALOG_WIDTH


def test_the_sheets_of_screens_exist() -> None:
    assert SCREEN_SHEETS < ALL
