"""Only what changes is painted and styled anew: over a slow line, each line of the screen takes time."""

from typing import Any

import pytest
from textual._compositor import LayoutUpdate
from textual.css.stylesheet import Stylesheet

from comfytui.ui.app import ComfyApp
from comfytui.ui.widgets.footer import KeyFooter
from tests.fake_backend import FakeBackend
from tests.ui.screen import screen


async def test_moving_through_the_form_does_not_repaint_the_screen(monkeypatch: pytest.MonkeyPatch) -> None:
    painted: list[object] = []
    display = ComfyApp._display

    def recorded(self: ComfyApp, shown: Any, renderable: Any) -> None:
        painted.append(renderable)
        display(self, shown, renderable)

    monkeypatch.setattr(ComfyApp, "_display", recorded)
    async with screen(FakeBackend()) as it:
        await it.shows("live")
        await it.press("tab")
        painted.clear()
        for field in ("model", "width", "height"):
            await it.press("tab")
            assert it.app.screen.focused is it.app.screen.query_one(f"#{field}")
        assert painted
        assert not any(isinstance(update, LayoutUpdate) for update in painted)


async def test_the_footer_stays_while_its_keys_do() -> None:
    async with screen(FakeBackend()) as it:
        await it.shows("ctrl+o Open")
        footer = it.app.screen.query_one(KeyFooter)
        shown = [*footer.children]
        await it.press("tab", "tab")
        assert [*footer.children] == shown
        await it.press("escape")
        await it.shows("n Form")


async def test_turning_to_the_form_of_a_large_screen_restyles_little(monkeypatch: pytest.MonkeyPatch) -> None:
    styled: list[object] = []
    update = Stylesheet.update_nodes

    def recorded(self: Stylesheet, nodes: Any, animate: bool = False) -> None:
        styled.extend(nodes := [*nodes])
        update(self, nodes, animate)

    async with screen(FakeBackend()) as it:
        await it.shows("live")
        everything = len([*it.app.screen.walk_children(with_self=True)])
        await it.press("escape")
        monkeypatch.setattr(Stylesheet, "update_nodes", recorded)
        await it.press("n", "escape")
        assert 0 < len(styled) < everything
