"""The header by itself: it shows the version only where all of it fits."""

import pytest
from textual.app import App, ComposeResult

from comfytui.comfy.protocol.models import Device, SystemStats
from comfytui.session.model import Link, LinkKind
from comfytui.session.state import SessionState
from comfytui.ui.themes import SHEETS, THEMES
from comfytui.ui.widgets.header import DashboardHeader
from tests.ui.screen import Screen

GIB = 2**30
STATS = SystemStats("0.33.0", 64 * GIB, 55 * GIB, (Device("", "cuda", 24 * GIB, 23 * GIB),))


class Host(App[None]):
    """The header and nothing else."""

    def __init__(self) -> None:
        super().__init__()
        for theme in THEMES:
            self.register_theme(theme)
        self.theme = THEMES[0].name

    def on_mount(self) -> None:
        self.stylesheet.read_all([*SHEETS])

    def compose(self) -> ComposeResult:
        yield DashboardHeader("127.0.0.1:8312")


@pytest.mark.parametrize(
    ("width", "link", "has_version"),
    [
        (120, Link(LinkKind.LIVE), True),
        (120, Link(LinkKind.POLLING, poll_interval=2.0), False),
        (160, Link(LinkKind.POLLING, poll_interval=2.0), True),
        (90, Link(LinkKind.LIVE), False),
    ],
)
async def test_the_version_is_shown_whole_or_not_at_all(width: int, link: Link, has_version: bool) -> None:
    app = Host()
    async with app.run_test(size=(width, 3)) as pilot:
        await pilot.pause()
        app.query_one(DashboardHeader).show(SessionState(link=link, stats=STATS))
        await pilot.pause()
        line = Screen(app, pilot).text.split("\n")[0]  # type: ignore[arg-type]
        assert "comfytui  127.0.0.1:8312  " in line
        assert "…" not in line
        assert ("ComfyUI 0.33.0" in line) is has_version
