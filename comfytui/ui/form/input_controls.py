"""The text inputs of the list of inputs: the editor of one value, and the filter."""

from collections.abc import Callable
from typing import ClassVar, Final

from textual.binding import Binding, BindingType
from textual.events import Blur
from textual.geometry import Region
from textual.message import Message
from textual.widgets import Input

from comfytui.ui.form.input_rows import Item

MIN_EDITOR: Final = 8
"""Cells of the narrowest editor."""


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

    def __init__(self, *, id: str) -> None:  # noqa: A002
        super().__init__(compact=True, id=id, select_on_focus=False)
        self.cursor_blink = self.display = False
        self.item: Item | None = None
        """What is edited."""

    def open(self, item: Item, text: str, place: Region, width: int) -> None:
        """Edit a value in its place.

        Args:
            item: The input.
            text: The text to begin with.
            place: Where the value is in the container.
            width: The width of the container.
        """
        self.item = item
        cells = max(MIN_EDITOR, place.width)
        self.styles.offset = (max(0, min(place.x, width - cells)), place.y)
        self.styles.width = cells
        self.value = text
        self.cursor_position = len(text)
        self.display = True
        # At once, since the next key is for the editor.
        self.screen.set_focus(self, scroll_visible=False)

    def close(self) -> Item | None:
        """End the editing, and return what was edited; None if nothing is."""
        self.display = False
        item, self.item = self.item, None
        return item

    def action_close(self, taken: bool, lines: int = 0) -> None:
        """End the editing."""
        self.post_message(self.Closed(taken, lines))

    def _on_blur(self, event: Blur) -> None:
        super()._on_blur(event)
        if self.display:
            self.post_message(self.Closed(True))


class InputFilter(Input):
    """The words that the listed inputs have to contain.

    Args:
        close: Clears the filter; called at once, as the others, since the next key is for what has the focus then.
        leave: Goes to the list.
        choose: Goes to what the cursor of the list stands on.
        id: The widget's id.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "close", "Clear filter", show=False),
        Binding("down,tab", "leave", show=False),
    ]

    def __init__(
        self,
        close: Callable[[], object],
        leave: Callable[[], object],
        choose: Callable[[], object],
        *,
        id: str,  # noqa: A002
    ) -> None:
        super().__init__(placeholder="find a node or an input", compact=True, id=id)
        self.cursor_blink = self.display = False
        self._close, self._leave, self._choose = close, leave, choose

    def action_close(self) -> None:
        """Clear the filter."""
        self._close()

    def action_leave(self) -> None:
        """Go to the list."""
        self._leave()

    async def action_submit(self) -> None:
        """Go to what was found."""
        self._choose()
