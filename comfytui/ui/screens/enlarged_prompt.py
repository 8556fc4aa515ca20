"""One prompt on the whole screen."""

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.screen import Screen
from textual.widgets import TextArea

from comfytui.ui.form.prompt_area import PromptArea
from comfytui.ui.widgets.footer import KeyFooter


class EnlargedPromptScreen(Screen[str]):
    """Returns the text when it is closed.

    Args:
        original: The prompt of the form.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,alt+z", "close", "Back", key_display="esc", id="prompt-close")
    ]

    def __init__(self, original: PromptArea) -> None:
        super().__init__()
        self._original = original

    def compose(self) -> ComposeResult:
        """Compose the prompt and the keys."""
        original = self._original
        yield PromptArea(original.text, reads_weights=original.reads_weights, sources=original.sources)
        yield KeyFooter()

    def on_mount(self) -> None:
        """Begin where the cursor was."""
        area = self._original.enlarged = self.query_one(PromptArea)
        area.selection = self._original.selection
        area.focus()

    def on_text_area_changed(self) -> None:
        """Have the form keep what is typed, should the program end here."""
        self._original.post_message(TextArea.Changed(self._original))

    def action_close(self) -> None:
        """Go back to the form with the text."""
        self.dismiss(self.query_one(PromptArea).text)
