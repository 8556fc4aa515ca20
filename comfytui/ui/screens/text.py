"""A screen to edit a text of several lines."""

from typing import ClassVar

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import TextArea

from comfytui.sanitize import sanitize

MAX_HEADING = 60
"""Characters of the title that are shown."""


class TextScreen(ModalScreen[str]):
    """Returns the text when it is closed.

    Args:
        heading: What the text is.
        text: The text to begin with.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "take", "Done", key_display="esc", id="text-done"),
    ]

    def __init__(self, heading: str, text: str) -> None:
        super().__init__()
        self._heading = heading
        self._text = text

    def compose(self) -> ComposeResult:
        """Compose the text."""
        area = TextArea(self._text, soft_wrap=True, tab_behavior="focus", show_line_numbers=False, compact=True)
        area.cursor_blink = False
        with Vertical() as frame:
            frame.border_title = Text(sanitize(self._heading, MAX_HEADING))
            frame.border_subtitle = "esc takes it"
            yield area

    def on_mount(self) -> None:
        """Go to the end of the text."""
        area = self.query_one(TextArea)
        area.move_cursor(area.document.end)

    def action_take(self) -> None:
        """Close the screen with the text."""
        self.dismiss(self.query_one(TextArea).text)
