"""The text inputs of the list of inputs: the editor of one value, and the filter."""

from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.events import Blur
from textual.message import Message
from textual.widgets import Input


class ValueEditor(Input):
    """Edits one value in its place."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "close(False)", "Drop", show=False),
        Binding("up", "close(True, -1)", show=False),
        Binding("down,tab", "close(True, 1)", show=False),
        Binding("shift+tab", "close(True, -1)", show=False),
    ]

    class Closed(Message):
        """Posted when the value is taken or dropped; the cursor moves on by some lines."""

        def __init__(self, taken: bool, lines: int = 0) -> None:
            super().__init__()
            self.taken = taken
            self.lines = lines

    def action_close(self, taken: bool, lines: int = 0) -> None:
        """End the editing."""
        self.post_message(self.Closed(taken, lines))

    def _on_blur(self, event: Blur) -> None:
        super()._on_blur(event)
        if self.display:
            self.post_message(self.Closed(True))


class InputFilter(Input):
    """The words that the listed inputs have to contain."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "close", "Clear filter", show=False),
        Binding("down,tab", "leave", show=False),
    ]

    class Closed(Message):
        """Posted when the filter is cleared, or left for the list."""

        def __init__(self, cleared: bool) -> None:
            super().__init__()
            self.cleared = cleared

    def action_close(self) -> None:
        """Clear the filter."""
        self.post_message(self.Closed(True))

    def action_leave(self) -> None:
        """Go to the list."""
        self.post_message(self.Closed(False))
