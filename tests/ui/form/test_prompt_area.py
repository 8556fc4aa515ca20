"""The text area of a prompt by itself."""

from textual.app import App, ComposeResult
from textual.containers import Vertical

from comfytui.ui.form.prompt_area import PromptArea


class Page(App[None]):
    """Shows a prompt that can be removed."""

    def compose(self) -> ComposeResult:
        """Compose the prompt in a container."""
        with Vertical():
            yield PromptArea("a red fox", reads_weights=True)


async def test_it_is_blank_where_it_is_painted_after_it_was_removed() -> None:
    async with Page().run_test(size=(40, 10)) as pilot:
        prompt = pilot.app.query_one(PromptArea)
        prompt.focus()
        await pilot.pause()
        with pilot.app.batch_update():  # Until its end the screen is not laid out again.
            await pilot.app.query_one(Vertical).remove()
            painted = pilot.app.screen._compositor.render_strips()
        assert prompt.parent is None
        assert not any("fox" in strip.text for strip in painted)
